"""What clients send to be assigned: one customer, by features or by transactions."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    WithJsonSchema,
    create_model,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from models.customer.customer_id import EXACT_FLOAT, LONGEST, MISSING_IDS, customer_id, trimmed
from models.evidence import FeatureRecord
from models.features import FEATURE, LARGEST, MAIN_COUNTRY
from models.line import Line
from models.model import SegmentationModel
from models.table_reading import TableReading
from service.errors import Fault, InvalidRequest

LONGEST_TEXT = 200
LARGEST_LINE = 1e9
YEARS = (1900, 2200)
_PLAIN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_BARE_NUMBER = re.compile(r"\s*[+-]?[0-9._]*\s*")


def utc(moment: datetime) -> datetime:
    """The same in UTC, which is meant where no zone is told. Raises ValueError if its year in UTC must be wrong."""
    try:
        in_utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:  # before the year 1, or after 9999
        in_utc = moment
    if not YEARS[0] <= in_utc.year <= YEARS[1]:
        year = f"year {in_utc.year}" if in_utc.year == moment.year else f"year {in_utc.year}, in UTC,"
        raise ValueError(f"the {year} is not between {YEARS[0]} and {YEARS[1]}; correct the time")
    return in_utc


def _moment(value: object) -> object:
    # A bare number, in quotes or not, would be read as seconds since 1970: 20111209 as a day in August of that year.
    if not isinstance(value, (str, datetime)) or (isinstance(value, str) and _BARE_NUMBER.fullmatch(value)):
        raise ValueError("must be a time such as 2011-12-09T12:50:00Z, in quotes")
    return value


def plain_moment(text: str) -> datetime:
    """A time in UTC. Raises ValueError for one that is not of the plainest form, or of a year that none can be of."""
    if not _PLAIN.fullmatch(text):
        raise ValueError("is not of the plainest form")
    return utc(datetime.fromisoformat(text))


Moment = Annotated[datetime, AfterValidator(utc)]
Text = Annotated[
    str,
    Field(max_length=LONGEST_TEXT),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": LONGEST_TEXT}, {"type": "number"}]}),
]
Blank = Annotated[str, Field(pattern=r"^ *$")]
Amount = Annotated[StrictFloat, Field(ge=-LARGEST_LINE, le=LARGEST_LINE, allow_inf_nan=False)]


# Looked at, and brought to its one form, by `case_of`.
CustomerId = Annotated[
    Any,
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": LONGEST}, {"type": "integer"}]}),
]


def is_plain_id(sent: object) -> bool:
    """Whether an id is letters and digits, as nearly all are: then it is in its one form."""
    return type(sent) is str and sent.isalnum() and len(sent) <= LONGEST and sent not in MISSING_IDS


def plain_customer_id(sent: object) -> str:
    """The customer's id in its one form. Raises InvalidRequest for an id nobody can have."""
    if is_plain_id(sent):
        return str(sent)
    if isinstance(sent, bool) or not isinstance(sent, (str, int, float)):
        raise InvalidRequest([Fault("/customer_id", "must be text or a whole number")])
    if isinstance(sent, float) and not sent.is_integer():  # nor is NaN, nor infinity
        raise InvalidRequest([Fault("/customer_id", f"is {sent:g}, and must be text or a whole number")])
    if isinstance(sent, float) and abs(sent) >= EXACT_FLOAT:
        detail = f"is {sent:g}, a number of which digits may be lost; send it as text"
        raise InvalidRequest([Fault("/customer_id", detail)])
    if not isinstance(sent, str) and abs(sent) >= 10**LONGEST:
        raise InvalidRequest([Fault("/customer_id", f"a customer id has at most {LONGEST} characters")])
    try:
        return customer_id(sent if isinstance(sent, str) else str(int(sent)))
    except ValueError as error:
        raise InvalidRequest([Fault("/customer_id", str(error))]) from error


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Transaction(_Sent):
    """A line of one of the customer's invoices, as the shop's export has it. Times without a zone are UTC."""

    invoice_no: Text | None = Field(None, description="Lines of one invoice make one order.")
    stock_code: Text | None = Field(None, description="The product; case matters.")
    quantity: Amount = Field(description="Units; negative on a return.")
    invoice_date: Moment
    unit_price: Amount = Field(description="Price of one unit, in the shop's currency; may be negative on a return.")
    description: Text | None = None
    country: Text | None = None
    status: Text | None = Field(None, description="What became of the order, in a word of the data the model is of.")

    _is_text = field_validator("invoice_date", mode="before")(_moment)

    def line(self) -> Line:
        """The line as cleaning and folding take it: empty text is no text."""
        return Line(
            invoice=_told(self.invoice_no),
            product=_told(self.stock_code),
            quantity=self.quantity,
            at=self.invoice_date.timestamp(),
            price=self.unit_price,
            country=_told(self.country),
            description=_told(self.description),
            status=_told(self.status),
        )


# As JSON Schema says it; `case_of` asks it of a request, for a tenth of what a validator here would cost.
_EXACTLY_ONE: Any = {
    "oneOf": [
        {"required": [one], "properties": {one: {"type": kind}, other: {"type": "null"}}}
        for one, kind, other in (("features", "object", "transactions"), ("transactions", "array", "features"))
    ]
}


class SegmentRequest(_Sent):
    """One customer to assign. Exactly one of `features` and `transactions` says what the customer did."""

    model_config = ConfigDict(json_schema_extra=_EXACTLY_ONE)

    customer_id: CustomerId = Field(
        description="As the shop writes it; `17850`, `17850.0` and ` 17850 ` are one customer, and so "
        "are `Dora@Example.org` and `dora@example.org`."
    )
    as_of: Moment | None = Field(None, description="The moment the features hold for; default: now.")
    features: Any = None
    transactions: list[Transaction] | None = Field(None, min_length=1)

    _is_text = field_validator("as_of", mode="before")(lambda value: None if value is None else _moment(value))

    def lines(self) -> Sequence[Line]:
        """The transactions as cleaning and folding take them."""
        return [sent.line() for sent in self.transactions or ()]


class TableRequest(SegmentRequest):
    """One customer to assign, by the columns of the table that the model was made of."""

    model_config = ConfigDict(json_schema_extra={"required": ["customer_id", "features"]})

    transactions: SkipJsonSchema[Any] = None  # `case_of` says to send features

    def lines(self) -> Sequence[Line]:
        """None: whatever was sent, it is refused."""
        return ()


def request_type(model: SegmentationModel, max_transactions: int) -> type[SegmentRequest]:
    """The request this model understands: its own features by name, each with its bounds.

    The features that decide the segment are required; others the model knows may be sent and are stored.
    """
    # A dictionary and not a model: a batch has ten thousand of them, and one costs half.
    features = TypedDict("Features", _feature_fields(model))  # type: ignore[misc]  # known only when a model is loaded
    features.__pydantic_config__ = ConfigDict(extra="forbid", coerce_numbers_to_str=True)  # type: ignore[attr-defined]
    if model.manifest.source == "customers":
        return create_model(
            "SegmentRequest",
            __base__=TableRequest,
            __doc__=TableRequest.__doc__,
            features=(features | None, Field(None, description="The customer's values, by the names of the columns.")),
        )
    return create_model(
        "SegmentRequest",
        __base__=SegmentRequest,
        __doc__=SegmentRequest.__doc__,
        features=(features | None, Field(None, description="Feature values at `as_of`, by name.")),
        transactions=(
            Annotated[list[Transaction], Field(fail_fast=True)] | None,  # its faults are looked for one by one
            Field(None, min_length=1, max_length=max_transactions, description="All the customer's lines."),
        ),
    )


def _feature_fields(model: SegmentationModel) -> Mapping[str, Any]:
    fields: dict[str, Any] = {}
    of_table = model.manifest.source == "customers"
    reading = model.manifest.table or TableReading(id=None)
    for record in model.manifest.features:
        kind = _kind_in_table(model, record) if of_table else _kind(record.name)
        said = f"{record.formula} [{record.unit}]" if record.unit else record.formula
        if record.clusters:
            known = BeforeValidator(partial(_known, reading), json_schema_input_type=kind)
            fields[record.name] = Required[
                Annotated[kind, *([known] if reading.missing else []), Field(description=said)]
            ]
        else:
            fields[record.name] = NotRequired[_describing(kind, f"{said}; describes only", reading)]
    if not of_table:
        fields[MAIN_COUNTRY] = NotRequired[_describing(Text, "Country of most lines; describes only", reading)]
    return fields


def _describing(kind: Any, said: str, reading: TableReading) -> Any:
    """The type of a feature that only describes: null, a blank text and what stands for a missing value are None."""
    missing = BeforeValidator(
        lambda value: None if reading.is_missing(value) else value, json_schema_input_type=kind | Blank | None
    )
    return Annotated[kind | None, missing, Field(description=said)]


def _known(reading: TableReading, value: object) -> object:
    if reading.is_missing(value):
        raise ValueError(
            f"is {value!r}, which stands for a missing value in the table that the model was made of; send the value"
        )
    return value


def _kind(name: str) -> Any:
    known = FEATURE.get(name)
    low, high = (known.low, known.high) if known else (-LARGEST, LARGEST)
    return Annotated[StrictFloat, Field(ge=low, le=high, allow_inf_nan=False)]


def _kind_in_table(model: SegmentationModel, record: FeatureRecord) -> Any:
    """A number of any size that training takes, one of the words that decide, or any word that only describes."""
    if record.levels:
        return Literal[record.levels]
    if record.name not in model.manifest.ranges:
        return Text
    return Annotated[StrictFloat, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]


def _told(text: str | None) -> str | None:
    return (trimmed(text) or None) if text is not None else None
