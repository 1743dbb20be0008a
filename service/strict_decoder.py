"""Decodes every request that may be sent, and says what is wrong with the others."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from models.features import MAIN_COUNTRY
from models.model import SegmentationModel
from service.errors import Fault, InvalidRequest
from service.faults import MOST, faults_of, first_faults, too_many_transactions
from service.json_structure import TooMuchJson, check_size
from service.request import SegmentRequest, Transaction
from service.request_decoder import DecodedRequest
from service.strict_json import decode_json, may_repeat_keys

BOM = b"\xef\xbb\xbf"
# Brackets and commas: of a transaction with all its fields at most, and of all that is no transaction.
SEPARATORS_OF_TRANSACTION = 10
OTHER_SEPARATORS = 10_000


class StrictDecoder:
    """Its work and its memory are bounded by what a request may hold, whatever is sent."""

    def __init__(self, request_type: type[SegmentRequest], model: SegmentationModel, most_transactions: int) -> None:
        self._type = request_type
        self._features = {*(record.name for record in model.manifest.features), MAIN_COUNTRY}
        self._most = most_transactions
        self._separators = OTHER_SEPARATORS + SEPARATORS_OF_TRANSACTION * most_transactions

    def decode(self, body: bytes) -> DecodedRequest:
        """The request in a JSON text. Raises InvalidRequest."""
        body = body.removeprefix(BOM)
        with suppress(ValidationError):
            request = self._type.model_validate_json(body)
            if may_repeat_keys(body, _count_keys(request)):
                decode_json(body)
            return _decoded(request)
        return self.validate(decode_json(body))

    def validate(self, sent: Any) -> DecodedRequest:
        """The request in what was decoded before. Raises InvalidRequest."""
        with suppress(ValidationError):
            return _decoded(self._type.model_validate(sent))
        raise InvalidRequest(first_faults(self._faults(sent)))

    def check_size(self, body: bytes) -> None:
        """Raises InvalidRequest where a JSON text has more in it than any request."""
        try:
            check_size(body, self._separators, self._most)
            return
        except TooMuchJson as error:
            of_transactions = error.key == "transactions"
            fault = Fault(f"/{error.key}" if error.key else "", str(error))
        # Not raised from that error, whose traceback keeps the body: of a batch, errors are kept until it is answered.
        raise InvalidRequest([too_many_transactions(self._most) if of_transactions else fault])

    def _faults(self, sent: Any) -> list[Fault]:
        """The first faults, more than MOST of them if there are more. Not all: pydantic takes a kilobyte for each."""
        transactions = sent.get("transactions") if isinstance(sent, dict) else None
        if not transactions or not isinstance(transactions, list) or "transactions" not in self._type.model_fields:
            return _faults(self._type.model_validate, self._shortened(sent))
        faults = _faults(self._type.model_validate, self._shortened({**sent, "transactions": None}))
        if len(transactions) > self._most:
            return [*faults, too_many_transactions(self._most)]
        for index, transaction in enumerate(transactions):
            if len(faults) > MOST:
                break
            shortened = _shortened(transaction, Transaction.model_fields)
            faults += _faults(Transaction.model_validate, shortened, f"/transactions/{index}")
        return faults

    def _shortened(self, sent: Any) -> Any:
        shortened = _shortened(sent, self._type.model_fields)
        if isinstance(shortened, dict) and "features" in shortened:
            shortened["features"] = _shortened(shortened["features"], self._features)
        return shortened


def _shortened(sent: Any, known: Collection[str]) -> Any:
    """An object with few of the keys that are not known."""
    if not isinstance(sent, dict):
        return sent
    unknown = [name for name in sent if name not in known][: MOST + 1]
    return {name: sent[name] for name in (*filter(sent.__contains__, known), *unknown)}


def _faults(validate: Callable[[Any], Any], sent: Any, place: str = "") -> list[Fault]:
    try:
        validate(sent)
    except ValidationError as error:
        return [fault._replace(pointer=place + fault.pointer) for fault in faults_of(error.errors(include_url=False))]
    return []


def _count_keys(request: SegmentRequest) -> int:
    features: Mapping[str, Any] = request.features or {}
    # Of a model of a table of customers they may be anything: it refuses them.
    sent: Any = request.transactions
    transactions = [line for line in sent if isinstance(line, Transaction)] if isinstance(sent, list) else []
    return len(request.model_fields_set) + len(features) + sum(len(line.model_fields_set) for line in transactions)


def _decoded(request: SegmentRequest) -> DecodedRequest:
    lines = None if request.transactions is None else request.lines()
    return DecodedRequest(request.customer_id, request.as_of, request.features, lines)
