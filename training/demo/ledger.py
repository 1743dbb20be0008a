"""The rows of one chunk: invoices, their lines, and their order in the file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from training.demo.catalogue import Catalogue
from training.demo.clock import Floats, Ints, TradingClock
from training.demo.columns import Columns
from training.demo.shoppers import NO_NUMBER, Shoppers

PREFIXES = ("", "C", "A")  # a sale, a cancellation, an adjustment
NOBODY = -1


@dataclass(frozen=True)
class Invoices(Columns):
    shopper: Ints  # place in the chunk's Shoppers, or NOBODY
    moment: Floats  # trading time
    prefix: Ints  # place in PREFIXES


@dataclass(frozen=True)
class Lines(Columns):
    invoice: Ints  # place in the Invoices they belong to
    code: Ints  # place in Catalogue.codes
    description: Ints  # place in Catalogue.descriptions
    quantity: Ints
    pence: Ints


@dataclass(frozen=True)
class Sheet:
    """Invoices with their lines; `lines.invoice` counts within this sheet."""

    invoices: Invoices
    lines: Lines

    @classmethod
    def joined(cls, sheets: Sequence["Sheet"]) -> "Sheet":
        before = np.cumsum([0, *(len(sheet.invoices) for sheet in sheets)])
        lines = Lines.joined([sheet.lines for sheet in sheets])
        shift = np.repeat(before[:-1], [len(sheet.lines) for sheet in sheets])
        invoices = Invoices.joined([sheet.invoices for sheet in sheets])
        return cls(invoices, replace(lines, invoice=lines.invoice + shift))


@dataclass(frozen=True)
class Ledger:
    """A chunk ready to write: invoices in order of time with rising numbers, lines in order of invoice."""

    FIRST_INVOICE: ClassVar[int] = 536_365

    number: Ints  # per invoice, without the prefix
    prefix: Ints
    minute: Ints  # since the first midnight
    customer: Ints  # customer number, or NO_NUMBER
    country: Ints
    lines: Lines  # `invoice` counts in the order of the arrays above
    catalogue: Catalogue

    @classmethod
    def of(
        cls, sheet: Sheet, shoppers: Shoppers, catalogue: Catalogue, clock: TradingClock, first_invoice: int
    ) -> "Ledger":
        minute = clock.minutes(sheet.invoices.moment)
        # Within a minute a sale comes before its cancellation.
        order = np.lexsort((sheet.invoices.prefix, minute))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        lines = replace(sheet.lines, invoice=rank[sheet.lines.invoice])
        invoices = sheet.invoices.taken(order)
        known = invoices.shopper != NOBODY
        return cls(
            number=first_invoice + np.arange(len(order)),
            prefix=invoices.prefix,
            minute=minute[order],
            customer=np.where(known, shoppers.number[invoices.shopper], NO_NUMBER),
            country=np.where(known, shoppers.country[invoices.shopper], 0),
            lines=lines.taken(np.argsort(lines.invoice, kind="stable")),
            catalogue=catalogue,
        )

    @property
    def rows(self) -> int:
        return len(self.lines)

    @property
    def invoices(self) -> int:
        return len(self.number)
