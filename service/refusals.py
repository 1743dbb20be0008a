"""What a connection answers by itself, because what came over it is no request, or not the whole of one."""

from collections.abc import Sequence
from time import perf_counter

from starlette.types import Message, Scope, Send

from service.caller import KEY as CALLER
from service.caller import NOBODY
from service.correlation import REQUEST_ID, Correlation, Correlator
from service.cycle import Cycle
from service.exchange import Exchange, exchange_of
from service.metrics.recorder import OTHER
from service.observed import Observer, tell
from service.problem import Problem, new_request_id, problem_of, raw_problem
from service.templates import UNMATCHED


class Refusals:
    """Observers are told of these answers as they are of the application's, once each."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._correlator = Correlator()

    def answer(self, error: Exception, cycle: Cycle | None) -> bytes:
        """The whole answer. `cycle` is of the request whose rest it is that did not come as it should; None where
        there is no request yet."""
        if cycle is None:
            problem = problem_of(error, new_request_id())
            self._tell(problem)
            return raw_problem(problem)
        exchange = exchange_of(cycle.scope)
        if exchange is None:  # the application begins with the event loop's next turn
            problem = problem_of(error, self._settled_id(cycle.scope["headers"]))
            cycle.overruled = _overruled(cycle.scope, problem.status)
        else:
            problem = problem_of(error, exchange.correlation.request_id)
            exchange.to_client = _overruled(cycle.scope, problem.status)
        return raw_problem(problem)

    def _settled_id(self, headers: list[tuple[bytes, bytes]]) -> str:
        """The request's id, as the application then takes it over."""
        request_id = self._correlator.of(headers, dict(headers)).request_id
        headers[:] = [one for one in headers if one[0] != REQUEST_ID]
        headers.append((REQUEST_ID, request_id.encode()))
        return request_id

    def _tell(self, problem: Problem) -> None:
        correlation = Correlation(problem.request_id)
        exchange = Exchange({"method": OTHER, CALLER: NOBODY}, _nowhere, correlation, perf_counter())
        exchange.route, exchange.status, exchange.complete = UNMATCHED, problem.status, True
        tell(self._observers, exchange)


def _overruled(scope: Scope, status: int) -> Send:
    """For the application, which goes on a little longer: observers are told what the client was."""

    async def send(message: Message) -> None:
        exchange = exchange_of(scope)
        if exchange is not None:
            exchange.status, exchange.complete = status, True

    return send


async def _nowhere(message: Message) -> None:
    """There is nothing to be sent."""
