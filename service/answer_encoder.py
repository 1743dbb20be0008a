"""Answers as JSON, in one go: what depends on the model, a segment or a feature alone was encoded beforehand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from models.explanation import Explainer, Typical, outside_training
from models.model import SegmentationModel
from service.store.assignment import Assignment

Recommendations = Sequence[Mapping[str, Any]]


class _Phrase(NamedTuple):
    """The JSON of a reason, cut where the customer's value, its contribution and its words go."""

    before_value: str
    before_contribution: str
    before_words: str
    after_words: str


class AnswerEncoder:
    """Encodes an `AnswerRecord` for one model; about a third of the time of encoding all of it each time."""

    def __init__(self, model: SegmentationModel, explainer: Explainer, recommendations: Recommendations) -> None:
        """`recommendations` are what to do about each segment, in the order of the model's segments."""
        self._explainer = explainer
        self._ranges = model.manifest.ranges
        self._bounds = [(name, low, high) for name, (low, high) in self._ranges.items()]
        self._version = _json(model.version)
        self._names = [_json({"id": one.id, "name": one.name}) for one in model.segments]
        self._recommendations = [_json(one) for one in recommendations]
        self._latest = (datetime.min, "")  # noqa: DTZ901  (no moment that is ever asked for)
        self._phrases = [[_phrase(typical) for typical in of_segment] for of_segment in explainer.typical]

    def encode(
        self,
        row: Assignment,
        as_of: datetime,
        values: Sequence[float],
        nearest: int,
        second: int,
        contributions: Sequence[float],
        strongest: Sequence[int],
        features: Mapping[str, Any],
        ignored: Mapping[str, int],
    ) -> str:
        """The answer that the row stores.

        `nearest` and `second` index the model's segments; `values` and `contributions` are in the order of its
        features, of which `strongest` are told; `features` are the row's, decoded.
        """
        # looked for here, and only then told: hardly a customer has one
        get = features.get
        beyond = any([not low <= get(name, low) <= high for name, low, high in self._bounds])  # noqa: C419  (faster)
        outside = _json([one._asdict() for one in outside_training(features, self._ranges)]) if beyond else "[]"
        return (
            f'{{"assignment_id":"{row.id}","customer_id":{_text(row.customer_id)},"as_of":"{self._moment(as_of)}",'
            f'"model_version":{self._version},"segment":{self._names[nearest]},"confidence":{row.confidence!r},'
            f'"runner_up":{self._names[second]},"reasons":[{self._reasons(values, nearest, contributions, strongest)}],'
            f'"outside_training":{outside},"recommendation":{self._recommendations[nearest]},'
            f'"features":{row.features},"ignored":{_json(ignored) if ignored else "{}"}}}'
        )

    def _moment(self, moment: datetime) -> str:
        """A batch has one moment for all its customers; it is written once."""
        known, text = self._latest
        if known is not moment:
            text = utc_text(moment)
            self._latest = (moment, text)
        return text

    def _reasons(
        self, values: Sequence[float], nearest: int, contributions: Sequence[float], strongest: Sequence[int]
    ) -> str:
        typical, phrases = self._explainer.typical[nearest], self._phrases[nearest]
        said = []
        for index in strongest:
            phrase, value = phrases[index], values[index]
            said.append(
                f"{phrase.before_value}{value!r}{phrase.before_contribution}{contributions[index]:.4f}"
                f"{phrase.before_words}{typical[index].measure(value)}{phrase.after_words}"
            )
        return ",".join(said)


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, as every time in an answer is written."""
    return moment.isoformat().replace("+00:00", "Z")


def _phrase(typical: Typical) -> _Phrase:
    medians = f',"segment_median":{typical.segment_median!r},"base_median":{typical.base_median!r},"contribution":'
    return _Phrase(
        f'{{"feature":{_json(typical.feature)},"value":',
        medians,
        f',"says":{_json(typical.said_before)[:-1]}',
        f"{_json(typical.said_after)[1:]}}}",
    )


def _text(value: str) -> str:
    return f'"{value}"' if value.isalnum() else _json(value)  # as nearly all ids are: nothing to escape


def _json(value: object) -> str:
    return to_json(value).decode()
