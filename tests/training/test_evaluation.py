"""Models made at a cut-off, judged by the days after."""

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from tests.training.shops import demo_shop, rows_of, written
from training.__main__ import main

CUT_OFF = datetime(2011, 5, 10, tzinfo=UTC)  # 160 days after the first: one of them with 90 days to follow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_shop(tmp_path_factory.mktemp("shop") / "shop.csv", customers=300, days=255)


def evaluate(source: Path | str, cut_off: datetime, out: Path, capsys: pytest.CaptureFixture[str],
             segments: str = "3-10") -> dict[str, Any]:  # fmt: skip
    given = [f"{cut_off:%Y-%m-%d}", "--json", "--assignments", str(out), "--segments", segments]
    assert main(["evaluate", str(source), "--cut-off", *given]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def assigned(file: Path) -> dict[str, str]:
    with file.open(encoding="utf-8", newline="") as opened:
        return {row["customer_id"]: row["segment"] for row in csv.DictReader(opened)}


def moment(row: Mapping[str, str]) -> datetime:
    return datetime.strptime(row["InvoiceDate"], "%m/%d/%Y %H:%M").replace(tzinfo=UTC)


def test_nothing_after_the_cut_off_is_looked_at_to_make_segments(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    changed = []
    for row in rows_of(shop):
        if moment(row) > CUT_OFF:  # others buy, other things and more of them, and nothing is given back
            if row["InvoiceNo"].startswith("C"):
                continue
            buyer = f"{12346 + random.integers(0, 120)}"
            row = {**row, "CustomerID": buyer, "Quantity": f"{random.integers(1, 99)}", "StockCode": "99999"}
        changed.append(row)
    other = written(tmp_path / "other.csv", changed)
    found = [evaluate(file, CUT_OFF, tmp_path / f"{file.stem}.out", capsys, "4-5") for file in (shop, other)]
    assert (tmp_path / "shop.out").read_bytes() == (tmp_path / "other.out").read_bytes()
    assert found[0]["selection"] == found[1]["selection"]
    assert found[0]["stability"] == found[1]["stability"]
    assert found[0]["after"] != found[1]["after"]
    assert all(one["auc"] is not None for one in found[0]["selection"]["candidates"])
    ids = list(assigned(tmp_path / "shop.out"))
    assert ids == sorted(ids)
    assert found[0]["after"]["customers"] == len(ids)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (["2011-06-01"], "90 days after 2011-06-01 go on to 2011-08-30; give --cut-off 20"),
        (["2011-05-10", "--horizon", "200"], "200 days after 2011-05-10 go on to 2011-11-26"),
        (["2010-12-02"], "segments need at least 50"),
    ],
)
def test_a_cut_off_that_cannot_be_judged_is_refused_with_a_sentence(
    wanted: Sequence[str], said: str, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    assert main(["evaluate", str(shop), "--cut-off", *wanted, "--assignments", str(out)]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


def later_revenue(retail: str, known: Sequence[str], cut_off: datetime, over: datetime) -> np.ndarray[Any, Any]:
    """Straight from the file: what each customer's different lines of products are worth, less those undone."""
    lines = {tuple(row.items()) for row in rows_of(Path(retail), encoding="latin-1") if row["CustomerID"]}
    dated = [(moment(dict(line)), sorted(line)) for line in lines]
    spent: dict[str, float] = dict.fromkeys(known, 0.0)
    undone: Counter[tuple[str, str, str, int]] = Counter()
    for at, line in sorted(dated, reverse=True):
        row = dict(line)
        quantity, price = int(row["Quantity"]), float(row["UnitPrice"])
        inside = cut_off < at <= over and price > 0 and row["StockCode"][:5].isdigit()
        if not inside or row["CustomerID"] not in spent:
            continue
        pair = (row["CustomerID"], row["StockCode"], row["UnitPrice"], abs(quantity))
        if quantity > 0 and undone[pair]:
            undone[pair] -= 1
        elif quantity > 0:
            spent[row["CustomerID"]] += quantity * price
        else:
            undone[pair] += 1
    return np.array([spent[one] for one in known])


def test_on_the_real_shop_segments_tell_what_customers_do_in_the_ninety_days_after(
    retail: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off, out = datetime(2011, 9, 10, tzinfo=UTC), tmp_path / "assignments.csv"
    found = evaluate(retail, cut_off, out, capsys)
    assert found["k"] <= 8
    assert found["r_squared"] >= 0.25
    assert found["auc"] >= 0.72
    assert found["stability"] >= 0.90
    assert found["smallest_share"] >= 0.03
    assert found["r_squared"] > found["baseline_r_squared"] > 0
    assert found["limit_r_squared"] > 0.25
    assert found["after"]["beyond_chance"] is True

    placed = assigned(out)
    segments = np.array([int(one) for one in placed.values()])
    assert sorted(set(segments.tolist())) == list(range(1, found["k"] + 1))
    assert np.min(np.bincount(segments)[1:]) / len(segments) == pytest.approx(found["smallest_share"], abs=1e-4)
    revenue = later_revenue(retail, list(placed), cut_off, cut_off + timedelta(days=90))
    foretold, chance = np.empty(len(segments)), np.empty(len(segments))
    fold = np.random.default_rng(99).permutation(len(segments)) % 5
    for one in range(5):
        for segment in range(1, found["k"] + 1):
            learn, told = (segments == segment) & (fold != one), (segments == segment) & (fold == one)
            foretold[told], chance[told] = np.log1p(revenue[learn]).mean(), (revenue[learn] > 0).mean()
    assert r2_score(np.log1p(revenue), foretold) == pytest.approx(found["r_squared"], abs=0.01)
    assert roc_auc_score(revenue > 0, chance) == pytest.approx(found["auc"], abs=0.01)
