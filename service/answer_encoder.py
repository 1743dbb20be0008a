"""Answers as JSON, in one go: what depends on the model, a segment or a feature alone was encoded beforehand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from models.explanation import Explainer, Typical, outside_training
from models.model import SegmentationModel

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
        self._version = _json(model.version)
        self._names = [_json({"id": one.id, "name": one.name}) for one in model.segments]
        self._recommendations = [_json(one) for one in recommendations]
        self._phrases = [[_phrase(typical) for typical in of_segment] for of_segment in explainer.typical]

    def encode(
        self,
        *,
        assignment_id: str,
        customer_id: str,
        as_of: datetime,
        values: Sequence[float],
        nearest: int,
        second: int,
        contributions: Sequence[float],
        confidence: float,
        features: Mapping[str, float | str],
        features_json: str,
        ignored: Mapping[str, int],
    ) -> bytes:
        """The answer. `nearest` and `second` index the model's segments; `values` and `contributions` are in the
        order of its features; `features_json` is `features` encoded."""
        outside = outside_training(features, self._ranges)
        return (
            f'{{"assignment_id":"{assignment_id}","customer_id":{_json(customer_id)},"as_of":"{utc_text(as_of)}",'
            f'"model_version":{self._version},"segment":{self._names[nearest]},"confidence":{confidence!r},'
            f'"runner_up":{self._names[second]},"reasons":[{self._reasons(values, nearest, contributions)}],'
            f'"outside_training":{_json([one._asdict() for one in outside]) if outside else "[]"},'
            f'"recommendation":{self._recommendations[nearest]},"features":{features_json},'
            f'"ignored":{_json(ignored) if ignored else "{}"}}}'
        ).encode()

    def _reasons(self, values: Sequence[float], nearest: int, contributions: Sequence[float]) -> str:
        typical, phrases = self._explainer.typical[nearest], self._phrases[nearest]
        said = []
        for index in self._explainer.strongest(contributions):
            phrase, value = phrases[index], values[index]
            said.append(
                f"{phrase.before_value}{value!r}{phrase.before_contribution}{round(contributions[index], 4)!r}"
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


def _json(value: object) -> str:
    return to_json(value).decode()
