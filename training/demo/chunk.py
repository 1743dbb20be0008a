"""A run of customers, with the guests and the paperwork that go with their orders."""

from dataclasses import dataclass, replace

import numpy as np

from training.demo.baskets import fill_baskets
from training.demo.catalogue import Catalogue
from training.demo.clock import TradingClock
from training.demo.ledger import Invoices, Ledger, Lines, Sheet
from training.demo.purchases import Purchases
from training.demo.returns import send_back
from training.demo.shoppers import Shoppers
from training.demo.sundries import charge_lines, charge_sheets, entered_twice, stock_notes

GUESTS_PER_ORDER = 0.185


@dataclass(frozen=True)
class Chunk:
    first_customer: int  # counted from 0
    customers: int

    def ledger(self, rng: np.random.Generator, catalogue: Catalogue, clock: TradingClock, first_invoice: int) -> Ledger:
        """Everything the chunk's customers and guests cause over the clock's window."""
        shoppers, orders = self._orders(rng, catalogue, clock.total)
        sales = Sheet(orders, fill_baskets(rng, orders, shoppers, catalogue))
        besides = [charge_lines(rng, orders, shoppers, catalogue), entered_twice(rng, sales.lines)]
        sheet = Sheet.joined(
            [
                replace(sales, lines=Lines.joined([sales.lines, *besides])),
                send_back(rng, sales, len(shoppers), clock.total),
                *charge_sheets(rng, orders, shoppers, catalogue, clock.total),
                stock_notes(rng, len(orders), catalogue, clock.total),
            ]
        )
        return Ledger.of(sheet, shoppers, catalogue, clock, first_invoice)

    def _orders(self, rng: np.random.Generator, catalogue: Catalogue, total: float) -> tuple[Shoppers, Invoices]:
        bought = Purchases.draw(rng, self.customers, total)
        guests = int(rng.poisson(GUESTS_PER_ORDER * len(bought)))
        shoppers = Shoppers.joined(
            [
                Shoppers.customers(rng, catalogue, self.first_customer, self.customers),
                Shoppers.guests(rng, catalogue, guests),
            ]
        )
        orders = Invoices(
            shopper=np.concatenate((bought.customer, self.customers + np.arange(guests))),
            moment=np.concatenate((bought.moment, total * rng.random(guests))),
            prefix=np.zeros(len(bought) + guests, dtype=np.int64),
        )
        return shoppers, orders
