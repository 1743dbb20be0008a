"""How a request becomes a stored answer: the whole story of serving, top to bottom."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from models.axis import Values
from models.category import expand
from models.customer.customer_id import LONGEST, MISSING_IDS
from models.features import FEATURE, MAIN_COUNTRY, Feature, compute_one
from models.fold import fold
from models.forecast.transitions import Decay, NextSegment, columns_of
from models.line import Line
from models.scorer import Placement
from service.assigned import AdmittedCase, Assigned, Case
from service.errors import Fault, InvalidRequest
from service.json_structure import LARGE
from service.request import SegmentRequest, plain_customer_id
from service.request_decoder import DecodedRequest
from service.served_model import ServedModel
from service.state import Service
from service.store.assignment import Assignment
from service.store.ulid import GivenIds, UlidFactory

MOST_FAULTS = 20
NO_ID = ""  # of an answer that is not stored
CLOCK_SKEW = timedelta(days=1)  # a client's clock or time zone may be ahead; more is a wrong date
NOTHING_IGNORED: Mapping[str, int] = {}
_ONLY_FEATURES = "cannot be used here: this model takes features, the columns of the table of customers it is made of"


async def answer_one(body: bytes, service: Service) -> bytes:
    """The answer to one customer's request as JSON, once it is stored. Raises InvalidRequest and the store's errors."""
    served, now = service.live.current(), service.clock()
    case = service.suppressed.admit(await decode_case(body, served, now))
    assigned = assign(case, served, service.ids, now)
    stored = service.writer.submit([assigned.row])
    worded = answer_json(assigned, served).encode()  # while the row is being written
    await stored
    return worded


async def answer_dry(body: bytes, service: Service) -> bytes:
    """The same answer, with no id and stored nowhere. Raises InvalidRequest."""
    served, now = service.live.current(), service.clock()
    case = service.suppressed.admit(await decode_case(body, served, now))
    return answer_json(assign(case, served, GivenIds([NO_ID]), now), served).encode()


async def decode_case(body: bytes, served: ServedModel, now: datetime) -> Case:
    """The customer in a body, as `case_of` has it. Raises InvalidRequest."""
    if len(body) > LARGE:
        return await asyncio.to_thread(_case_in, body, served, now)
    return _case_in(body, served, now)


def _case_in(body: bytes, served: ServedModel, now: datetime) -> Case:
    return case_of(served.decode(body), served, now)


def case_of(request: SegmentRequest | DecodedRequest, served: ServedModel, now: datetime) -> Case:
    """The features of the customer in a request, at its `as_of` or else `now`. Raises InvalidRequest."""
    sent_id: Any = request.customer_id
    plain = type(sent_id) is str and sent_id.isalnum() and len(sent_id) <= LONGEST and sent_id not in MISSING_IDS
    customer_id = sent_id if plain else plain_customer_id(sent_id)  # nearly all are plain
    if customer_id.lower() in served.conventions.placeholder_ids:
        raise InvalidRequest(
            [Fault("/customer_id", "stands for no customer in this shop's data; send a customer's id")]
        )
    as_of = request.as_of or now
    if as_of > now + CLOCK_SKEW:
        raise InvalidRequest([Fault("/as_of", f"is {as_of:%Y-%m-%d}, which has not come yet; send today or earlier")])
    sent: Any = request.features
    transactions = request.transactions
    if served.model.columns:
        _check_has_features_only(request)
    elif (sent is None) == (transactions is None):
        have = "neither is" if sent is None else "both are"
        raise InvalidRequest([Fault("", f"send exactly one of features and transactions; {have} here")])
    if transactions is not None:
        return _from_transactions(customer_id, request.lines(), served, as_of)
    features: Mapping[str, Any] = sent
    if None in features.values():
        features = {name: value for name, value in features.items() if value is not None}
    if 0.0 in features.values():  # -0.0 too, which equals it
        features = {name: 0.0 if value == 0.0 else value for name, value in features.items()}
    values = _deciding(features, served)
    return Case(customer_id, as_of, values, features, NOTHING_IGNORED)


def assign(case: AdmittedCase, served: ServedModel, ids: UlidFactory, now: datetime) -> Assigned:
    """Place one customer."""
    placed = served.model.scorer.place(case.values)
    row = _row(case, served, ids.one(_milliseconds(now)), now, placed.nearest, placed.second, placed.confidence)
    return _assigned(case, row, placed, served)


def assign_many(cases: Sequence[AdmittedCase], served: ServedModel, ids: UlidFactory, now: datetime) -> list[Assigned]:
    """Place many customers at once; the same answers as one by one."""
    if not cases:
        return []
    values = np.array([case.values for case in cases])
    placed = served.model.scorer.place_many(values)
    columns = zip(
        cases,
        ids.many(len(cases), _milliseconds(now)),
        placed.nearest.tolist(),
        placed.second.tolist(),
        placed.confidence.tolist(),
        placed.contributions.tolist(),
        _listed(*served.explainer.strongest_of_many(placed.contributions)),
        *_outlooks(cases, values, placed.nearest, served),
        strict=True,
    )
    return [
        Assigned(
            case,
            _row(case, served, assignment_id, now, nearest, second, sure),
            nearest,
            second,
            contributions,
            strongest,
            decay,
            following,
        )
        for case, assignment_id, nearest, second, sure, contributions, strongest, decay, following in columns
    ]


def answer_json(assigned: Assigned, served: ServedModel) -> str:
    """The answer as JSON. To be sent once the row is stored; it can be worded while that is being done."""
    worded = served.encoder.encode(assigned)
    if assigned.row.id == NO_ID:  # the id is the first thing an answer says
        return worded.replace('"assignment_id":""', '"assignment_id":null', 1)
    return worded


def recall(row: Assignment, served: ServedModel) -> str:
    """The answer that was given when a row was stored, worked out again by the model that gave it.

    The words are derived, not stored; products of the customer's own are. What was left out of transactions is not
    known any more.
    """
    return answer_json(remembered(row, served), served)


def remembered(row: Assignment, served: ServedModel) -> Assigned:
    """What a stored row was worded from, by the model that gave it."""
    features = {name: value for name, value in row.feature_values.items() if value is not None}
    values = _deciding(features, served)
    placed = served.model.scorer.place(values)
    case = Case(row.customer_id, row.as_of, values, features, NOTHING_IGNORED)
    return _assigned(case, row, placed, served)


def _check_has_features_only(request: SegmentRequest | DecodedRequest) -> None:
    if request.transactions is not None:
        raise InvalidRequest([Fault("/transactions", _ONLY_FEATURES)])
    if request.features is None:
        raise InvalidRequest([Fault("/features", "is missing; send it")])


def _deciding(features: Mapping[str, Any], served: ServedModel) -> list[float]:
    """What decides the segment, in the model's order: features in words as the columns of 0 and 1 they make."""
    if served.model.columns:
        return expand(served.model.columns, features)
    return [float(features[name]) for name in served.model.features]


def _from_transactions(customer_id: str, lines: Sequence[Line], served: ServedModel, as_of: datetime) -> Case:
    _check_statuses(lines, served)
    folded = fold(lines, as_of.timestamp(), served.conventions)
    if folded.summary is None:
        counted = ", ".join(f"{count} {rule.replace('_', ' ')}" for rule, count in folded.ignored.items())
        why = counted or "only returns, or all of it undone by them"
        raise InvalidRequest([Fault("/transactions", f"hold no purchase up to {as_of:%Y-%m-%dT%H:%M:%SZ} ({why})")])
    features: dict[str, Any] = compute_one(folded.summary, as_of.timestamp(), served.model.described_by)
    missing = [name for name in served.model.features if name not in features]
    if missing:
        raise InvalidRequest(
            [Fault("/transactions", f"lack what {FEATURE[name].name} needs; send stock_code") for name in missing]
        )
    beyond = [FEATURE[name] for name in features if not FEATURE[name].low <= features[name] <= FEATURE[name].high]
    if beyond:
        raise InvalidRequest([Fault("/transactions", _too_much(one, features[one.name])) for one in beyond])
    if folded.summary.country:
        features[MAIN_COUNTRY] = folded.summary.country
    decide = [features[name] for name in served.model.features]
    return Case(customer_id, as_of, decide, features, folded.ignored, folded.bought)


def _check_statuses(lines: Sequence[Line], served: ServedModel) -> None:
    faults = [
        Fault(f"/transactions/{index}/status", _unknown_status(line.status, served))
        for index, line in enumerate(lines)
        if line.status is not None and served.conventions.meaning(line.status) is None
    ]
    if faults:
        raise InvalidRequest(faults[:MOST_FAULTS])


def _unknown_status(status: str, served: ServedModel) -> str:
    known = ", ".join(sorted(served.conventions.statuses))
    if not known:
        return f"is {status!r}, and the data this model is of has no statuses; send only what was bought or returned"
    return f"is {status!r}, which is not among those of the data this model is of: {known}"


def _too_much(feature: Feature, value: object) -> str:
    return f"make {feature.name} {value}, and it must be between {feature.low:g} and {feature.high:g}"


def _assigned(case: Case, row: Assignment, placed: Placement, served: ServedModel) -> Assigned:
    strongest = served.explainer.strongest(placed.contributions)
    decay, following = _outlook(case, placed.nearest, served)
    return Assigned(case, row, placed.nearest, placed.second, placed.contributions, strongest, decay, following)


def _listed(order: NDArray[np.intp], speaking: NDArray[np.bool_]) -> list[list[int]]:
    counts = speaking.sum(axis=1).tolist()
    return [row[:count] for row, count in zip(order.tolist(), counts, strict=True)]


def _outlook(case: Case, nearest: int, served: ServedModel) -> tuple[Decay | None, NextSegment | None]:
    if served.outlook is None:
        return None, None
    return (
        served.outlook.decay(case.values, case.features, case.as_of, nearest),
        served.outlook.next_segment(case.values, case.features, nearest),
    )


def _outlooks(
    cases: Sequence[Case], values: Values, nearest: NDArray[np.intp], served: ServedModel
) -> tuple[Sequence[Decay | None], Sequence[NextSegment | None]]:
    """The same for many at once."""
    if served.outlook is None:
        nothing = [None] * len(cases)
        return nothing, nothing
    known = columns_of([case.features for case in cases])
    return (
        served.outlook.decays(values, known, [case.as_of for case in cases], nearest).listed(),
        served.outlook.next_segments(values, known, nearest).listed(),
    )


def _row(
    case: AdmittedCase, served: ServedModel, assignment_id: str, now: datetime, nearest: int, second: int,
    confidence: float,
) -> Assignment:  # fmt: skip
    here, here_name = served.names[nearest]
    next_best, next_name = served.names[second]
    features = to_json(case.features).decode()
    products = served.advice.own_products(case.bought, nearest) if case.bought else None
    return Assignment(
        id=assignment_id,
        customer_id=case.customer_id,
        as_of=case.as_of,
        assigned_at=now,
        model_version=served.model.version,
        segment_id=here,
        segment_name=here_name,
        runner_up_id=next_best,
        runner_up_name=next_name,
        confidence=round(confidence, 4),
        features=features,
        products=products,
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
