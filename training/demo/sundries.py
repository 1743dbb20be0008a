"""What else is in the export: charges, stock corrections, lines entered twice."""

import numpy as np

from training.demo.catalogue import Catalogue
from training.demo.charges import CHARGES, Charge
from training.demo.clock import Bools, Ints
from training.demo.ledger import NOBODY, PREFIXES, Invoices, Lines, Sheet
from training.demo.shoppers import NO_NUMBER, Shoppers

CHARGED_AFTER = 3.0  # mean trading days from an order to an invoice of charges about it
NOTES_PER_ORDER = 0.10
NOTE_FOUND_SHARE = 0.45  # the others are losses, of negative quantity
TWICE_SHARE = 0.01


def charge_lines(rng: np.random.Generator, orders: Invoices, shoppers: Shoppers, catalogue: Catalogue) -> Lines:
    """The charges that are lines on the orders themselves."""
    return Lines.joined(
        [
            _lines(rng, np.flatnonzero(_concerned(rng, charge, orders, shoppers)), charge, catalogue.charge(index))
            for index, charge in enumerate(CHARGES)
            if charge.own_invoice is None
        ]
    )


def charge_sheets(
    rng: np.random.Generator, orders: Invoices, shoppers: Shoppers, catalogue: Catalogue, total: float
) -> list[Sheet]:
    """The charges that have invoices of their own, one each, some time after an order."""
    sheets = []
    for index, charge in enumerate(CHARGES):
        if charge.own_invoice is not None:
            moment = orders.moment + rng.exponential(CHARGED_AFTER, size=len(orders))
            order = np.flatnonzero(_concerned(rng, charge, orders, shoppers) & (moment <= total))
            invoices = Invoices(
                shopper=np.full(len(order), NOBODY) if charge.whose == "nobody" else orders.shopper[order],
                moment=moment[order],
                prefix=np.full(len(order), PREFIXES.index(charge.own_invoice)),
            )
            sheets.append(Sheet(invoices, _lines(rng, np.arange(len(order)), charge, catalogue.charge(index))))
    return sheets


def stock_notes(rng: np.random.Generator, orders: int, catalogue: Catalogue, total: float) -> Sheet:
    """Corrections of the stock: nobody's, of price zero, with a note or nothing for a description."""
    size = int(rng.poisson(NOTES_PER_ORDER * orders))
    pieces = rng.geometric(0.05, size=size)
    lines = Lines(
        invoice=np.arange(size),
        code=catalogue.any_product(rng, size),
        description=catalogue.notes(rng, size),
        quantity=np.where(rng.random(size) < NOTE_FOUND_SHARE, pieces, -pieces),
        pence=np.zeros(size, dtype=np.int64),
    )
    invoices = Invoices(
        shopper=np.full(size, NOBODY), moment=total * rng.random(size), prefix=np.zeros(size, dtype=np.int64)
    )
    return Sheet(invoices, lines)


def entered_twice(rng: np.random.Generator, lines: Lines) -> Lines:
    """Exact duplicates of some of `lines`."""
    return lines.taken(np.flatnonzero(rng.random(len(lines)) < TWICE_SHARE))


def _concerned(rng: np.random.Generator, charge: Charge, orders: Invoices, shoppers: Shoppers) -> Bools:
    known, abroad = shoppers.number[orders.shopper] != NO_NUMBER, shoppers.country[orders.shopper] != 0
    everyone = np.ones(len(orders), dtype=np.bool_)
    whose = {"customer": known, "guest": ~known, "abroad": abroad, "anyone": everyone, "nobody": everyone}
    concerned: Bools = whose[charge.whose] & (rng.random(len(orders)) < charge.chance)
    return concerned


def _lines(rng: np.random.Generator, invoice: Ints, charge: Charge, number: int) -> Lines:
    low, high = np.log(abs(charge.low)), np.log(abs(charge.high))
    pence = np.sign(charge.low) * np.exp(low + (high - low) * rng.random(len(invoice)))
    return Lines(
        invoice=invoice,
        code=np.full(len(invoice), number),
        description=np.full(len(invoice), number),
        quantity=np.full(len(invoice), charge.quantity),
        pence=np.rint(pence).astype(np.int64),
    )
