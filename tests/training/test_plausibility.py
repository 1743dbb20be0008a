"""Checks of plausibility: what each fails and nearly fails, on real files, and what the commands do about it."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import read_artifact
from models.evidence import CheckResult
from models.registry import Registry
from tests.training.shops import demo_shop
from training.cleaning_report import cleaning_report
from training.inspection import inspect
from training.preparation.plausibility import MEASURES, checks, run_checks
from training.preparation.prepare import prepare
from training.reading.options import NO_OPTIONS, ReadOptions
from training.report.page import page
from training.report.provenance import command
from training.summaries import summarise
from training.workspace import Workspace

ROOT = Path(__file__).parent.parent.parent
FIELDS = ("order_id", "customer_id", "order_date", "product", "quantity", "price")
FIRST_DAY = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
Row = dict[str, Any]
Rows = list[Row]


def shop(customers: int, orders: int = 2) -> Rows:
    """A plausible shop: orders of one line each, a few weeks apart, at prices from 5 to 9."""
    return [
        {
            "order_id": 1000 + customer * orders + order,
            "customer_id": f"k{customer}",
            "order_date": FIRST_DAY + timedelta(days=(customer * 7) % 60 + order * 30),
            "product": f"P{(customer + order) % 10}",
            "quantity": 1 + (customer + order) % 3,
            "price": 5 + customer % 5,
        }
        for customer in range(customers)
        for order in range(orders)
    ]


def changed(rows: Rows, numbers: Iterable[int], **fields: Any) -> Rows:
    """The rows, those with the numbers having other values."""
    chosen = set(numbers)
    return [{**row, **fields} if index in chosen else row for index, row in enumerate(rows)]


def of_customers(rows: Rows, customers: Iterable[int], **fields: Any) -> Rows:
    """The rows, those of the customers having other values."""
    ids = {f"k{customer}" for customer in customers}
    return [{**row, **fields} if row["customer_id"] in ids else row for row in rows]


def repeated(rows: Rows, times: int) -> Rows:
    return [row for row in rows for _ in range(times)]


def more_orders(rows: Rows, orders: int, **fields: Any) -> Rows:
    """The rows and so many further orders of the first customer, on different days."""
    first = rows[0]
    added = [
        {**first, "order_id": 9000 + index, "order_date": FIRST_DAY + timedelta(days=index % 90), **fields}
        for index in range(orders)
    ]
    return [*rows, *added]


def written(folder: Path, rows: Rows) -> Path:
    file = folder / "purchases.csv"
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, FIELDS)
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "order_date": f"{row['order_date']:%Y-%m-%d %H:%M:%S}"})
    return file


def on_one_day(rows: Rows) -> Rows:
    return [{**row, "order_date": FIRST_DAY} for row in rows]


def at_times_of_one_day(rows: Rows) -> Rows:
    start = FIRST_DAY.replace(hour=0)
    return [{**row, "order_date": start + timedelta(minutes=index % 1440)} for index, row in enumerate(rows)]


def given_back(rows: Rows, numbers: Iterable[int], quantity: float, price: float) -> Rows:
    """The rows, and for each of the numbers a later return."""
    returns = [
        {
            **rows[index],
            "order_id": 8000 + index,
            "order_date": rows[index]["order_date"] + timedelta(days=1),
            "quantity": -quantity,
            "price": price,
        }
        for index in numbers
    ]
    return [*rows, *returns]


def with_totals(rows: Rows, orders: int, product: str = "TOTAL") -> Rows:
    """Each row as an order of three lines, of which in so many orders the third is worth as much as the other two."""
    found = []
    for index, row in enumerate(rows):
        second = {**row, "product": "Q1", "quantity": 1, "price": round(row["price"] + 1, 2)}
        both = round(row["quantity"] * row["price"] + second["price"], 2)
        third = {"product": product, "price": both} if index < orders else {"product": "Q2", "price": 3}
        found += [row, second, {**row, "quantity": 1, **third}]
    return found


def three_rules(customers: int, of_each: int) -> Rows:
    """Customers lost to a price of zero, to returns alone, and to missing prices."""
    rows = of_customers(shop(customers), range(of_each), price=0)
    rows = of_customers(rows, range(of_each, 2 * of_each), quantity=-1)
    return of_customers(rows, range(2 * of_each, 3 * of_each), price="")


FAILING: list[tuple[str, str, Callable[[], Rows]]] = [
    ("unreadable_rows", "6 of 100", lambda: changed(shop(50), range(6), price="")),
    ("unreadable_rows", "40 of 100", lambda: changed(shop(50), range(0, 80, 2), price="")),
    ("unreadable_rows", "3 of 20", lambda: changed(shop(10), (0, 4, 8), price="")),
    ("unreadable_rows", "no quantity in 10 of 100", lambda: changed(shop(50), range(10), quantity="")),
    ("unreadable_rows", "words for 6 of 100 quantities", lambda: changed(shop(50), range(6), quantity="six")),
    ("lines_lost", "51 of 100 without a customer", lambda: changed(shop(50), range(51), customer_id="")),
    ("lines_lost", "90 of 100 without a customer", lambda: changed(shop(50), range(90), customer_id="")),
    ("lines_lost", "51 of 100 at no price", lambda: changed(shop(50), range(51), price=0)),
    ("lines_lost", "3 of 5 without a customer", lambda: changed(shop(5, 1), range(3), customer_id="")),
    ("lines_lost", "each row four times", lambda: repeated(shop(50), 4)),
    ("lines_lost", "51 of 100 given back", lambda: changed(shop(50), range(51), quantity=-1)),
    ("customers_lost", "11 of 50 with gifts only", lambda: of_customers(shop(50), range(11), price=0)),
    ("customers_lost", "20 of 50 with gifts only", lambda: of_customers(shop(50), range(20), price=0)),
    ("customers_lost", "3 of 10 with gifts only", lambda: of_customers(shop(10), range(3), price=0)),
    ("customers_lost", "11 of 50 with returns only", lambda: of_customers(shop(50), range(11), quantity=-1)),
    ("customers_lost", "11 of 50 unreadable", lambda: of_customers(shop(50), range(11), price="")),
    ("customers_lost", "2 of 3 to two rules", lambda: of_customers(of_customers(shop(3), [0], price=0), [1],
                                                                 quantity=-1)),
    ("customers_lost", "30 of 50 to three rules", lambda: three_rules(50, 10)),
    ("nobody_left", "all gifts", lambda: of_customers(shop(50), range(50), price=0)),
    ("nobody_left", "all given back", lambda: of_customers(shop(50), range(50), quantity=-2)),
    ("nobody_left", "no prices", lambda: of_customers(shop(50), range(50), price="")),
    ("nobody_left", "no quantity at all", lambda: of_customers(shop(50), range(50), quantity=0)),
    ("nobody_left", "three rows without a price", lambda: of_customers(shop(3, 1), range(3), price="")),
    ("negative_revenue", "more back than sold", lambda: given_back(shop(20), range(40), 1, 100)),
    ("negative_revenue", "one return of a fortune", lambda: given_back(shop(20), [0], 1, 1_000_000)),
    ("negative_revenue", "all returns", lambda: of_customers(shop(20), range(20), quantity=-1)),
    ("negative_revenue", "exactly nothing left", lambda: given_back(changed(shop(1, 2), (0, 1), quantity=2, price=5),
                                                                  (0, 1), 1, 10)),
    ("negative_revenue", "a little less than nothing", lambda: given_back(
        changed(shop(1, 2), (0, 1), quantity=2, price=5), (0, 1), 1, 10.01)),
    ("one_day", "20 lines", lambda: on_one_day(shop(10))),
    ("one_day", "200 lines", lambda: on_one_day(shop(100))),
    ("one_day", "20 customers once", lambda: on_one_day(shop(20, 1))),
    ("one_day", "from midnight to midnight", lambda: at_times_of_one_day(shop(50))),
    ("one_day", "two orders a customer at two hours", lambda: [
        {**row, "order_date": FIRST_DAY + timedelta(hours=index % 2)} for index, row in enumerate(shop(30))]),
    ("no_repeat_orders", "100 customers once", lambda: shop(100, 1)),
    ("no_repeat_orders", "300 customers once", lambda: shop(300, 1)),
    ("no_repeat_orders", "two lines in each order", lambda: [
        row for one in shop(150, 1) for row in (one, {**one, "product": "Q1"})]),
    ("no_repeat_orders", "1 of 1,500 comes back", lambda: more_orders(shop(1_500, 1), 1)),
    ("no_repeat_orders", "second orders are all given back", lambda: [
        {**row, "quantity": -1, "price": 3.5} if index % 2 else row for index, row in enumerate(shop(120))]),
    ("one_customer_most_orders", "13 of 51", lambda: more_orders(shop(20), 11)),
    ("one_customer_most_orders", "half of all", lambda: more_orders(shop(40), 80)),
    ("one_customer_most_orders", "a till's placeholder", lambda: more_orders(shop(200), 800)),
    ("one_customer_most_orders", "of many who bought once", lambda: more_orders(shop(60, 1), 30)),
    ("one_customer_most_orders", "with small amounts", lambda: more_orders(shop(30), 60, price=0.5)),
    ("one_customer_most_revenue", "one large line", lambda: changed(shop(20), [0], price=1_000)),
    ("one_customer_most_revenue", "many lines", lambda: more_orders(shop(50), 200, price=20)),
    ("one_customer_most_revenue", "large quantities", lambda: of_customers(shop(30), [3], quantity=500)),
    ("one_customer_most_revenue", "high prices", lambda: of_customers(shop(60), [9], price=900)),
    ("one_customer_most_revenue", "a little more than half", lambda: of_customers(
        of_customers(shop(20), range(20), quantity=1, price=1), [5], price=19.1)),
    ("counted_twice", "5 of 5 orders", lambda: with_totals(shop(5, 1), 5)),
    ("counted_twice", "21 of 100 orders", lambda: with_totals(shop(50), 21)),
    ("counted_twice", "a bundle beside its parts", lambda: with_totals(shop(20), 40, "BUNDLE")),
    ("counted_twice", "every second of 20 orders", lambda: with_totals(shop(10), 10)),
    ("counted_twice", "totals to the cent", lambda: with_totals(changed(shop(10), range(20), price=0.07), 20)),
    ("one_line_most_revenue", "a price without its point", lambda: changed(shop(50), [7], price=700_000)),
    ("one_line_most_revenue", "a mistyped quantity", lambda: changed(shop(50), [9], quantity=99_999)),
    ("one_line_most_revenue", "of 20 lines", lambda: changed(shop(10), [0], price=5_000)),
    ("one_line_most_revenue", "a little more than half", lambda: changed(
        changed(shop(20), range(40), quantity=1, price=1), [5], price=39.1)),
    ("one_line_most_revenue", "of 1,000 lines", lambda: changed(shop(500), [0], price=10_000_000)),
    ("quantity_far_out", "one of 40", lambda: changed(shop(20), [3], quantity=301)),
    ("quantity_far_out", "three of 100", lambda: changed(shop(50), (3, 4, 5), quantity=5_000)),
    ("quantity_far_out", "three different ones", lambda: [
        {**row, "quantity": (400, 500, 600)[index]} if index < 3 else row for index, row in enumerate(shop(50))]),
    ("quantity_far_out", "at next to no price", lambda: changed(shop(50), [8], quantity=10_000, price=0.01)),
    ("quantity_far_out", "four of 4,000", lambda: changed(shop(2_000), range(4), quantity=1_000)),
    ("price_far_out", "one of 40", lambda: changed(shop(20), [3], price=901)),
    ("price_far_out", "three of 100", lambda: changed(shop(50), (3, 4, 5), price=10_000)),
    ("price_far_out", "grouping read as decimal elsewhere", lambda: changed(shop(100), [50], price=8_500)),
    ("price_far_out", "of 1,000 lines", lambda: changed(shop(500), [1, 2], price=950)),
    ("price_far_out", "of 20 lines", lambda: changed(shop(10), [1], price=2_000)),
]  # fmt: skip

PASSING: list[tuple[str, str, Callable[[], Rows]]] = [
    ("unreadable_rows", "5 of 100", lambda: changed(shop(50), range(5), price="")),
    ("unreadable_rows", "2 of 10", lambda: changed(shop(5), (0, 4), price="")),
    ("lines_lost", "50 of 100 without a customer", lambda: changed(shop(50), range(50), customer_id="")),
    ("lines_lost", "2 of 3 without a customer", lambda: changed(shop(3, 1), range(2), customer_id="")),
    ("lines_lost", "each row twice", lambda: repeated(shop(50), 2)),
    ("customers_lost", "10 of 50 with gifts only", lambda: of_customers(shop(50), range(10), price=0)),
    ("customers_lost", "2 of 5 with gifts only", lambda: of_customers(shop(5), range(2), price=0)),
    ("customers_lost", "24 of 50 to three rules", lambda: three_rules(50, 8)),
    ("customers_lost", "half of the lines of all", lambda: changed(shop(50), range(0, 100, 2), price=0)),
    ("nobody_left", "one of 50", lambda: of_customers(shop(50), range(49), price=0)),
    ("nobody_left", "one row", lambda: shop(1, 1)),
    ("negative_revenue", "a cent is left", lambda: given_back(
        changed(shop(1, 2), (0, 1), quantity=2, price=5), (0, 1), 1, 9.9951)),
    ("negative_revenue", "nothing comes back", lambda: shop(20)),
    ("one_day", "19 lines", lambda: on_one_day(shop(19, 1))),
    ("one_day", "the last line a day later", lambda: [
        *on_one_day(shop(20))[:-1], {**shop(20)[-1], "order_date": FIRST_DAY + timedelta(days=1)}]),
    ("one_day", "over midnight", lambda: [
        {**row, "order_date": FIRST_DAY.replace(hour=23, minute=59) + timedelta(minutes=2 * (index % 2))}
        for index, row in enumerate(shop(10))]),
    ("no_repeat_orders", "99 customers once", lambda: shop(99, 1)),
    ("no_repeat_orders", "1 of 100 comes back", lambda: more_orders(shop(100, 1), 1)),
    ("no_repeat_orders", "1 of 1,000 comes back", lambda: more_orders(shop(1_000, 1), 1)),
    ("one_customer_most_orders", "12 of 50", lambda: more_orders(shop(20), 10)),
    ("one_customer_most_orders", "of 19 customers", lambda: more_orders(shop(19), 80)),
    ("one_customer_most_revenue", "exactly half", lambda: of_customers(
        of_customers(shop(20), range(20), quantity=1, price=1), [5], price=19)),
    ("one_customer_most_revenue", "of 19 customers", lambda: changed(shop(19), [0], price=1_000)),
    ("counted_twice", "4 of 4 orders", lambda: with_totals(shop(4, 1), 4)),
    ("counted_twice", "20 of 100 orders", lambda: with_totals(shop(50), 20)),
    ("counted_twice", "two equal lines", lambda: [
        row for one in shop(50) for row in (one, {**one, "product": "Q1"})]),
    ("one_line_most_revenue", "exactly half", lambda: changed(
        changed(shop(20), range(40), quantity=1, price=1), [5], price=39)),
    ("one_line_most_revenue", "of 19 lines", lambda: changed(shop(19, 1), [0], price=5_000)),
    ("quantity_far_out", "a hundred times the next", lambda: changed(shop(20), [3], quantity=300)),
    ("quantity_far_out", "four of 100: no slip", lambda: changed(shop(50), range(4), quantity=5_000)),
    ("quantity_far_out", "of 19 lines", lambda: changed(shop(19, 1), [3], quantity=5_000)),
    ("price_far_out", "a hundred times the next", lambda: changed(shop(20), [3], price=900)),
    ("price_far_out", "four of 100: no slip", lambda: changed(shop(50), range(4), price=9_000)),
    ("price_far_out", "of 19 lines", lambda: changed(shop(19, 1), [3], price=9_000)),
]  # fmt: skip


def results_of(file: Path, as_of: datetime | None = None) -> dict[str, CheckResult]:
    return {check.name: check for check in inspect([str(file)], ReadOptions(as_of=as_of)).plausibility}


@pytest.mark.parametrize(("name", "rows"), [pytest.param(name, rows, id=f"{name}: {of}") for name, of, rows in FAILING])
def test_what_no_shop_is_fails_the_check_and_says_what_to_do(
    name: str, rows: Callable[[], Rows], tmp_path: Path
) -> None:
    result = results_of(written(tmp_path, rows()))[name]
    assert not result.passed
    assert not result.accepted
    assert checks()[name].why in result.message
    assert result.message.endswith(f"--accept {name}.")
    assert any(option in result.message for option in ("--column", "--rules", "--plan", "--as-of"))
    assert "{" not in result.message
    assert "k0" not in result.message, "no customer is named"


@pytest.mark.parametrize(("name", "rows"), [pytest.param(name, rows, id=f"{name}: {of}") for name, of, rows in PASSING])
def test_what_is_just_within_the_limit_passes(name: str, rows: Callable[[], Rows], tmp_path: Path) -> None:
    result = results_of(written(tmp_path, rows()))[name]
    assert result.passed, result.message
    assert "--accept" not in result.message


def test_each_check_has_its_measure_and_both_kinds_of_inputs() -> None:
    assert list(MEASURES) == list(checks())
    by_file = set(checks()) - {"last_day_far_out"}
    assert {name for name, _, _ in FAILING} == {name for name, _, _ in PASSING} == by_file


@pytest.mark.parametrize(
    ("customers", "few", "days", "passed"),
    [(50, 1, 366, False), (50, 3, 400, False), (20, 2, 366, False), (50, 1, 65_000, False), (5_000, 5, 500, False),
     (50, 1, 365, True), (50, 4, 400, True), (19, 1, 400, True), (5_000, 6, 500, True), (20, 20, 400, True)],
)  # fmt: skip
def test_a_last_day_far_from_all_others_fails(
    customers: int, few: int, days: int, passed: bool, tmp_path: Path
) -> None:
    # not from a file: reading may leave such dates out itself
    with Workspace() as workspace:
        prepared = prepare([str(written(tmp_path, shop(3)))], workspace, NO_OPTIONS)
        lines, cleaned = prepared.lines, prepared.cleaned
        summaries = summarise(cleaned)
        report = cleaning_report(cleaned, summaries.summaries)
        last = np.full(customers, FIRST_DAY.timestamp())
        last[:few] += days * 86_400
        moved = replace(summaries, summaries=replace(summaries.summaries, last_at=last))
        results = {check.name: check for check in run_checks(report, cleaned, moved, lines)}
    assert results["last_day_far_out"].passed is passed


def test_what_lies_after_the_moment_asked_for_is_not_lost(tmp_path: Path) -> None:
    file = written(tmp_path, shop(50))
    early = results_of(file, FIRST_DAY + timedelta(days=10))
    assert [check.message for check in early.values() if not check.passed] == []
    assert not results_of(file, FIRST_DAY - timedelta(days=10))["nobody_left"].passed


def test_plausible_shops_pass_all_checks(tmp_path: Path) -> None:
    assert all(check.passed for check in results_of(written(tmp_path, shop(100))).values())


@pytest.mark.parametrize(
    ("customers", "days", "seed"),
    [(300, 374, 0), (300, 374, 1), (300, 374, 2), (2000, 374, 3), (300, 90, 4), (60, 30, 5)],
)
def test_the_demo_passes_all_checks(customers: int, days: int, seed: int, tmp_path: Path) -> None:
    results = results_of(demo_shop(tmp_path / "demo.csv", customers, days, seed))
    assert [check.message for check in results.values() if not check.passed] == []


def test_the_real_shop_passes_all_checks(retail: str) -> None:
    found = inspect([retail])
    assert [check.message for check in found.plausibility if not check.passed] == []
    lost = next(check for check in found.plausibility if check.name == "lines_lost")
    assert lost.message == "Of 541,909 lines the rule no_customer takes 135,080 (24.9 %)."


# The commands --------------------------------------------------------------------------------------


def run(*arguments: str | Path, program: str = "training") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", program, *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def implausible(tmp_path: Path) -> Path:
    """A demo shop with one price far beyond all others."""
    file = demo_shop(tmp_path / "purchases.csv", customers=120, days=90)
    with file.open("a", encoding="utf-8") as target:
        target.write("X9,P1,mug,1,1/20/2011 9:00,90000000,X9,France\n")
    return file


FAILED = ("one_customer_most_revenue", "one_line_most_revenue", "price_far_out")


def test_inspect_ends_with_3_where_a_check_fails(implausible: Path) -> None:
    done = run("inspect", implausible)
    assert done.returncode == 3
    told = " ".join(done.stdout.split())
    for name in FAILED:
        assert f"The check {name} failed: " in told
    assert "Checks of plausibility passed: unreadable_rows, lines_lost," in told


def test_inspect_gives_programs_every_check(implausible: Path) -> None:
    done = run("inspect", implausible, "--json")
    assert done.returncode == 3
    plausibility = json.loads(done.stdout)["plausibility"]
    assert [check["name"] for check in plausibility] == list(checks())
    assert [check["name"] for check in plausibility if not check["passed"]] == list(FAILED)


def test_inspect_ends_with_0_where_all_pass_and_with_1_where_nothing_can_be_read(tmp_path: Path) -> None:
    done = run("inspect", written(tmp_path, shop(5)))
    assert done.returncode == 0
    assert "failed" not in done.stdout
    assert run("inspect", tmp_path / "nowhere.csv").returncode == 1


def test_fit_publishes_nothing_where_a_check_fails_and_is_not_accepted(implausible: Path, tmp_path: Path) -> None:
    models_dir = tmp_path / "models"
    for accepted in ([], ["--accept", FAILED[0]], ["--accept", FAILED[0], "--accept", FAILED[1]]):
        done = run("fit", implausible, "--models-dir", models_dir, *accepted)
        assert done.returncode == 3, done.stderr
        left = [name for name in FAILED if name not in accepted]
        assert [line.split()[3] for line in done.stderr.splitlines() if "the check" in line] == left
        assert "no model is published" in done.stderr
        assert done.stdout == ""
        assert not models_dir.exists()


def test_an_unknown_check_is_an_error_that_names_all(implausible: Path, tmp_path: Path) -> None:
    done = run("fit", implausible, "--models-dir", tmp_path / "models", "--accept", "everything")
    assert done.returncode == 2
    assert all(name in done.stderr for name in checks())


def test_accepted_checks_are_recorded_and_shown_in_the_warnings(implausible: Path, tmp_path: Path) -> None:
    models_dir = tmp_path / "models"
    accepted = [word for name in (*FAILED, "one_day") for word in ("--accept", name)]
    done = run("fit", implausible, "--models-dir", models_dir, "--segments", "4", *accepted)
    assert done.returncode == 0, done.stderr
    artifact = read_artifact(Registry(models_dir).path(Registry(models_dir).active()))
    manifest = artifact.manifest
    assert [check.name for check in manifest.plausibility] == list(checks())
    assert [check.name for check in manifest.plausibility if check.accepted] == list(FAILED)
    for check in manifest.plausibility:
        assert check.accepted is not check.passed
        assert (check.warning in manifest.evidence.warnings) is check.accepted
        assert "--" not in check.message, "what to do is for a check that is open"
    shown = " ".join(run("show", "--models-dir", models_dir).stdout.split())
    html = unescape(page(artifact)).replace("\xa0", " ")  # per cent signs do not stand alone
    for check in (check for check in manifest.plausibility if check.accepted):
        assert f"Note: {check.warning}" in shown
        assert check.warning in html
        assert f"Thin data: {check.warning}" not in html
    assert command(manifest).endswith(" ".join(f"--accept {name}" for name in FAILED))


def test_evaluate_features_and_score_warn_and_go_on(implausible: Path, tmp_path: Path) -> None:
    done = run("features", implausible, "--out", tmp_path / "features.csv")
    assert done.returncode == 0
    assert [line.split()[:4] for line in done.stderr.splitlines()] == [
        ["features:", "the", "check", name] for name in FAILED
    ]
    done = run("evaluate", implausible, "--cut-off", "2011-01-25", "--horizon", "20", "--segments", "4")
    assert [line.split()[3] for line in done.stderr.splitlines() if line.startswith("evaluate: the check")] == list(
        FAILED
    )


def test_a_table_of_customers_takes_no_accept(tmp_path: Path) -> None:
    done = run("fit", "--customers", tmp_path / "t.csv", "--id", "a", "--features", "b", "--accept", "one_day")
    assert done.returncode == 1
    assert "--accept cannot go with --customers" in " ".join(done.stderr.split())
