"""Answers as JSON, in one go: what depends on the model, a segment or a feature alone was encoded beforehand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from models.explanation import Explainer, Typical, outside_training
from models.model import SegmentationModel
from models.outlook import Decay, NextSegment
from service.advice import Advice
from service.assigned import Assigned

NO_DECAY = '"decays_on":null,"becomes":null,'


class _Phrase(NamedTuple):
    """The JSON of a reason, cut where the customer's value, its contribution and its words go."""

    before_value: str
    before_contribution: str
    before_words: str
    after_words: str


class AnswerEncoder:
    """Encodes an `AnswerRecord` for one model; about a third of the time of encoding all of it each time."""

    def __init__(self, model: SegmentationModel, explainer: Explainer, advice: Advice) -> None:
        self._explainer = explainer
        self._advice = advice
        self._ranges = model.manifest.ranges
        self._bounds = [(name, low, high) for name, (low, high) in self._ranges.items()]
        self._version = _json(model.version)
        self._names = [_json({"id": one.id, "name": one.name}) for one in model.segments]
        self._shares = [f'{name[:-1]},"share":' for name in self._names]
        self._to_runner_up = model.scorer.arrays.membership.to_runner_up
        self._contributions = ",".join(f"{_json(name).replace('%', '%%')}:%.4f" for name in model.features)
        self._latest = (datetime.min, "")  # noqa: DTZ901  (no moment that is ever asked for)
        self._phrases = [[_phrase(typical) for typical in of_segment] for of_segment in explainer.typical]

    def encode(self, assigned: Assigned) -> str:
        """The answer that the row stores."""
        case, row, nearest, second, contributions, strongest, decay, following = assigned
        features: Mapping[str, Any] = case.features
        # looked for here, and only then told: hardly a customer has one
        get = features.get
        beyond = any([not low <= get(name, low) <= high for name, low, high in self._bounds])  # noqa: C419  (faster)
        outside = _json([one._asdict() for one in outside_training(features, self._ranges)]) if beyond else "[]"
        return (
            f'{{"assignment_id":"{row.id}","customer_id":{_text(row.customer_id)},"as_of":"{self._moment(case.as_of)}",'
            f'"model_version":{self._version},"segment":{self._names[nearest]},"confidence":{row.confidence!r},'
            f'"runner_up":{self._names[second]},"membership":{self._membership(nearest, second, row.confidence)},'
            f'"reasons":[{self._reasons(case.values, nearest, contributions, strongest)}],'
            f'"contributions":{{{self._contributions % tuple(contributions)}}},"margin":{_margin(contributions):.4f},'
            f"{self._decay(decay) if decay else NO_DECAY}"
            f'"next_segment":{self._following(following) if following else "null"},"outside_training":{outside},'
            f'"recommendation":{self._advice.of_customer(nearest, row.customer_id, features, row.products)},'
            f'"features":{row.features},"ignored":{_json(case.ignored) if case.ignored else "{}"}}}'
        )

    def _membership(self, nearest: int, second: int, confidence: float) -> str:
        rest = round((1.0 - confidence) * self._to_runner_up, 4)
        return f"[{self._shares[nearest]}{confidence!r}}},{self._shares[second]}{rest!r}}}]"

    def _decay(self, decay: Decay) -> str:
        return f'"decays_on":"{decay.on}","becomes":{self._names[decay.becomes]},'

    def _following(self, following: NextSegment) -> str:
        orders, spend = following
        by_orders = by_spend = "null"
        if orders is not None:
            by_orders = (
                f'{{"orders":{orders.orders},"order_value":{orders.order_value!r},'
                f'"segment":{self._names[orders.becomes]}}}'
            )
        if spend is not None:
            by_spend = f'{{"spend":{spend.spend},"segment":{self._names[spend.becomes]}}}'
        return f'{{"by_orders":{by_orders},"by_spend":{by_spend}}}'

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
            before_value, before_contribution, before_words, after_words = phrases[index]
            value, known = values[index], typical[index]
            words = known.measure(value)
            said.append(
                f"{before_value}{value!r}{before_contribution}{contributions[index]:.4f}"
                f"{before_words}{_inside(words) if known.in_words else words}{after_words}"
            )
        return ",".join(said)


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, as every time in an answer is written."""
    return moment.isoformat().replace("+00:00", "Z")


def _margin(contributions: Sequence[float]) -> float:
    return max(sum(contributions), 0.0)  # on a border, rounding could make it less than nothing


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


def _inside(words: str) -> str:
    return _json(words)[1:-1]  # a word of a table's column may have quotes


def _json(value: object) -> str:
    return to_json(value).decode()
