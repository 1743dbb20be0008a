"""Earlier moments: as they were known then, and what came in the days after."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from models.customer.conventions import FORMER_CONVENTIONS
from tests.training.shops import demo_shop, history_of
from training.cleaning import clean
from training.history import FEWEST_DAYS, STEP, WINDOWS, History
from training.reading.read import read
from training.summaries import NUMBERS, summarise
from training.workspace import Workspace

HEADER = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID"
CUT_OFF = datetime(2011, 5, 1, 12, tzinfo=UTC)
HORIZON = 90
OVER = CUT_OFF + timedelta(days=HORIZON)


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as opened:
        yield opened


def cleaned_later_is_cleaned_then(source: str, moments: list[datetime], workspace: Workspace) -> None:
    lines = read([source], workspace)
    whole = clean(lines, FORMER_CONVENTIONS, datetime(2012, 1, 1, tzinfo=UTC), workspace)
    for moment in moments:
        later, then = (
            summarise(whole.until(moment, workspace)),
            summarise(clean(lines, FORMER_CONVENTIONS, moment, workspace)),
        )
        assert later.ids == then.ids
        assert len(then.ids) > 50
        for name in NUMBERS:
            np.testing.assert_array_equal(getattr(later.summaries, name), getattr(then.summaries, name), err_msg=name)
        assert list(later.summaries.country) == list(then.summaries.country)


def test_a_shop_with_returns_is_known_at_a_moment_as_if_cleaned_then(workspace: Workspace, tmp_path: Path) -> None:
    file = demo_shop(tmp_path / "shop.csv", customers=400, days=150)
    moments = [datetime(2011, 2, 1, tzinfo=UTC), datetime(2011, 3, 3, 11, 40, tzinfo=UTC)]
    assert workspace.backend.read_csv(file).InvoiceNo.startswith("C").sum().to_pyarrow().as_py() > 20
    cleaned_later_is_cleaned_then(str(file), moments, workspace)


def test_the_real_shop_is_known_at_a_moment_as_if_cleaned_then(retail: str, workspace: Workspace) -> None:
    moments = [datetime(2011, 3, 15, tzinfo=UTC), datetime(2011, 7, 1, 12, 3, tzinfo=UTC)]
    cleaned_later_is_cleaned_then(retail, moments, workspace)


def history(folder: Path, workspace: Workspace, *rows: tuple[str, str, int, datetime, str]) -> History:
    """Of lines (invoice, product, quantity, when, customer) at a price of 2, followed to the end of 2011."""
    file = folder / "lines.csv"
    written = (
        f"{invoice},{product},{quantity},{at:%Y-%m-%d %H:%M:%S},2,{who}" for invoice, product, quantity, at, who in rows
    )
    file.write_text("\n".join([HEADER, *written]) + "\n")
    lines = read([str(file)], workspace)
    as_of = datetime(2012, 1, 1, tzinfo=UTC)
    return History(clean(lines, FORMER_CONVENTIONS, as_of, workspace), as_of, HORIZON, workspace)


def test_only_what_comes_after_the_cut_off_and_by_the_end_of_the_days_counts(
    workspace: Workspace, tmp_path: Path
) -> None:
    second, before = timedelta(seconds=1), CUT_OFF - timedelta(days=30)
    found = history(
        tmp_path,
        workspace,
        *((f"0{who}", "21730", 1, before, who) for who in ("at", "after", "last", "late")),
        ("1", "22423", 3, CUT_OFF, "at"),
        ("2", "22423", 3, CUT_OFF + second, "after"),
        ("3", "22423", 3, OVER, "last"),
        ("4", "22423", 3, OVER + second, "late"),
        ("5", "22423", 3, CUT_OFF + second, "new"),
    ).snapshot(CUT_OFF)
    revenue = dict(zip(found.customers.known.ids, found.revenue.tolist(), strict=True))
    assert revenue == {"at": 0.0, "after": 6.0, "last": 6.0, "late": 0.0}  # and whoever was not known then is not asked
    orders = dict(zip(found.customers.known.ids, found.customers.features["frequency"].tolist(), strict=True))
    assert orders == {"at": 2.0, "after": 1.0, "last": 1.0, "late": 1.0}
    assert found.bought.tolist() == [value > 0 for value in found.revenue.tolist()]


def test_a_purchase_undone_within_the_days_does_not_count_and_one_undone_later_does(
    workspace: Workspace, tmp_path: Path
) -> None:
    before, bought = CUT_OFF - timedelta(days=30), CUT_OFF + timedelta(days=10)
    found = history(
        tmp_path,
        workspace,
        *((f"0{who}", "21730", 1, before, who) for who in ("within", "later", "old")),
        ("1", "22423", 3, bought, "within"),
        ("C1", "22423", -3, OVER, "within"),
        ("2", "22423", 3, bought, "later"),
        ("C2", "22423", -3, OVER + timedelta(seconds=1), "later"),
        ("C3", "21730", -1, bought, "old"),  # undoes what came before: known as bought at the cut-off, nothing after
    ).snapshot(CUT_OFF)
    assert dict(zip(found.customers.known.ids, found.revenue.tolist(), strict=True)) == {
        "within": 0.0,
        "later": 6.0,
        "old": 0.0,
    }


def test_cut_offs_leave_days_before_to_know_customers_by_and_days_after_to_follow_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    first = datetime(2011, 1, 1, 9, tzinfo=UTC)
    known = history(tmp_path, workspace, ("1", "21730", 1, first, "17850"))
    assert known.first_purchase() == first
    for days in range(0, 400, 7):
        end = first + timedelta(days=days)
        found = known.cut_offs(end)
        assert bool(found) == (days >= FEWEST_DAYS + HORIZON)
        assert len(found) == min(WINDOWS, max(0, (days - FEWEST_DAYS - HORIZON) // STEP + 1))
        assert all(first + timedelta(days=FEWEST_DAYS) <= one <= end - timedelta(days=HORIZON) for one in found)
        assert found == [end - timedelta(days=HORIZON + STEP * index) for index in range(len(found))]


def test_a_moment_is_looked_at_once(workspace: Workspace, tmp_path: Path) -> None:
    known = history_of(demo_shop(tmp_path / "shop.csv", customers=100, days=160), workspace)
    (moment,) = known.cut_offs(known.as_of)
    assert known.snapshot(moment) is known.snapshot(moment)
    assert known.snapshot(moment).usable
