"""A line in the log for each request: what is usual in DEBUG, as metrics count it, the rest where it is looked for."""

import logging

from service.caller import caller_of
from service.exchange import Exchange

logger = logging.getLogger("segmentation.request")
LEVELS = {"answered": logging.DEBUG, "refused": logging.INFO, "gone": logging.INFO, "broken-off": logging.WARNING}


def log_request(exchange: Exchange) -> None:
    """Logs a request that is over. Its path is not told, only the template: customers' ids stand in paths."""
    if exchange.status == 200 and exchange.complete and not logger.isEnabledFor(logging.DEBUG):  # as nearly always
        return
    level = _level(exchange)
    if not logger.isEnabledFor(level):
        return
    trace = exchange.correlation.trace
    fields = {
        "request_id": exchange.correlation.request_id,
        "trace_id": trace.trace_id if trace else None,
        "span_id": trace.span_id if trace else None,
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "outcome": exchange.outcome,
        "duration_ms": round(exchange.seconds * 1000, 3),
        "key": caller_of(exchange.scope).id,
    }
    said = (exchange.method, exchange.route, exchange.outcome, exchange.status)
    logger.log(level, "%s %s %s with %s", *said, extra={"fields": fields})


def _level(exchange: Exchange) -> int:
    usual = LEVELS.get(exchange.outcome)
    if usual is not None:
        return usual
    return logging.WARNING if exchange.status == 503 else logging.ERROR
