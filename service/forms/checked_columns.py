"""Customers sent column by column, and checked as columns: by arrays, without a request for each."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from models.customer.customer_id import MISSING_IDS
from models.features import FEATURE, LARGEST
from models.scorer import Placements
from service.assigned import Case
from service.assigning import CLOCK_SKEW, NOTHING_IGNORED, case_of
from service.errors import InvalidRequest
from service.forms.sent_columns import SentColumns
from service.number_texts import NOT_KNOWN, number_texts
from service.request import YEARS
from service.served_model import ServedModel
from service.store.assignment import Assignment

Values = NDArray[np.float64]


class CheckedColumns:
    """n customers of whom those in `wrong`, by their row, cannot be assigned; they have values that can be placed.

    `values` has shape (n, d), in the order of the scorer's features; `known` has all that is known, by name, (n,) each.
    """

    def __init__(
        self, ids: list[str], moments: list[datetime], sent: SentColumns, wrong: dict[int, Exception],
        served: ServedModel,
    ) -> None:  # fmt: skip
        self.ids, self.moments, self.wrong = ids, moments, wrong
        # to add 0 makes 0 of -0
        self.known = {name: sent.features[name] + 0.0 for name in served.model.described_by if name in sent.features}
        self.values = np.column_stack([self.known[name] for name in served.model.features])
        if wrong:
            self.values[list(wrong)] = served.model.reference.values[0]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def described(self) -> list[str]:
        """Each customer's features that are known, as the JSON of an object."""
        names = [to_json(name).decode() for name in self.known]
        texts = [number_texts(column) for column in self.known.values()]
        if not any(np.isnan(column).any() for column in self.known.values()):
            template = ",".join([f"{name.replace('%', '%%')}:%s" for name in names]).join("{}")
            return [template % row for row in zip(*texts, strict=True)]
        cells = [
            [f"{name}:{text}" if text != NOT_KNOWN else "" for text in column]
            for name, column in zip(names, texts, strict=True)
        ]
        return [f"{{{','.join(filter(None, row))}}}" for row in zip(*cells, strict=True)]

    def rows(
        self, ids: Sequence[str], placed: Placements, confidence: Sequence[float], served: ServedModel, now: datetime
    ) -> list[Assignment]:
        """What is to be stored of those that can be assigned."""
        version, names = served.model.version, served.names
        columns = (ids, self.ids, self.moments, placed.nearest.tolist(), placed.second.tolist(), confidence)
        rows = [
            Assignment._make(
                (assignment_id, customer_id, as_of, now, version, *names[nearest], *names[second], sure, features, None)
            )
            for assignment_id, customer_id, as_of, nearest, second, sure, features in zip(
                *columns, self.described, strict=True
            )
        ]
        return [row for index, row in enumerate(rows) if index not in self.wrong] if self.wrong else rows

    def cases(self) -> list[Case | Exception]:
        """Each customer to be assigned, or what is wrong."""
        columns = [column.tolist() for column in self.known.values()]
        known = [
            {name: one for name, one in zip(self.known, row, strict=True) if one == one}
            for row in zip(*columns, strict=True)
        ]
        found: list[Case | Exception] = [
            Case(customer_id, as_of, values, features, NOTHING_IGNORED)
            for customer_id, as_of, values, features in zip(
                self.ids, self.moments, self.values.tolist(), known, strict=True
            )
        ]
        for row, error in self.wrong.items():
            found[row] = error
        return found


def checked(
    sent: SentColumns, served: ServedModel, now: datetime,
    refused: Callable[[Sequence[str]], Mapping[int, Exception]],
) -> CheckedColumns:  # fmt: skip
    """The customers with their faults. `refused` says which of the ids, by their places, may not be assigned."""
    # As `is_plain_id` asks, without a call for each.
    plain = [
        one if type(one) is str and one.isalnum() and len(one) <= 256 and one not in MISSING_IDS else None
        for one in sent.ids
    ]
    if placeholders := served.conventions.placeholder_ids:
        plain = [None if one is not None and one.lower() in placeholders else one for one in plain]
    moments = [now] * len(sent) if sent.as_of is None else [one or now for one in sent.as_of]
    doubtful = _doubtful(sent, served)
    if sent.as_of is not None:
        times = {moment: _is_possible(moment, now) for moment in set(moments)}
        doubtful |= ~np.array([times[moment] for moment in moments], dtype=np.bool_)
    wrong: dict[int, Exception] = {}
    for row in np.flatnonzero(doubtful | np.array([one is None for one in plain], dtype=np.bool_)).tolist():
        try:
            case = _alone(sent, row, served, now)
            plain[row], moments[row] = case.customer_id, case.as_of
        except InvalidRequest as error:
            plain[row], moments[row], wrong[row] = "", now, error
    ids = [one or "" for one in plain]
    return CheckedColumns(ids, moments, sent, {**refused(ids), **wrong}, served)


def _doubtful(sent: SentColumns, served: ServedModel) -> NDArray[np.bool_]:
    """Whose features are not all there, or beyond their bounds."""
    doubtful = np.zeros(len(sent), dtype=np.bool_)
    for name, values in sent.features.items():
        known = FEATURE.get(name)
        low, high = (known.low, known.high) if known else (-LARGEST, LARGEST)
        possible = (values >= low) & (values <= high)
        doubtful |= ~possible if name in served.model.deciding else ~(possible | np.isnan(values))
    return doubtful


def _alone(sent: SentColumns, row: int, served: ServedModel, now: datetime) -> Case:
    request = {
        "customer_id": sent.ids[row],
        "as_of": sent.as_of[row] if sent.as_of is not None else None,
        "features": {name: one for name, values in sent.features.items() if (one := float(values[row])) == one},
    }
    return case_of(served.strict.validate(request), served, now)


def _is_possible(moment: Any, now: datetime) -> bool:
    return isinstance(moment, datetime) and YEARS[0] < moment.year <= YEARS[1] and moment <= now + CLOCK_SKEW
