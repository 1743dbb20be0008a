"""What can be shown of a shop's segments is shown, and what cannot is said."""

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.artifact import Artifact
from models.customer.conventions import FORMER_CONVENTIONS
from models.model import SegmentationModel
from tests.training.conftest import Shop
from tests.training.shops import demo_shop, given_to_anybody, history_of, train
from training.cleaning import clean
from training.errors import TooFewCustomers
from training.history import History
from training.reading.read import read
from training.study import Wish, study, thin
from training.workspace import Workspace


@pytest.fixture(scope="module")
def at_random(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The model of a shop whose invoices were given to customers at random."""
    folder = tmp_path_factory.mktemp("random")
    shop = given_to_anybody(demo_shop(folder / "shop.csv", customers=400, days=280), folder / "random.csv", seed=1)
    return train(shop, folder / "models")


def test_where_nobody_has_habits_the_model_says_that_it_predicts_nothing(at_random: Artifact) -> None:
    evidence = at_random.manifest.evidence
    (backtest,) = evidence.backtests
    assert evidence.beyond_chance is False
    assert backtest.beyond_chance is False
    assert "nothing beyond chance" in backtest.says
    assert backtest.model.auc.low <= 0.5 or backtest.model.r_squared.low <= 0.0
    segments = SegmentationModel.of(at_random).segments
    for segment in segments:
        assert segment.outcome is not None
        assert "nothing beyond chance" in segment.outcome.says, segment.name


def test_where_nobody_has_habits_nothing_learned_is_chosen(at_random: Artifact) -> None:
    selection = at_random.manifest.selection
    learned = [one for one in selection.candidates if one.name.startswith("value axis")]
    assert learned
    assert {one.excluded for one in learned} == {"what it learned could not be shown to hold"}
    assert selection.winner not in learned
    assert "There is no back-test to choose by" in selection.rule
    assert SegmentationModel.of(at_random).scorer.arrays.axis is None


def test_with_ninety_days_nothing_is_claimed_of_later_and_what_it_takes_is_said(young_shop: Shop) -> None:
    manifest, model = young_shop.artifact.manifest, SegmentationModel.of(young_shop.artifact)
    assert manifest.evidence.backtests == ()
    assert manifest.evidence.beyond_chance is None
    (said,) = manifest.evidence.unproved
    assert re.search("the purchases go back 8[89] days, and a back-test needs 150, 60 to know customers by", said)
    assert all(one.auc is None and one.r_squared is None for one in manifest.selection.candidates)
    assert model.scorer.arrays.axis is None
    for segment in model.segments:
        assert segment.outcome is None
        assert segment.uplift is not None
        assert segment.uplift.assumed
        assert segment.uplift.base == 0.5
        assert "is assumed" in segment.uplift.says


def test_with_few_customers_and_days_the_model_warns(young_shop: Shop) -> None:
    few, short = young_shop.artifact.manifest.evidence.warnings
    assert re.match(r"only (29|30)\d customers have bought", few)
    assert "with fewer than 500 segments are a rough sketch" in few
    assert re.search("only 8[89] days of purchases; with fewer than 180", short)


def test_with_one_cut_off_there_is_a_back_test_and_no_axis(tmp_path: Path) -> None:
    shop = demo_shop(tmp_path / "shop.csv", customers=200, days=170)
    with Workspace() as workspace:
        history = history_of(shop, workspace)
        found = study(history, history.customers(history.as_of), Wish([4], 0), lambda _: None)
    assert found.trial is not None
    assert found.segmentation.backtest is not None
    (said,) = found.unproved
    assert "No axis of value was learned: that needs 240 days of history" in said
    assert all(not one.name.startswith("value axis") for one in found.segmentation.selection.candidates)


def bought_once(folder: Path, customers: int, orders: int, workspace: Workspace) -> History:
    """Customers with as many orders each, 200 days in all."""
    file = folder / "shop.csv"
    header = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
    random = np.random.default_rng(0)
    days = random.integers(0, 200, (customers, orders))
    rows = [
        f"{who}0{order},21730,{1 + who % 9},2011-{1 + int(day) // 28:02}-{1 + int(day) % 28:02},{1 + who % 7},{who}\n"
        for who in range(customers)
        for order, day in enumerate(days[who].tolist())
    ]
    file.write_text(header + "".join(rows))
    moment = datetime(2011, 9, 1, tzinfo=UTC)
    return History(clean(read([str(file)], workspace), FORMER_CONVENTIONS, moment, workspace), moment, 90, workspace)


def test_where_nobody_has_three_orders_it_is_said_that_nobody_can_be_loyal(tmp_path: Path) -> None:
    with Workspace() as workspace:
        twice, thrice = (bought_once(tmp_path, 510, orders, workspace) for orders in (2, 3))
        assert thin(twice, twice.customers(twice.as_of)) == (
            "nobody has 3 orders, so loyal customers cannot be told from others",
        )
        assert thin(thrice, thrice.customers(thrice.as_of)) == ()


def test_fewer_than_fifty_customers_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with Workspace() as workspace:
        few = bought_once(tmp_path, 49, 2, workspace)
        with pytest.raises(
            TooFewCustomers, match="49 customers have a purchase left after cleaning, and segments need"
        ):
            study(few, few.customers(few.as_of), Wish([4], 0), lambda _: None)
