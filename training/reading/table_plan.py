"""The plan of one table: which of its columns holds which field, why, and what else was a candidate."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from models.import_plan import DiscountForm, ImportPlan, Money
from training.errors import MissingColumns, UnreadableSource
from training.reading.column_mapping import (
    ALL_FIELDS,
    NO_COLUMN,
    REQUIRED,
    candidates,
    column_names,
    listed,
    lookalikes,
    match_column,
    reduced,
    role_of,
)
from training.reading.layouts import Layout, recognise
from training.reading.money import decide_money, discount_form, grows_with_quantity
from training.reading.options import ReadOptions
from training.reading.scan import ColumnScan, Orders, TableScan
from training.reading.statuses import find_status_columns

MONEY = ("price", "amount")
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(\s?[AaPp][Mm])?")
_ROLE_WORDS = {
    "postage": "postage is no sale of goods",
    "tax": "tax is not part of what the goods cost",
    "list_price": "it is the price before any discount",
    "refund": "no amount of money is read from it",
    "line_discount": "the discount is contained in what was paid, or the column is empty",
    "returned": "it marks no rows",
    "cancelled": "it marks no rows",
    "test": "it marks no rows",
    "unit_of_measure": "a quantity is multiplied by the price whatever its unit",
}


@dataclass
class TablePlan:
    """The columns of one table. `decisions`, `assumptions` and `unused` are sentences for people."""

    where: str
    layout: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    status_columns: tuple[str, ...] = ()
    flag_columns: Mapping[str, str] = field(default_factory=dict)
    first_row_only: tuple[str, ...] = ()
    money: Money = "unit_price"
    discount: DiscountForm | None = None
    decisions: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def plan_table(scan: TableScan, options: ReadOptions) -> TablePlan:
    """Decide for every field which column holds it.

    Raises UnreadableSource if a required field has no column, or if the table leaves open which column is meant; the
    message names the alternatives, with examples, and the option that decides.
    """
    return _Planner(scan, options).plan()


class _Planner:
    def __init__(self, scan: TableScan, options: ReadOptions) -> None:
        self._scan = scan
        self._options = options
        self._names = list(scan.columns)
        self._plan = _fitting_plan(options, self._names, scan.where)
        self._stated = _stated_columns(options, self._plan, self._names, scan.where)
        self._layout: Layout | None = recognise(self._names)
        self._result = TablePlan(scan.where, self._layout.name if self._layout else None)
        self._chosen: dict[str, str] = {}
        self._orders: Orders | None = None

    def plan(self) -> TablePlan:
        result = self._result
        if self._layout:
            result.decisions.append(f"The columns are those of {self._layout.name}.")
        self._choose_stated()
        self._choose_invoice()
        self._choose_date()
        self._choose_customer()
        self._choose_product()
        for name in ("description", "quantity", "country", "currency"):
            self._choose_by_name(name)
        self._find_statuses()
        self._require(money_is_open=True)
        self._choose_money()
        self._require()
        self._choose_order_amounts()
        result.columns = {one: self._chosen[one] for one in ALL_FIELDS if one in self._chosen}
        result.first_row_only = self._first_row_only()
        self._list_unused()
        return result

    # What was stated comes first, and a column that holds one field holds no other.

    def _choose_stated(self) -> None:
        for name, column in self._stated.items():
            if column != NO_COLUMN and name != "status":
                self._chosen[name] = column

    def _open(self, name: str) -> bool:
        return name not in self._stated

    def _free(self) -> list[str]:
        taken = {*self._chosen.values(), *self._result.status_columns, *self._result.flag_columns}
        return [name for name in self._names if name not in taken]

    def _column(self, name: str) -> ColumnScan:
        return self._scan.columns[name]

    def _candidates(self, name: str) -> list[str]:
        """The columns that may hold a field, those of a known layout first; empty ones last."""
        free = self._free()
        known = self._layout.column_of(name, free) if self._layout else []
        found = [*known, *(one for one in candidates(free, name) if one not in known)]
        return sorted(found, key=lambda one: not self._column(one).present)

    def _take(self, name: str, column: str, others: Iterable[str] = (), reason: str = "") -> None:
        self._chosen[name] = column
        beside = listed([one for one in others if one != column])
        if reason:
            self._result.decisions.append(reason)
        elif beside != "none":
            self._result.decisions.append(f"{name} is read from '{column}'; other columns named alike: {beside}.")

    def _choose_by_name(self, name: str) -> None:
        if not self._open(name):
            return
        found = self._candidates(name)
        if name == "quantity":
            found = [one for one in found if self._is_exact(one, name) or self._column(one).is_numeric]
        if name == "currency":
            found = [one for one in found if self._column(one).present and len(self._column(one).distinct) <= 200]
        if found:
            self._settle_equals(name, found)
            self._take(name, found[0], found[1:])
        elif name == "quantity":
            self._ask_lookalikes(name, [one for one in lookalikes(self._free(), name) if self._column(one).is_numeric])

    def _is_exact(self, column: str, name: str) -> bool:
        known = self._layout.column_of(name, [column]) if self._layout else []
        return bool(known) or _ranks_exact(column, name)

    def _settle_equals(self, name: str, found: Sequence[str]) -> None:
        """Two columns of one name must have the same values."""
        same = [one for one in found if reduced(one) == reduced(found[0])]
        if len(same) > 1 and any(self._column(one).values != self._column(same[0]).values for one in same[1:]):
            raise UnreadableSource(
                f"{self._scan.where} has {len(same)} columns for {name}: {listed(same)}. "
                f"Rename one, or say which it is with --column {name}=NAME."
            )

    def _ask_lookalikes(self, name: str, found: Sequence[str]) -> None:
        if not found:
            return
        examples = "; ".join(f"'{one}' has {self._column(one).example}" for one in found)
        raise UnreadableSource(
            f"{self._scan.where}: no column is surely the {name}, and {listed(found)} could be ({examples}). Say "
            f"--column {name}='{found[0]}' if it is, or --column {name}= if no column holds it."
        )

    # One method per field whose values decide beside its name.

    def _choose_invoice(self) -> None:
        if self._open("invoice"):
            found = [
                one
                for one in self._candidates("invoice")
                if not self._column(one).is_date or self._is_exact(one, "invoice")
            ]
            found = [one for one in found if not _looks_like_status(self._column(one))]
            if found:
                self._settle_equals("invoice", found)
                self._take("invoice", found[0], found[1:])
            else:
                suspects = [one for one in lookalikes(self._free(), "invoice") if len(self._column(one).distinct) > 1]
                self._ask_lookalikes("invoice", suspects)
        if invoice := self._chosen.get("invoice"):
            self._orders = self._scan.orders(invoice)

    def _choose_date(self) -> None:
        if self._open("at"):
            named = self._candidates("at")
            found = [one for one in named if self._column(one).is_date] or [
                one for one in named if self._is_exact(one, "at")
            ]
            dated = [one for one in self._free() if self._column(one).is_date]
            if found:
                self._settle_equals("at", found)
                self._take("at", found[0], [one for one in found[1:] if self._column(one).is_date])
            elif len(dated) == 1:
                self._take(
                    "at", dated[0], reason=f"The purchase date is read from '{dated[0]}', the only column of dates."
                )
            elif dated:
                examples = "; ".join(f"'{one}' has {self._column(one).example}" for one in dated)
                raise UnreadableSource(
                    f"{self._scan.where} has several columns of dates ({examples}), and no name says which is the "
                    f"date of "
                    f"purchase. Say --column at=NAME."
                )
        at = self._chosen.get("at")
        if at is None or not self._open("time") or any(":" in value for value in self._column(at).present):
            return
        times = [one for one in self._candidates("time") if self._all_match(one, _TIME)]
        if times:
            self._take(
                "time", times[0], reason=f"The time of day is read from '{times[0]}', beside the date in '{at}'."
            )

    def _choose_customer(self) -> None:
        if not self._open("customer"):
            return
        named = [one for one in self._candidates("customer") if not self._column(one).is_date]
        found = [one for one in named if self._column(one).present] or named
        if not found:
            emails = [one for one in self._free() if self._column(one).is_email]
            if len(emails) == 1:
                self._take(
                    "customer", emails[0], reason=f"Customers are known by their e-mail address, in '{emails[0]}'."
                )
            return
        self._settle_equals("customer", found)
        best = found[0]
        fuller = [one for one in found if len(self._column(one).present) >= 2 * len(self._column(best).present)]
        if fuller:
            self._take("customer", fuller[0], reason=(
                f"Customers are those of '{fuller[0]}': '{best}' is empty in most rows. --column customer='{best}' "
                "takes it all the same."
            ))  # fmt: skip
            return
        repeating = [one for one in found if self._repeat_share(one) >= 0.05]
        if self._column(best).present and self._repeat_share(best) <= 0.02 and repeating:
            self._take("customer", repeating[0], reason=(
                f"Customers are those of '{repeating[0]}', who order again; each value of '{best}' has one order only."
            ))  # fmt: skip
            return
        self._take("customer", best, found[1:])

    def _repeat_share(self, name: str) -> float:
        """The share of orders that are not the first of their customer."""
        if self._orders is None or not self._orders.count:
            return 1.0
        invoices = self._column(self._chosen["invoice"]).values
        pairs = {(invoice, value) for invoice, value in zip(invoices, self._column(name).values, strict=True) if value}
        customers = {value for _, value in pairs}
        return 1 - len(customers) / len(pairs) if pairs else 1.0

    def _choose_product(self) -> None:
        if not self._open("product"):
            return
        found = self._candidates("product")
        if self._orders is not None:
            numbering = [one for one in found if self._orders.numbers_lines(self._column(one))]
            found = [one for one in found if one not in numbering]
            self._result.unused += [f"'{one}' is not used: it numbers the lines of an order." for one in numbering]
        best = found[0] if found else None
        fuller = [
            one for one in found if best and len(self._column(one).present) >= 2 * len(self._column(best).present)
        ]
        if best:
            self._settle_equals("product", found)
            self._take("product", (fuller or [best])[0], found)
        else:
            suspects = [one for one in lookalikes(self._free(), "product") if not self._column(one).is_date]
            if "description" not in self._stated and candidates(suspects, "description"):
                suspects = []
            self._ask_lookalikes("product", suspects)

    def _find_statuses(self) -> None:
        result = self._result
        plan = self._plan
        if plan is not None and "status" not in self._options.columns:
            result.status_columns = tuple(one for one in plan.status_columns if one in self._names)
            result.flag_columns = {one: said for one, said in plan.flag_columns.items() if one in self._names}
            return
        if "status" in self._stated:
            column = self._stated["status"]
            result.status_columns = (column,) if column != NO_COLUMN else ()
            return
        free = self._free()
        first = self._layout.status_columns(free) if self._layout else []
        first = [one for one in first if self._column(one).present]
        found = find_status_columns(self._scan, free, [one for one in first if role_of(one) is None])
        result.status_columns, result.flag_columns = found.columns, found.flags
        result.unused += found.unused

    def _choose_money(self) -> None:
        plan = self._plan
        if plan is not None and not set(MONEY) & self._options.columns.keys():
            self._result.money, self._result.discount = plan.money, plan.discount
            return
        if "discount" in self._chosen:
            column = self._column(self._chosen["discount"])
            self._result.discount = discount_form(column.name, column.numbers)
        if any(one in self._chosen for one in MONEY):
            has_price = "price" in self._chosen and ("quantity" in self._chosen or "amount" not in self._chosen)
            self._result.money = "unit_price" if has_price else "line_total"
            return
        free = [one for one in self._free() if role_of(one) not in {"list_price"}]
        layout_money = [one for one in MONEY if self._layout and self._layout.column_of(one, free)]
        if self._layout and layout_money:
            self._choose_layout_money(self._layout, free, layout_money)
            return
        names = [one for one in free if one in self._names]
        found = decide_money(
            self._scan, names, self._chosen.get("quantity"), self._chosen.get("invoice"), self._chosen.get("product")
        )
        for name, chosen in (("price", found.price), ("amount", found.amount)):
            if chosen is not None and self._open(name):
                self._chosen[name] = chosen
        if found.discount is not None and self._open("discount"):
            self._chosen["discount"] = found.discount
            self._result.discount = found.discount_form
        self._result.money = found.money
        if found.decision and not found.assumption:
            self._result.decisions.append(found.decision)
        if found.assumption:
            self._result.assumptions.append(found.assumption)

    def _choose_layout_money(self, layout: Layout, free: Sequence[str], fields: Sequence[str]) -> None:
        """The layout says what its columns of money are of; a unit price is preferred where it names both."""
        name = "price" if "price" in fields and "quantity" in self._chosen else fields[-1]
        column = layout.column_of(name, free)[0]
        shown = grows_with_quantity(self._scan, column, self._chosen.get("quantity"), self._chosen.get("product"))
        if shown is not None and shown != (name == "amount"):
            is_, usual = ("what the line cost", "the price of one unit")[:: 1 if shown else -1]
            raise UnreadableSource(
                f"{self._scan.where}: in exports of {layout.name} '{column}' is {usual}, but here its values are those "
                f"of {is_}. Say which with --column amount='{column}' (for the line) or --column price='{column}' "
                "(for one unit)."
            )
        self._chosen[name] = column
        self._result.money = "unit_price" if name == "price" else "line_total"
        meaning = "the price of one unit" if name == "price" else "what the line cost"
        self._result.decisions.append(f"'{column}' is {meaning}, as in every export of {layout.name}.")
        discounts = layout.column_of("discount", free)
        if discounts and self._open("discount") and any(value != 0 for value in self._column(discounts[0]).numbers):
            self._chosen["discount"] = discounts[0]
            self._result.discount = "amount"
            self._result.decisions.append(f"'{discounts[0]}' is taken off what the line cost.")

    def _choose_order_amounts(self) -> None:
        """Discounts and refunds of a whole order."""
        free = self._free()
        known = {
            one: (self._layout.column_of(one, free) if self._layout else []) for one in ("order_discount", "refund")
        }
        if self._orders is not None and "discount" not in self._chosen and self._result.money == "unit_price":
            known["order_discount"] += [
                one
                for one in free
                if role_of(one) == "line_discount" and self._column(one).is_numeric and self._is_of_order(one)
            ]
        known["refund"] += [
            one
            for one in free
            if role_of(one) == "refund"
            and self._column(one).is_numeric
            and not any(word in reduced(one) for word in ("quantity", "qty"))
        ]
        said = {
            "order_discount": "lowers an order: it is taken off its lines in proportion to their value",
            "refund": "is what was paid back: it lowers the lines of its order in proportion, and an order paid back "
            "whole is no purchase",
        }
        for name, found in known.items():
            if self._open(name) and found and _has_amounts(self._column(found[0])):
                self._take(name, found[0], reason=f"'{found[0]}' {said[name]}.")

    def _is_of_order(self, name: str) -> bool:
        column = self._column(name)
        return self._orders is not None and (self._orders.on_first_row_only(column) or self._orders.repeats(column))

    def _first_row_only(self) -> tuple[str, ...]:
        if self._orders is None:
            return ()
        found = [
            name
            for name, column in self._chosen.items()
            if name not in {"invoice", "quantity", "price", "amount", "discount", "product"}
            and self._orders.on_first_row_only(self._column(column))
        ]
        of_status = any(self._orders.on_first_row_only(self._column(one)) for one in self._result.status_columns)
        return (*found, *(["status"] if of_status else []))

    def _list_unused(self) -> None:
        self._result.unused += [
            f"The columns called '{name}' are not used: several have this name." for name in self._scan.repeated
        ]
        said = " ".join(self._result.unused)
        for name in self._free():
            column, role = self._column(name), role_of(name)
            if f"'{name}'" in said or not column.present:
                continue
            if role == "unit_of_measure" and len(column.distinct) < 2:
                continue
            if role in _ROLE_WORDS and (not column.is_numeric or _has_amounts(column)):
                self._result.unused.append(f"'{name}' is not used: {_ROLE_WORDS[role]}.")
            elif column.is_numeric and any(candidates([name], field) or lookalikes([name], field) for field in MONEY):
                self._result.unused.append(f"'{name}' is not used, though its name says money.")

    def _require(self, *, money_is_open: bool = False) -> None:
        """Raise MissingColumns, naming all that is missing, if a required field has no column."""
        missing = {words: fields for words, fields in REQUIRED.items() if not self._chosen.keys() & set(fields)}
        named = [one for field in MONEY for one in candidates(self._free(), field)]
        if money_is_open and (named or set(missing) == {"price or amount"}):
            missing.pop("price or amount", None)
        if missing:
            repeated = ""
            if self._scan.repeated:
                repeated = f" {listed(self._scan.repeated)} names several columns, which are not read: rename them."
            options = " or ".join(f"--column {names[0]}=NAME" for names in missing.values())
            raise MissingColumns(
                f"{self._scan.where} has no column for {' and none for '.join(missing)}. "
                f"Its columns are {listed(self._names)}. If one of them is meant, say so with {options}.{repeated}"
            )

    def _all_match(self, name: str, pattern: re.Pattern[str]) -> bool:
        present = self._column(name).present
        return bool(present) and all(pattern.fullmatch(value) for value in present)


def _fitting_plan(options: ReadOptions, names: Sequence[str], where: str) -> ImportPlan | None:
    """The saved plan, if the table has its columns. Raises UnreadableSource if it must have them."""
    plan = options.plan
    if plan is None or not plan.columns:
        return None
    lacking = [field for field, wanted in plan.columns.items() if field not in options.columns and wanted]
    lacking = [field for field in lacking if not set(plan.columns[field]) & set(names)]
    if lacking and options.plan_must_fit:
        raise UnreadableSource(
            f"{where} has no column {listed(plan.columns[lacking[0]])}, which the plan names for {lacking[0]}; its "
            f"columns are {listed(names)}. Correct the plan, leave it out, or say --column {lacking[0]}=NAME."
        )
    return None if lacking else plan


def _stated_columns(options: ReadOptions, plan: ImportPlan | None, names: Sequence[str], where: str) -> dict[str, str]:
    """The column of each field that was stated, or that a saved plan has; '' where there is to be none."""
    stated = _planned_columns(plan.columns, names) if plan is not None else {}
    for name, column in options.columns.items():
        if name not in ALL_FIELDS:
            raise UnreadableSource(f"--column {name}={column}: '{name}' is not a field; they are {listed(ALL_FIELDS)}.")
        option = f"--column {name}={column}"
        stated[name] = match_column(names, column, option, where) if column != NO_COLUMN else NO_COLUMN
    return stated


def _planned_columns(columns: Mapping[str, Sequence[str]], names: Sequence[str]) -> dict[str, str]:
    planned = dict.fromkeys(ALL_FIELDS, NO_COLUMN)
    for name, wanted in columns.items():
        planned[name] = next((one for one in wanted if one in names), NO_COLUMN)
    return planned


def _ranks_exact(column: str, name: str) -> bool:
    return reduced(column) in column_names().fields[name].names


def _looks_like_status(column: ColumnScan) -> bool:
    return len(column.distinct) == 1 and len(column.present) > 1 and not any(c.isdigit() for c in column.present[0])


def _has_amounts(column: ColumnScan) -> bool:
    return bool((column.numbers > 0).any() or (column.numbers < 0).any())
