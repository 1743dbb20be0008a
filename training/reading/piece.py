"""A part together with how its texts are read: from here to lines it is one expression."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis

from training.reading import dates
from training.reading.dates import DateReading
from training.reading.lines import SCHEMA
from training.reading.number_format import NumberFormat
from training.reading.part import Part
from training.reading.texts import identifier, text

IDENTIFIERS = ("invoice", "product", "customer", "country")


@dataclass(frozen=True)
class Piece:
    """`date` is None where the part's dates are dates already."""

    part: Part
    date: DateReading | None
    numbers: Mapping[str, NumberFormat]

    @property
    def readings(self) -> tuple[DateReading | None, Mapping[str, NumberFormat]]:
        """What decides how the part's texts are understood."""
        return self.date, self.numbers

    def moments(self) -> Any:
        """A table of one column, `at`: the moment of each row, in UTC and without a zone."""
        return self._read(self._texts())[["at"]]

    def lines(self, by_moment: bool) -> Any:
        """The part's rows in the columns of `SCHEMA`.

        Without an invoice column, `by_moment` tells whether one is made of customer and moment, or day.
        """
        read = self._read(self._texts())
        values = {
            "invoice": read.invoice if self._has("invoice") else self._order(read, by_moment),
            "product": self._optional(read, "product"),
            "description": self._optional(read, "description"),
            "quantity": read.quantity_value if self._has("quantity") else ibis.literal(1.0),
            "at": read["at"],
            "price": self._price(read),
            "customer": read.customer,
            "country": self._optional(read, "country"),
            "unreadable": self._unreadable(read),
        }
        return read.select(**{name: value.cast(SCHEMA[name]) for name, value in values.items()})

    def notes(self) -> list[str]:
        """Which columns were taken for what, and how dates and numbers are read."""
        taken = ", ".join(f"{field} from '{name}'" for field, name in self.part.columns.items())
        says = [self.date.says if self.date else "", *(one.says for one in self.numbers.values())]
        return [f"{self.part.where}: {taken}.", *filter(None, says)]

    def _has(self, field: str) -> bool:
        return field in self.part.columns

    @property
    def _money(self) -> str:
        # Without a quantity the line total says more than the price of one.
        enough = self._has("price") and self._has("quantity")
        return "price" if enough or not self._has("amount") else "amount"

    @property
    def _number_fields(self) -> list[str]:
        return [field for field in ("quantity", self._money) if self._has(field)]

    # Three selections, one upon the other, so that the engine does each piece of work once for a row.

    def _texts(self) -> Any:
        table = self.part.table
        columns = {field: text(table[field]) for field in IDENTIFIERS if self._has(field)}
        for field in [*self._number_fields, "at"]:
            columns[f"{field}_text"] = text(table[field])
            columns[field] = table[field]
        if self._has("description"):
            # As it is, spaces included: two lines are duplicates only if they are equal in the source.
            columns["description"] = table["description"].cast("string")
        return table.select(**columns)

    def _read(self, texts: Any) -> Any:
        at = self.date.value(texts.at_text) if self.date else dates.typed(texts["at"])
        values = {
            field: self.numbers.get(field, NumberFormat()).value(texts[field], texts[f"{field}_text"])
            for field in self._number_fields
        }
        return texts.mutate(
            at=at,
            **{field: identifier(texts[field]) for field in IDENTIFIERS if self._has(field)},
            **{f"{field}_value": value for field, value in values.items()},
        )

    def _optional(self, read: Any, field: str) -> Any:
        return read[field] if self._has(field) else ibis.null("string")

    def _order(self, read: Any, by_moment: bool) -> Any:
        return read.customer + "@" + read["at"].strftime("%Y-%m-%dT%H:%M:%S" if by_moment else "%Y-%m-%d")

    def _price(self, read: Any) -> Any:
        money = read[f"{self._money}_value"]
        if self._money == "price" or not self._has("quantity"):
            return money
        return money / read.quantity_value.nullif(0.0)

    def _unreadable(self, read: Any) -> Any:
        """The first value that is there but cannot be read, in words; null where there is none."""
        told = [_told(field, read[f"{field}_value"], read[f"{field}_text"], "number") for field in self._number_fields]
        return ibis.coalesce(*told, _told("date", read["at"], read.at_text, "date"))


def _told(called: str, value: Any, written: Any, kind: str) -> Any:
    # Null for a missing value, its text being null.
    said = ibis.literal(f"{called} '") + written + f"' is not a {kind}"
    return ibis.ifelse(value.isnull(), said, ibis.null("string"))
