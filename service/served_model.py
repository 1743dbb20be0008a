"""A model ready to answer: what depends on the model or the segment alone is prepared here, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from models.category import collapse
from models.explanation import Explainer
from models.forecast.transitions import TransitionForecast
from models.model import SegmentationModel
from models.playbook import Playbooks
from service.advice import Advice
from service.answer_encoder import AnswerEncoder
from service.customers_decoder import CustomersDecoder
from service.forms.sent_columns import SentColumns
from service.json_structure import LARGE
from service.request import request_type
from service.request_decoder import DecodedRequest, RequestDecoder
from service.strict_decoder import StrictDecoder


class ServedModel:
    """One version with its explainer, its request type and the prepared parts of its answers."""

    def __init__(self, model: SegmentationModel, playbooks: Playbooks | None, limits: "Limits") -> None:
        """`playbooks`, where given, stand in for those stored with the model."""
        self.model = model
        self.limits = limits
        self.conventions = model.manifest.conventions
        self.outlook = _outlook(model)
        self.explainer = Explainer(model.scorer, model.segments, model.manifest.base, model.columns)
        self.names = [(segment.id, segment.name) for segment in model.segments]
        self.request_type = request_type(model, limits.transactions)
        self.strict = StrictDecoder(self.request_type, model, limits.transactions)
        of_shop = model.manifest.source == "transactions"
        self._quick = RequestDecoder(model, limits.transactions) if of_shop else None
        self._customers = CustomersDecoder(model) if of_shop else None
        self.advice = Advice(model, playbooks or model.playbooks)
        self.encoder = AnswerEncoder(model, self.explainer, self.advice)
        # By the index of the segment: what is offered to customers of whom only features are known.
        self.products = [_codes(self.advice.of_segment(index)) for index in range(len(self.names))]

    def decode(self, body: bytes) -> DecodedRequest:
        """One request. Raises InvalidRequest."""
        if len(body) > LARGE:
            self.strict.check_size(body)
        sent = self._quick.decode(body) if self._quick is not None else None
        return self.strict.decode(body) if sent is None else sent  # it may be wrong, or right in another way

    def decode_list(self, body: bytes) -> SentColumns | None:
        """Requests in a JSON list where all of them are of the usual form with features; else None."""
        return self._customers.decode(body) if self._customers else None

    def decode_lines(self, lines: Sequence[bytes]) -> SentColumns | None:
        """The same of one request a line."""
        return self._customers.decode_lines(lines) if self._customers else None

    def index_of(self, segment_id: int) -> int:
        """Where the segment with this id stands among the model's. Raises UnknownSegment."""
        return self.model.segments.index(self.model.segment(segment_id))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may hold."""

    batch: int
    transactions: int


def _outlook(model: SegmentationModel) -> TransitionForecast | None:
    """None for a table of customers: what its columns do in time, or with an order, nobody has said."""
    if model.manifest.source != "transactions":
        return None
    return TransitionForecast(model.scorer, [one.profitability_rank or 0 for one in model.segments])


def _codes(advice: str) -> str:
    return " ".join(from_json(advice)["products"])


def examples(model: SegmentationModel) -> Mapping[str, Any]:
    """Requests that can be sent as they are: a customer of the model by features, and one by transactions.

    A model of a table of customers takes features only.
    """
    values, as_of = model.reference.values[0], model.manifest.as_of
    first: Mapping[str, Any] = dict(zip(model.features, values, strict=True))
    if model.columns:
        first = collapse(model.columns, model.levels, values)
    by_features = {
        "summary": "by features",
        "value": {"customer_id": "17850", "features": first, "as_of": as_of.isoformat()},
    }
    if model.columns or model.manifest.data_last is None:
        return {"features": by_features}
    return {
        "features": by_features,
        "transactions": {
            "summary": "by transactions",
            "value": {
                "customer_id": "17850",
                "as_of": as_of.isoformat(),
                "transactions": [
                    {
                        "invoice_no": "536365",
                        "stock_code": "85123A",
                        "quantity": 6,
                        "invoice_date": model.manifest.data_last.isoformat(),
                        "unit_price": 2.55,
                        "country": "United Kingdom",
                    }
                ],
            },
        },
    }
