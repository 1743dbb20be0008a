"""How a request becomes a stored answer: the whole story of serving, top to bottom."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import to_json

from models.features import FEATURE, MAIN_COUNTRY, Feature, compute
from models.scorer import Placement
from models.summary import Summaries, fold
from service.errors import Fault, InvalidRequest
from service.request import SegmentRequest, Transaction, plain_customer_id
from service.served_model import ServedModel
from service.store.assignment import Assignment
from service.store.ulid import UlidFactory

CLOCK_SKEW = timedelta(days=1)  # a client's clock or time zone may be ahead; more is a wrong date


class Case(NamedTuple):
    """A customer whose features are known. `values` are those that decide, in the model's order."""

    customer_id: str
    as_of: datetime
    values: Sequence[float]
    features: Mapping[str, float | str]
    ignored: Mapping[str, int]


class Assigned(NamedTuple):
    """A customer whose segment is decided: the row to store, and what the answer is worded from meanwhile.

    `nearest` and `second` index the model's segments; `contributions` are in the order of its features, of which
    `strongest` carried the decision.
    """

    case: Case
    row: Assignment
    nearest: int
    second: int
    contributions: Sequence[float]
    strongest: Sequence[int]


NOTHING_IGNORED: Mapping[str, int] = {}


def case_of(request: SegmentRequest, served: ServedModel, now: datetime) -> Case:
    """The features of the customer in a request, at its `as_of` or else `now`. Raises InvalidRequest."""
    customer_id = plain_customer_id(request.customer_id)
    as_of = request.as_of or now
    if as_of > now + CLOCK_SKEW:
        raise InvalidRequest([Fault("/as_of", f"is {as_of:%Y-%m-%d}, which has not come yet; send today or earlier")])
    if (request.features is None) == (request.transactions is None):
        have = "neither is" if request.features is None else "both are"
        raise InvalidRequest([Fault("", f"send exactly one of features and transactions; {have} here")])
    if request.transactions is not None:
        return _from_transactions(customer_id, request.transactions, served, as_of)
    features: Mapping[str, Any] = request.features
    if None in features.values():
        features = {name: value for name, value in features.items() if value is not None}
    values = [features[name] for name in served.model.features]
    return Case(customer_id, as_of, values, features, NOTHING_IGNORED)


def assign(case: Case, served: ServedModel, ids: UlidFactory, now: datetime) -> Assigned:
    """Place one customer."""
    placed = served.model.scorer.place(case.values)
    row = _row(case, served, ids.one(_milliseconds(now)), now, placed.nearest, placed.second, placed.confidence)
    return _assigned(case, row, placed, served)


def assign_many(cases: Sequence[Case], served: ServedModel, ids: UlidFactory, now: datetime) -> list[Assigned]:
    """Place many customers at once; the same answers as one by one."""
    if not cases:
        return []
    placed = served.model.scorer.place_many(np.array([case.values for case in cases]))
    columns = zip(
        cases,
        ids.many(len(cases), _milliseconds(now)),
        placed.nearest.tolist(),
        placed.second.tolist(),
        placed.confidence.tolist(),
        placed.contributions.tolist(),
        served.explainer.strongest_of_many(placed.contributions),
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
        )
        for case, assignment_id, nearest, second, sure, contributions, strongest in columns
    ]


def answer_json(assigned: Assigned, served: ServedModel) -> str:
    """The answer as JSON. To be sent once the row is stored; it can be worded while that is being done."""
    case, row, nearest, second, contributions, strongest = assigned
    return served.encoder.encode(
        row, case.as_of, case.values, nearest, second, contributions, strongest, case.features, case.ignored
    )


def recall(row: Assignment, served: ServedModel) -> str:
    """The answer that was given when a row was stored, worked out again by the model that gave it.

    The words are derived, not stored. What was left out of transactions is not known any more.
    """
    features = {name: value for name, value in row.feature_values.items() if value is not None}
    values = [float(features[name]) for name in served.model.features]
    placed = served.model.scorer.place(values)
    case = Case(row.customer_id, row.as_of, values, features, NOTHING_IGNORED)
    return answer_json(_assigned(case, row, placed, served), served)


def _from_transactions(
    customer_id: str, transactions: Sequence[Transaction], served: ServedModel, as_of: datetime
) -> Case:
    folded = fold((sent.line() for sent in transactions), as_of.timestamp())
    if folded.summary is None:
        counted = ", ".join(f"{count} {rule.replace('_', ' ')}" for rule, count in folded.ignored.items())
        why = counted or "only returns, or all of it undone by them"
        raise InvalidRequest([Fault("/transactions", f"hold no purchase up to {as_of:%Y-%m-%dT%H:%M:%SZ} ({why})")])
    described = served.model.described_by
    values = compute(Summaries.of([folded.summary]), as_of.timestamp(), described)[0].tolist()
    features: dict[str, float | str] = {
        name: value for name, value in zip(described, values, strict=True) if value == value
    }
    missing = [name for name in served.model.features if name not in features]
    if missing:
        raise InvalidRequest(
            [Fault("/transactions", f"lack what {FEATURE[name].name} needs; send stock_code") for name in missing]
        )
    beyond = [
        FEATURE[name] for name in features if not FEATURE[name].low <= float(features[name]) <= FEATURE[name].high
    ]
    if beyond:
        raise InvalidRequest([Fault("/transactions", _too_much(one, features[one.name])) for one in beyond])
    if folded.summary.country:
        features[MAIN_COUNTRY] = folded.summary.country
    decide = [float(features[name]) for name in served.model.features]
    return Case(customer_id, as_of, decide, features, folded.ignored)


def _too_much(feature: Feature, value: object) -> str:
    return f"make {feature.name} {value}, and it must be between {feature.low:g} and {feature.high:g}"


def _assigned(case: Case, row: Assignment, placed: Placement, served: ServedModel) -> Assigned:
    strongest = served.explainer.strongest(placed.contributions)
    return Assigned(case, row, placed.nearest, placed.second, placed.contributions, strongest)


def _row(
    case: Case, served: ServedModel, assignment_id: str, now: datetime, nearest: int, second: int, confidence: float
) -> Assignment:
    here, next_best = served.names[nearest], served.names[second]
    return Assignment(
        assignment_id,
        case.customer_id,
        case.as_of,
        now,
        served.model.version,
        *here,
        *next_best,
        round(confidence, 4),
        to_json(case.features).decode(),
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
