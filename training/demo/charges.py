"""Codes in the export that are no product: postage, fees, samples, corrections by hand."""

from dataclasses import dataclass
from typing import Literal

Whose = Literal["anyone", "customer", "guest", "abroad", "nobody"]
Prefix = Literal["", "C", "A"]


@dataclass(frozen=True)
class Charge:
    """One non-product code and how it comes about.

    `chance` is per order of those it concerns (`whose`). Without an invoice of its own the charge is a
    line on that order. Its price is log-uniform between `low` and `high` pence, both of one sign.
    """

    code: str
    description: str
    whose: Whose
    chance: float
    low: int
    high: int
    quantity: int = 1
    own_invoice: Prefix | None = None


CHARGES = (
    Charge("POST", "POSTAGE", "abroad", 0.60, 1500, 4000),
    Charge("C2", "CARRIAGE", "abroad", 0.06, 5000, 5000),
    Charge("DOT", "DOTCOM POSTAGE", "guest", 0.43, 1500, 90_000),
    Charge("M", "Manual", "anyone", 0.016, 50, 60_000),
    Charge("PADS", "PADS TO MATCH ALL CUSHIONS", "customer", 0.0003, 1, 1),
    Charge("M", "Manual", "anyone", 0.011, 100, 300_000, quantity=-1, own_invoice="C"),
    Charge("D", "Discount", "customer", 0.004, 200, 30_000, quantity=-1, own_invoice="C"),
    Charge("S", "SAMPLES", "nobody", 0.003, 300, 20_000, quantity=-1, own_invoice="C"),
    Charge("CRUK", "CRUK Commission", "customer", 0.001, 5000, 110_000, quantity=-1, own_invoice="C"),
    Charge("BANK CHARGES", "Bank Charges", "nobody", 0.001, 1500, 1500, own_invoice=""),
    Charge("BANK CHARGES", "Bank Charges", "nobody", 0.001, 500, 40_000, quantity=-1, own_invoice="C"),
    Charge("AMAZONFEE", "AMAZON FEE", "nobody", 0.0016, 500_000, 1_400_000, quantity=-1, own_invoice="C"),
    Charge("B", "Adjust bad debt", "nobody", 0.0001, 100_000, 1_200_000, own_invoice="A"),
    # Debt written off: here the price is negative, not the quantity.
    Charge("B", "Adjust bad debt", "nobody", 0.0001, -100_000, -1_200_000, own_invoice="A"),
)
