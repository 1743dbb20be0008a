"""A model ready to answer: what depends on the model or the segment alone is prepared here, once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from models.category import collapse
from models.explanation import Explainer
from models.model import SegmentationModel
from models.outlook import Outlook
from models.playbook import Playbooks
from service.advice import Advice
from service.answer_encoder import AnswerEncoder
from service.customers_decoder import CustomersDecoder
from service.errors import Fault, InvalidRequest
from service.faults import faults_of
from service.forms.sent_columns import SentColumns
from service.request import SegmentRequest, request_type
from service.request_decoder import DecodedRequest, RequestDecoder


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
        one: TypeAdapter[SegmentRequest] = TypeAdapter(self.request_type)
        self._validate_one: Callable[[bytes], SegmentRequest] = one.validator.validate_json
        self._many: TypeAdapter[list[SegmentRequest]] = TypeAdapter(list[self.request_type])  # type: ignore[name-defined]
        of_shop = model.manifest.source == "transactions"
        self._quick = RequestDecoder(model, limits.transactions) if of_shop else None
        self._customers = CustomersDecoder(model) if of_shop else None
        self.advice = Advice(model, playbooks or model.playbooks)
        self.encoder = AnswerEncoder(model, self.explainer, self.advice)
        # By the index of the segment: what is offered to customers of whom only features are known.
        self.products = [_codes(self.advice.of_segment(index)) for index in range(len(self.names))]

    def decode(self, body: bytes) -> SegmentRequest | DecodedRequest:
        """One request. Raises InvalidRequest."""
        sent = self._quick.decode(body) if self._quick is not None else None
        if sent is not None:
            return sent  # anything else, and so all that is wrong, is decoded the documented way
        try:
            return self._validate_one(body)
        except ValidationError as error:
            raise InvalidRequest(faults_of(error.errors(include_url=False))) from error

    def decode_batch(self, body: bytes) -> SentColumns | list[SegmentRequest | InvalidRequest]:
        """The items of a JSON list, in order; each bad one by itself as what is wrong with it.

        Raises InvalidRequest where the body is not a list, or longer than a batch may be.
        """
        sent = self._customers.decode(body) if self._customers else None
        items: SentColumns | list[SegmentRequest | InvalidRequest] = self._items(body) if sent is None else sent
        if len(items) > self.limits.batch:
            raise InvalidRequest([_too_many(len(items), self.limits.batch)])
        return items

    def decode_lines(self, lines: Sequence[bytes]) -> SentColumns | None:
        """Requests, one a line, where all of them are of the usual form with features; else None."""
        return self._customers.decode_lines(lines) if self._customers else None

    def _items(self, body: bytes) -> list[SegmentRequest | InvalidRequest]:
        try:
            return list(self._many.validate_json(body))
        except ValidationError as error:
            return self._item_by_item(body, error)

    def index_of(self, segment_id: int) -> int:
        """Where the segment with this id stands among the model's. Raises UnknownSegment."""
        return self.model.segments.index(self.model.segment(segment_id))

    def _item_by_item(self, body: bytes, error: ValidationError) -> list[SegmentRequest | InvalidRequest]:
        wrong: dict[int, list[Mapping[str, Any]]] = {}
        for one in error.errors(include_url=False):
            if not one["loc"] or not isinstance(one["loc"][0], int):
                raise InvalidRequest(faults_of([one])) from error
            wrong.setdefault(one["loc"][0], []).append(one)
        sent: Sequence[Any] = from_json(body)
        return [
            InvalidRequest(faults_of(wrong[index], skip=1)) if index in wrong else self._validate_one(to_json(item))
            for index, item in enumerate(sent)
        ]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may hold."""

    batch: int
    transactions: int


def _outlook(model: SegmentationModel) -> Outlook | None:
    """None for a table of customers: what its columns do in time, or with an order, nobody has said."""
    if model.manifest.source != "transactions":
        return None
    return Outlook(model.scorer, [one.profitability_rank or 0 for one in model.segments])


def _codes(advice: str) -> str:
    return " ".join(from_json(advice)["products"])


def _too_many(count: int, most: int) -> Fault:
    return Fault("", f"the batch has {count:,} customers and may have at most {most:,}; send it in parts")


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
