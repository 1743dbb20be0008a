"""Who moved over a retrain and why: whoever the model before would have moved, too, changed themselves."""

import csv
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.manifest import Manifest
from models.model import Reference, SegmentationModel
from models.movement import Movements
from models.scorer import Scorer
from models.scorer_arrays import Membership, ScorerArrays
from training.customers import Customers
from training.errors import UnreadableSource
from training.history import HORIZON, History
from training.movements import Journeys, movements, unavailable, write_movers
from training.preparation.prepare import prepare
from training.reading.options import NO_OPTIONS
from training.workspace import Workspace

VERSION, THEN = "20111101-0123456789abcdef", datetime(2011, 11, 1, tzinfo=UTC)
NAMES = {1: "Loyal", 2: "At risk", 3: "Lost", 4: "New"}
SEGMENT = st.sampled_from(sorted(NAMES))
# By id: the segment then by the model before (None: not known then), and now by the model before and by this one.
Shop = Mapping[str, tuple[int | None, tuple[int, int] | None]]
SHOPS = st.dictionaries(
    st.text("abc_,\"'é17", min_size=1, max_size=4),
    st.tuples(st.none() | SEGMENT, st.none() | st.tuples(SEGMENT, SEGMENT)),
    max_size=30,
)


def ids(given: Sequence[int | None]) -> NDArray[np.int64]:
    return np.array(given, dtype=np.int64)


def journeys_of(shop: Shop, then_order: Sequence[str] = (), now_order: Sequence[str] = ()) -> Journeys:
    then = {one: shop[one][0] for one in then_order or shop if shop[one][0] is not None}
    now = {one: found for one in now_order or shop if (found := shop[one][1]) is not None}
    still, after = ([place[index] for place in now.values()] for index in (0, 1))
    return Journeys.of(list(then), ids(list(then.values())), list(now), ids(still), ids(after))


def model() -> SegmentationModel:
    """A model whose segments 1 to 3 are the nearest of three centres of recency (days) and frequency."""
    arrays = ScorerArrays(
        features=("recency", "frequency"), transform="identity", lower=(-1e9, -1e9), upper=(1e9, 1e9), mean=(0.0, 0.0),
        scale=(1.0, 1.0), centres=((20.0, 10.0), (20.0, 2.0), (200.0, 2.0)), segment_ids=(1, 2, 3),
        membership=Membership(distance=(0.0,), kept=(1.0,), to_runner_up=1.0),
    )  # fmt: skip
    told: dict[str, Any] = {"as_of": THEN}
    return SegmentationModel(
        version=VERSION,
        digest="",
        manifest=Manifest.model_construct(**told),
        scorer=Scorer(arrays),
        segments=(),
        playbooks={},
        reference=Reference(values=(), segment_ids=()),
    )


BEFORE = model()


def report_of(shop: Shop) -> Movements:
    return movements(BEFORE, journeys_of(shop))


def why(before: int, still: int, after: int) -> str:
    """The reason as the plan words it."""
    if before == after:
        return "stayed"
    if still == after:
        return "customer changed"
    return "model changed" if still == before else "both"


# What is counted --------------------------------------------------------------------------------------


@given(SHOPS)
def test_every_customer_is_counted_once_and_for_the_right_reason(shop: Shop) -> None:
    both = [(then, *now) for then, now in shop.values() if then is not None and now is not None]
    expected = Counter(why(*one) for one in both)
    report = report_of(shop)
    reasons = (report.customer_changed, report.model_changed, report.both)
    assert reasons == (expected["customer changed"], expected["model changed"], expected["both"])
    assert (report.known, report.stayed, report.moved) == (len(both), expected["stayed"], sum(reasons))
    assert report.known + report.new == sum(now is not None for _, now in shop.values())
    assert report.known + report.gone == sum(then is not None for then, _ in shop.values())
    flows = Counter((before, after) for before, _, after in both if before != after)
    assert {(one.from_id, one.to_id): one.customers for one in report.flows} == flows
    assert [one.customers for one in report.flows] == sorted(flows.values(), reverse=True)
    for reason in ("customer_changed", "model_changed", "both"):
        assert sum(getattr(one, reason) for one in report.flows) == getattr(report, reason)


@given(SHOPS, st.integers(0, 2**32))
def test_the_order_of_customers_changes_nothing(shop: Shop, seed: int) -> None:
    shuffled = random.Random(seed)
    one, other = (
        journeys_of(shop, *(shuffled.sample(list(shop), len(shop)) for _ in range(2))) for _ in range(2)
    )  # fmt: skip
    assert list(one.ids) == list(other.ids)
    assert one.why.tolist() == other.why.tolist()
    assert movements(BEFORE, one) == movements(BEFORE, other)


@given(st.dictionaries(st.text(min_size=1, max_size=4), SEGMENT, max_size=30))
def test_nobody_moves_where_neither_model_nor_customers_changed(segments: Mapping[str, int]) -> None:
    report = report_of({one: (segment, (segment, segment)) for one, segment in segments.items()})
    assert (report.stayed, report.moved, report.flows) == (len(segments), 0, ())


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.tuples(SEGMENT, SEGMENT), max_size=30))
def test_a_change_of_one_kind_is_never_put_down_to_the_other(pairs: Mapping[str, tuple[int, int]]) -> None:
    same_model = report_of({one: (before, (after, after)) for one, (before, after) in pairs.items()})
    same_customers = report_of({one: (before, (before, after)) for one, (before, after) in pairs.items()})
    assert same_model.customer_changed == same_model.moved
    assert same_customers.model_changed == same_customers.moved == same_model.moved


def test_a_customer_whom_the_model_puts_back_has_not_moved() -> None:
    report = report_of({"17850": (1, (2, 1)), "12346": (1, (1, 1))})
    assert (report.stayed, report.moved_back, report.moved) == (2, 1, 0)


def test_a_report_that_cannot_be_made_counts_nobody_and_says_why() -> None:
    report = unavailable(BEFORE, "this data does not go back to its moment")
    assert (report.previous, report.previous_as_of, report.known, report.new) == (VERSION, THEN, 0, 0)
    assert report.unavailable is not None
    assert VERSION in report.unavailable
    assert report.unavailable.endswith("this data does not go back to its moment.")


def test_a_customer_with_two_places_is_refused() -> None:
    with pytest.raises(ValueError, match="id comes twice"):
        Journeys.of(["17850", "17850"], ids([1, 2]), ["17850"], ids([1]), ids([1]))
    with pytest.raises(ValueError, match="do not fit 1 customers then and 2 now"):
        Journeys.of(["17850"], ids([1]), ["17850", "12346"], ids([1, 1]), ids([1]))


# The file ---------------------------------------------------------------------------------------------


@given(shop=SHOPS)
def test_the_file_has_every_mover_with_ids_as_they_are(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "movers.csv"
    write_movers(path, journeys_of(shop), NAMES)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["customer_id", "from_segment_id", "from_segment", "to_segment_id", "to_segment", "why"]
    assert rows == [
        [one, str(then), NAMES[then], str(now[1]), NAMES[now[1]], why(then, *now)]
        for one, (then, now) in sorted(shop.items()) if then is not None and now is not None and then != now[1]
    ]  # fmt: skip


def test_a_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="its folder does not exist"):
        write_movers(tmp_path / "nowhere" / "movers.csv", journeys_of({"17850": (1, (2, 2))}), NAMES)


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    (tmp_path / "movers.csv").mkdir()
    with pytest.raises(UnreadableSource, match=r"cannot write .*movers\.csv: Is a directory"):
        write_movers(tmp_path / "movers.csv", journeys_of({"17850": (1, (2, 2))}), NAMES)
    assert [one.name for one in tmp_path.iterdir()] == ["movers.csv"]


def test_what_cannot_be_written_whole_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "movers.csv"
    path.write_text("of last month")
    with pytest.raises(UnicodeEncodeError):
        write_movers(path, journeys_of({"a": (1, (2, 2)), "b\ud800": (1, (2, 2))}), NAMES)
    assert path.read_text() == "of last month"
    assert [one.name for one in tmp_path.iterdir()] == ["movers.csv"]


# A real shop ------------------------------------------------------------------------------------------


def test_with_the_same_model_a_real_shop_moves_because_its_customers_do(retail: str) -> None:
    def placed(customers: Customers) -> NDArray[np.int64]:
        return BEFORE.scorer.place_many(customers.matrix(BEFORE.scorer.features)).nearest.astype(np.int64) + 1

    with Workspace() as workspace:
        prepared = prepare([retail], workspace, NO_OPTIONS)
        as_of = prepared.as_of
        history = History(prepared.cleaned, as_of, HORIZON, workspace)
        then, now = history.customers(THEN), history.customers(as_of)
        before_the_first = history.customers(datetime(2010, 11, 1, tzinfo=UTC))
    assert before_the_first.known.ids == ()
    report = movements(BEFORE, Journeys.of(then.known.ids, placed(then), now.known.ids, placed(now), placed(now)))
    assert report.known + report.new == len(now.known.ids)
    assert report.known + report.gone == len(then.known.ids)
    assert report.moved == report.customer_changed > 500
