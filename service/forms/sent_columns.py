"""Many customers by features, column by column: what arrays can check and place without a request for each."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic_core import to_json

from models.features import FEATURE, LARGEST
from models.scorer import Placements
from service.assigned import Case
from service.assigning import CLOCK_SKEW, NOTHING_IGNORED, case_of
from service.errors import InvalidRequest
from service.faults import faults_of
from service.request import YEARS
from service.served_model import ServedModel
from service.store.assignment import Assignment

Values = NDArray[np.float64]


class SentColumns:
    """n customers: ids and moments as sent, and each feature's values with NaN where not known.

    A customer that arrays find anything wrong with is looked at again as a request of its own, which then says what.
    """

    def __init__(self, ids: Sequence[Any], as_of: Sequence[Any] | None, features: Mapping[str, Values]) -> None:
        self.sent_ids = ids
        self.sent_as_of = as_of
        self.features = features

    def __len__(self) -> int:
        return len(self.sent_ids)

    def checked(self, served: ServedModel, now: datetime) -> "CheckedColumns":
        """The customers with their faults."""
        plain = [one if type(one) is str and one.isalnum() and len(one) <= 256 else None for one in self.sent_ids]
        moments = [now] * len(self) if self.sent_as_of is None else [one or now for one in self.sent_as_of]
        doubtful = self._doubtful(served)
        if self.sent_as_of is not None:
            times = {moment: _is_possible(moment, now) for moment in set(moments)}
            doubtful |= ~np.array([times[moment] for moment in moments], dtype=np.bool_)
        wrong: dict[int, InvalidRequest] = {}
        for row in np.flatnonzero(doubtful | np.array([one is None for one in plain], dtype=np.bool_)).tolist():
            try:
                case = self._alone(row, served, now)
                plain[row], moments[row] = case.customer_id, case.as_of
            except InvalidRequest as error:
                plain[row], moments[row], wrong[row] = "", now, error
        return CheckedColumns([one or "" for one in plain], moments, self, wrong, served)

    def _doubtful(self, served: ServedModel) -> NDArray[np.bool_]:
        """Whose features are not all there, or beyond their bounds."""
        doubtful = np.zeros(len(self), dtype=np.bool_)
        for name, values in self.features.items():
            known = FEATURE.get(name)
            low, high = (known.low, known.high) if known else (-LARGEST, LARGEST)
            possible = (values >= low) & (values <= high)
            doubtful |= ~possible if name in served.model.deciding else ~(possible | np.isnan(values))
        return doubtful

    def _alone(self, row: int, served: ServedModel, now: datetime) -> Case:
        sent = {
            "customer_id": self.sent_ids[row],
            "as_of": self.sent_as_of[row] if self.sent_as_of is not None else None,
            "features": {name: one for name, values in self.features.items() if (one := float(values[row])) == one},
        }
        try:
            return case_of(served.request_type.model_validate(sent), served, now)
        except ValidationError as error:
            raise InvalidRequest(faults_of(error.errors(include_url=False))) from error


class CheckedColumns:
    """n customers of whom those in `wrong`, by their row, cannot be assigned; they have values that can be placed.

    `values` has shape (n, d), in the order of the scorer's features.
    """

    def __init__(
        self, ids: list[str], moments: list[datetime], sent: SentColumns, wrong: Mapping[int, InvalidRequest],
        served: ServedModel,
    ) -> None:  # fmt: skip
        self.ids, self.moments, self.wrong = ids, moments, wrong
        self._names = [name for name in served.model.described_by if name in sent.features]
        columns = [sent.features[name] for name in self._names]
        self.values = np.column_stack([sent.features[name] for name in served.model.features])
        self._columns = columns
        if wrong:
            self.values[list(wrong)] = served.model.reference.values[0]

    def __len__(self) -> int:
        return len(self.ids)

    def described(self) -> list[dict[str, float | str]]:
        """Each customer's features by name, those that are known."""
        rows = zip(*(column.tolist() for column in self._columns), strict=True)
        if any(np.isnan(column).any() for column in self._columns):
            return [{name: one for name, one in zip(self._names, row, strict=True) if one == one} for row in rows]
        return [dict(zip(self._names, row, strict=True)) for row in rows]

    def rows(
        self, ids: Sequence[str], known: Sequence[Mapping[str, float | str]], placed: Placements,
        confidence: Sequence[float], served: ServedModel, now: datetime,
    ) -> list[Assignment]:  # fmt: skip
        """What is to be stored of those that can be assigned; `known` is what `described` said."""
        version, names = served.model.version, served.names
        made = zip(
            ids, self.ids, self.moments, placed.nearest.tolist(), placed.second.tolist(), confidence, known, strict=True
        )
        rows = [
            Assignment._make(
                (assignment_id, customer_id, as_of, now, version, *names[nearest], *names[second], sure,
                 to_json(features).decode(), None)
            )
            for assignment_id, customer_id, as_of, nearest, second, sure, features in made
        ]  # fmt: skip
        return [row for index, row in enumerate(rows) if index not in self.wrong] if self.wrong else rows

    def cases(self) -> list[Case | Exception]:
        """Each customer to be assigned, or what is wrong."""
        found: list[Case | Exception] = [
            Case(customer_id, as_of, values, features, NOTHING_IGNORED)
            for customer_id, as_of, values, features in zip(
                self.ids, self.moments, self.values.tolist(), self.described(), strict=True
            )
        ]
        for row, error in self.wrong.items():
            found[row] = error
        return found


class Described(Sequence[Mapping[str, float | str]]):
    """What `described` says of the customers, worked out when it is first looked at: often nobody does."""

    def __init__(self, customers: CheckedColumns) -> None:
        self._customers = customers
        self._found: list[dict[str, float | str]] | None = None

    def __len__(self) -> int:
        return len(self._customers)

    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]

    def __iter__(self) -> Iterator[Mapping[str, float | str]]:
        return iter(self._all())

    def _all(self) -> list[dict[str, float | str]]:
        if self._found is None:
            self._found = self._customers.described()
        return self._found


def _is_possible(moment: Any, now: datetime) -> bool:
    return isinstance(moment, datetime) and YEARS[0] < moment.year <= YEARS[1] and moment <= now + CLOCK_SKEW
