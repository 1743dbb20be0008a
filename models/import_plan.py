"""The import plan: which column of a source holds what, and the conventions that hold in it."""

from typing import Literal, TypeAlias

from pydantic import Field

from models.customer.conventions import Conventions
from models.evidence import Record

Money: TypeAlias = Literal["unit_price", "line_total", "order_total"]
DiscountForm: TypeAlias = Literal["amount", "share", "percent"]


class ImportPlan(Record):
    """How a source is read; `inspect --save-plan` writes it, `--plan` applies it, a model keeps it.

    `columns` gives for each field the names of its column (several, if tables of one source name it differently;
    none, if no column holds it). `status_columns` say what kind of row a row is; `flag_columns` mark rows that are no
    purchase, each with the status that its rows get. `first_row_only` are the fields that stand on the first row of an
    order. `money` says what `price` or `amount` is of, `discount` how the column of discounts is to be understood.
    `numbers` gives an example of how the numbers of a column are written, such as `1.234,56`. `currency` is the
    one that is read.

    `decisions`, `assumptions` and `unused` explain the plan to a person; reading does not use them.
    """

    format: Literal[1] = 1
    layout: str | None = None
    columns: dict[str, tuple[str, ...]]
    status_columns: tuple[str, ...] = ()
    flag_columns: dict[str, str] = Field(default_factory=dict)
    first_row_only: tuple[str, ...] = ()
    money: Money = "unit_price"
    discount: DiscountForm | None = None
    numbers: dict[str, str] = Field(default_factory=dict)
    date_format: str | None = None
    currency: str | None = None
    conventions: Conventions | None = None
    decisions: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
