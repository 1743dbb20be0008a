"""Answers as JSON, in one go: what depends on the model, a segment or a feature alone was encoded beforehand."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from models.explanation import Explainer, Typical, outside_training
from models.forecast.transitions import NextSegment
from models.model import SegmentationModel
from service.advice import Advice
from service.assigned import Assigned
from service.number_texts import share_text
from service.store.utc_time import utc_text as stored_text

NO_FRACTION = ".000000"
NOWHERE = (0, 0, 0.0)  # no orders, no segment
NO_DECAY = '"decays_on":null,"becomes":null,'
BY_ORDERS, ORDER_VALUE, BY_SPEND = '{"orders":', ',"order_value":', '{"spend":'
CONTRIBUTION_DECIMALS = 4
ROUNDED = f"z.{CONTRIBUTION_DECIMALS}f"  # what rounds to -0 is 0


class Phrase(NamedTuple):
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
        self.names = [_json({"id": one.id, "name": one.name}) for one in model.segments]
        self.to_runner_up = model.scorer.arrays.membership.to_runner_up
        self.placed = [[self._place(_json(model.version), one, other) for other in self.names] for one in self.names]
        self.contributions = ",".join([f"{_json(name).replace('%', '%%')}:%s" for name in model.features])
        self.phrases = [[_phrase(typical) for typical in of_segment] for of_segment in explainer.typical]
        self.leads_to = [f',"segment":{name}}}' for name in self.names]

    def encode(self, assigned: Assigned) -> str:
        """The answer that the row stores."""
        case, row, nearest, contributions = assigned.case, assigned.row, assigned.nearest, assigned.contributions
        decay, following = assigned.decay, assigned.following
        features: Mapping[str, Any] = case.features
        # looked for here, and only then told: hardly a customer has one
        beyond = any(not low <= features.get(name, low) <= high for name, low, high in self._bounds)
        outside = self.outside(features) if beyond else "[]"
        confidence = repr(row.confidence)
        rest = share_text((1.0 - row.confidence) * self.to_runner_up)
        before, between, after = self.placed[nearest][assigned.second]
        shares = [format(one, ROUNDED) for one in contributions]
        return (
            f'{{"assignment_id":"{row.id}","customer_id":{text_of(row.customer_id)},'
            f'"as_of":"{utc_text(case.as_of)}",{before}{confidence}{between}{confidence}{after}{rest}}}],'
            f'"reasons":[{self._reasons(case.values, nearest, shares, assigned.strongest)}],'
            f'"contributions":{{{self.contributions % tuple(shares)}}},'
            f'"margin":{format(_margin(contributions), ROUNDED)},'
            f"{NO_DECAY if decay is None else self.decay(decay.on, decay.becomes)}"
            f'"next_segment":{"null" if following is None else self._following(following)},'
            f'"outside_training":{outside},'
            f'"recommendation":{self._advice.of_customer(nearest, row.customer_id, features, row.products)},'
            f'"features":{row.features},"ignored":{_json(case.ignored) if case.ignored else "{}"}}}'
        )

    def outside(self, features: Mapping[str, Any]) -> str:
        """The values that no training customer had."""
        return _json([one._asdict() for one in outside_training(features, self._ranges)])

    def _place(self, version: str, here: str, other: str) -> tuple[str, str, str]:
        """What is said of a segment and a runner-up, cut where the confidence goes, where it goes again, and where the
        runner-up's share goes."""
        return (
            f'"model_version":{version},"segment":{here},"confidence":',
            f',"runner_up":{other},"membership":[{here[:-1]},"share":',
            f'}},{other[:-1]},"share":',
        )

    def decay(self, on: date, becomes: int) -> str:
        """Where the customer goes by buying nothing, and when."""
        return f'"decays_on":"{on}","becomes":{self.names[becomes]},'

    def following(self, orders: int, by_orders: int, order_value: float, spend: int, by_spend: int) -> str:
        """What moves the customer up; 0 orders, or nothing to spend, where that way does not."""
        way = f"{BY_ORDERS}{orders}{ORDER_VALUE}{order_value!r}{self.leads_to[by_orders]}" if orders else "null"
        other = f"{BY_SPEND}{spend}{self.leads_to[by_spend]}" if spend else "null"
        return f'{{"by_orders":{way},"by_spend":{other}}}'

    def _following(self, following: NextSegment) -> str:
        by_orders, by_spend = following
        orders, to_orders, value = NOWHERE if by_orders is None else by_orders
        spend, to_spend = NOWHERE[:2] if by_spend is None else by_spend
        return self.following(orders, to_orders, value, spend, to_spend)

    def _reasons(self, values: Sequence[float], nearest: int, shares: Sequence[str], strongest: Sequence[int]) -> str:
        typical, phrases = self._explainer.typical[nearest], self.phrases[nearest]
        said = []
        for index in strongest:
            before_value, before_contribution, before_words, after_words = phrases[index]
            value, known = values[index], typical[index]
            figure, words = repr(value), known.measure(value)
            said.append(
                f"{before_value}{figure}{before_contribution}{shares[index]}"
                f"{before_words}{inside(words) if known.in_words else words}{after_words}"
            )
        return ",".join(said)


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, as every time in an answer is written."""
    text = stored_text(moment)
    return text if moment.microsecond else text.replace(NO_FRACTION, "")


def _margin(contributions: Sequence[float]) -> float:
    return max(sum(contributions), 0.0)  # on a border, rounding could make it less than nothing


def _phrase(typical: Typical) -> Phrase:
    medians = f',"segment_median":{typical.segment_median!r},"base_median":{typical.base_median!r},"contribution":'
    return Phrase(
        f'{{"feature":{_json(typical.feature)},"value":',
        medians,
        f',"says":{_json(typical.said_before)[:-1]}',
        f"{_json(typical.said_after)[1:]}}}",
    )


def text_of(value: str) -> str:
    """A text as JSON."""
    return f'"{value}"' if value.isalnum() else _json(value)  # as nearly all ids are: nothing to escape


def inside(words: str) -> str:
    """Words as they stand inside a JSON text."""
    return _json(words)[1:-1]  # a word of a table's column may have quotes


def _json(value: object) -> str:
    return to_json(value).decode()
