"""A part of a source together with how its texts are read: from here to lines it is one expression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from models.import_plan import DiscountForm, Money
from training.reading import dates
from training.reading.dates import DateReading
from training.reading.lines import RAW_SCHEMA
from training.reading.number_format import NumberFormat
from training.reading.source_part import SourcePart
from training.reading.text_columns import customer, identifier, text

IDENTIFIERS = ("invoice", "product", "country", "currency")
NUMBERS = ("quantity", "price", "amount", "discount", "order_discount", "refund")


@dataclass(frozen=True)
class TypedPart:
    """`date` is None where the part's dates are dates already; `numbers` has the formats of fields that are text;
    `currency` is the one that stands in the cells of amounts."""

    part: SourcePart
    date: DateReading | None
    numbers: Mapping[str, NumberFormat]
    currency: str | None = None

    @property
    def formats(self) -> tuple[DateReading | None, Mapping[str, NumberFormat]]:
        """What decides how the part's texts are understood."""
        return self.date, self.numbers

    @property
    def fields(self) -> frozenset[str]:
        """The columns of `RAW_SCHEMA` that are not null throughout."""
        optional = {
            "status": self.part.status is not None,
            "rest": self.part.has_rest,
            "order_amount": self._money == "order_total",
            **{field: self._has(field) for field in (*IDENTIFIERS, "description", "order_discount", "refund")},
        }
        return frozenset(field for field in RAW_SCHEMA if optional.get(field, True))

    def lines(self, fields: Sequence[str]) -> Any:
        """The part's rows in so many of the columns of `RAW_SCHEMA`."""
        read = self._read(self._texts())
        quantity, price = self._quantity_and_price(read)
        values = {
            "invoice": self._optional(read, "invoice"),
            "product": self._optional(read, "product"),
            "description": self._optional(read, "description"),
            "quantity": quantity,
            "at": read["at"],
            "price": price,
            "customer": read.customer,
            "country": self._optional(read, "country"),
            "status": read.status if self.part.status is not None else ibis.null("string"),
            "rest": read.rest if self.part.has_rest else ibis.null("int64"),
            "unreadable": self._unreadable(read),
            "currency": self._optional(read, "currency"),
            "order_amount": read.amount_value if self._money == "order_total" else ibis.null("float64"),
            "order_discount": self._number(read, "order_discount"),
            "refund": self._number(read, "refund"),
        }
        return read.select(**{field: values[field].cast(RAW_SCHEMA[field]) for field in fields})

    def notes(self) -> list[str]:
        """Which columns were taken for what, and how dates and numbers are read."""
        taken = ", ".join(f"{field} from '{name}'" for field, name in self.part.columns.items())
        says = [self.date.says if self.date else "", *(one.says for one in self.numbers.values())]
        return [f"{self.part.where}: {taken}.", *filter(None, says)]

    def _has(self, field: str) -> bool:
        return field in self.part.columns

    @property
    def _money(self) -> Money:
        return self.part.money

    @property
    def _number_fields(self) -> list[str]:
        money = "price" if self._money == "unit_price" else "amount"
        wanted = ("quantity", money, "discount", "order_discount", "refund")
        return [field for field in wanted if self._has(field)]

    # Three selections, one upon the other, so that the engine does each piece of work once for a row.

    def _texts(self) -> Any:
        table = self.part.table
        fields = [field for field in (*IDENTIFIERS, "customer") if self._has(field)]
        columns = {field: text(table[field]) for field in fields}
        for field in [*self._number_fields, "at"]:
            columns[f"{field}_text"] = text(table[field])
            columns[field] = table[field]
        if self._has("description"):
            # As it is, spaces included: two lines are duplicates only if they are equal in the source.
            columns["description"] = table["description"].cast("string")
        if self.part.status is not None:
            columns["status"] = self.part.status
        if self.part.has_rest:
            columns["rest"] = table["rest"]
        return table.select(**columns)

    def _read(self, texts: Any) -> Any:
        at = self.date.value(texts.at_text) if self.date else dates.typed(texts["at"])
        values = {
            field: self.numbers.get(field, NumberFormat()).value(texts[field], texts[f"{field}_text"])
            for field in self._number_fields
        }
        return texts.mutate(
            at=at,
            customer=customer(texts.customer),
            **{field: identifier(texts[field]) for field in IDENTIFIERS if self._has(field)},
            **{f"{field}_value": value for field, value in values.items()},
        )

    def _optional(self, read: Any, field: str) -> Any:
        return read[field] if self._has(field) else ibis.null("string")

    def _number(self, read: Any, field: str) -> Any:
        return read[f"{field}_value"].abs() if self._has(field) else ibis.null("float64")

    def _quantity_and_price(self, read: Any) -> tuple[Any, Any]:
        """Units and the price of one. What is negative in quantity or amount is a return: negative in quantity."""
        stated = read.quantity_value if self._has("quantity") else ibis.literal(1.0)
        if self._money == "unit_price":
            return stated, self._less_discount(read, read.price_value, stated)
        if self._money == "order_total":
            return stated, ibis.literal(0.0)
        amount = read.amount_value
        sign = ibis.ifelse((stated < 0) | (amount < 0), -1.0, 1.0)
        each = self._less_discount(read, amount.abs() / stated.abs().nullif(0.0), stated)
        return stated.abs() * sign, each

    def _less_discount(self, read: Any, price: Any, quantity: Any) -> Any:
        if not self._has("discount"):
            return price
        off = read.discount_value.abs().fill_null(0.0)
        forms: Mapping[DiscountForm | None, Any] = {
            "amount": off / quantity.abs().nullif(0.0),
            "share": price.abs() * off,
            "percent": price.abs() * off / 100.0,
            None: ibis.literal(0.0),
        }
        reduced = ibis.greatest(price.abs() - forms[self.part.discount], 0.0)
        return ibis.ifelse(price < 0, -reduced, reduced)

    def _unreadable(self, read: Any) -> Any:
        """The first value that is there but cannot be read, in words; null where there is none."""
        problems = [
            _problem(field, read[f"{field}_value"], read[f"{field}_text"], "number") for field in self._number_fields
        ]
        return ibis.coalesce(*problems, _problem("date", read["at"], read.at_text, "date"))


def _problem(called: str, value: Any, written: Any, kind: str) -> Any:
    # Null for a missing value, its text being null.
    message = ibis.literal(f"{called} '") + written + f"' is not a {kind}"
    return ibis.ifelse(value.isnull(), message, ibis.null("string"))
