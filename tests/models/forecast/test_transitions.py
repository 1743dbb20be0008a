"""What becomes of customers, and what moves them up: always as the scorer says on the day, after the purchase."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.axis import Axis
from models.customer.conventions import FORMER_CONVENTIONS
from models.features import FEATURES, NAMES, compute
from models.fold import fold
from models.forecast.transitions import (
    HORIZON_DAYS,
    MOST_ORDERS,
    ByOrders,
    BySpend,
    Decay,
    NextSegment,
    TransitionForecast,
    columns_of,
)
from models.line import Line
from models.scorer import Scorer
from models.scorer_arrays import Membership, ScorerArrays
from models.summary import Summaries
from tests.shop import DAY, LINES, bought, day

MIDNIGHT = datetime(2011, 12, 10, tzinfo=UTC)
LARGEST = {
    "recency": 400.0,
    "frequency": 30.0,
    "monetary": 900.0,
    "tenure": 800.0,
    "mean_gap": 300.0,
    "average_order_value": 60.0,
    "return_rate": 0.9,
    "age": 90.0,
}
MOST_SPEND = 400  # up to which every spend is tried


class Case(NamedTuple):
    """A customer before a model. `known` has all features, those that decide too."""

    scorer: Scorer
    ranks: Sequence[int]
    known: Mapping[str, float]
    as_of: datetime

    @property
    def values(self) -> list[float]:
        return [self.known[name] for name in self.scorer.features]

    @property
    def nearest(self) -> int:
        return self.scorer.place(self.values).nearest

    @property
    def outlook(self) -> TransitionForecast:
        return TransitionForecast(self.scorer, self.ranks)


def number(low: float, high: float) -> st.SearchStrategy[float]:
    """Round numbers too, so that customers lie exactly on bounds and halfway between centres."""
    return st.one_of(st.floats(low, high), st.integers(int(low), int(high)).map(float))


def scorer_of(features: Sequence[str], **arrays: Any) -> Scorer:
    """A scorer that neither clips nor scales, where not told otherwise."""
    d = len(features)
    told: dict[str, Any] = {
        "transform": "identity", "lower": (0.0,) * d, "upper": (1e6,) * d, "mean": (0.0,) * d, "scale": (1.0,) * d,
        "segment_ids": tuple(range(1, len(arrays["centres"]) + 1)),
        "membership": Membership(distance=(0.0,), kept=(1.0,), to_runner_up=1.0),
    }  # fmt: skip
    return Scorer(ScorerArrays(features=tuple(features), **{**told, **arrays}))


@st.composite
def scorers(draw: st.DrawFn, closed: bool = False) -> Scorer:
    """Any features, bounds, transform and centres; with an axis or without. With `closed` such as have an outlook in
    closed form: an axis of the logs of the usual features."""
    any_of_them = st.lists(st.sampled_from(list(LARGEST)), min_size=1, max_size=4, unique=True)
    usual = st.sets(st.sampled_from(["mean_gap", "age"])).flatmap(
        lambda more: st.permutations(["recency", "frequency", "monetary", *sorted(more)])
    )
    features = draw(usual if closed else st.one_of(any_of_them, usual))
    weight = st.floats(-2, 2).map(lambda value: round(value, 3))
    transform = "log1p" if closed else draw(st.sampled_from(["log1p", "identity"]))
    ends = [sorted([draw(number(0, LARGEST[name])), draw(number(0, LARGEST[name]))]) for name in features]
    lower, upper = zip(*ends, strict=True)
    mean = [1.0 if transform == "log1p" else round(high / 2) for high in upper]
    scale = [draw(st.sampled_from([0.5, 1.0, 1.5])) * (1.0 if transform == "log1p" else 1 + high) for high in upper]
    d, k = len(features), draw(st.integers(2, 5))
    told = {"transform": transform, "lower": lower, "upper": upper, "mean": mean, "scale": scale}
    if not closed and not draw(st.booleans()):
        row = st.tuples(*[weight] * d)
        return scorer_of(features, **told, centres=draw(st.lists(row, min_size=k, max_size=k, unique=True)))
    half = np.array([[draw(weight) for _ in range(d)] for _ in range(d)])
    centres = np.array(draw(st.lists(weight, min_size=k, max_size=k, unique=True)))
    axis = Axis(
        linear=tuple(draw(weight) for _ in range(d)),
        products=(half + half.T).tolist(),
        middles=np.tile(centres[:, None] / d, d).tolist(),
    )
    return scorer_of(features, **told, centres=centres[:, None].tolist(), axis=axis)


@st.composite
def cases(draw: st.DrawFn, closed: bool = False) -> Case:
    scorer = draw(scorers(closed))
    known = {name: draw(number(0, high)) for name, high in LARGEST.items()}
    known["frequency"] = float(draw(st.sampled_from([1, 1, 2, 3, 12])))
    if draw(st.booleans()):  # as a customer with one order really is
        known["frequency"], known["tenure"], known["mean_gap"] = 1.0, known["recency"], known["recency"]
    seconds = draw(st.one_of(st.just(0), st.just(43_200), st.integers(0, 86_399)))
    ranks = draw(st.permutations(range(1, len(scorer.arrays.centres) + 1)))
    return Case(scorer, ranks, known, MIDNIGHT + timedelta(seconds=seconds))


@settings(max_examples=400)
@given(cases(closed=True))
def test_in_closed_form_the_same_is_found_as_step_by_step(case: Case) -> None:
    closed, stepwise = case.outlook, case.outlook
    assert closed._closed
    stepwise._closed = False
    values = case.values
    assert closed.decay(values, case.known, case.as_of, case.nearest) == stepwise.decay(
        values, case.known, case.as_of, case.nearest
    )
    assert closed.next_segment(values, case.known, case.nearest) == stepwise.next_segment(
        values, case.known, case.nearest
    )


def on(moment: datetime, case: Case) -> int:
    """The segment at a later moment if nothing is bought."""
    days = (moment - case.as_of) / timedelta(days=1)
    growing = {"recency", "tenure"} | ({"mean_gap"} if case.known["frequency"] == 1 else set())
    later = {name: value + days if name in growing else value for name, value in case.known.items()}
    return case.scorer.place([later[name] for name in case.scorer.features]).nearest


def after(orders: int, value: float, case: Case) -> int:
    """The segment after so many further orders of a value, at once."""
    old = case.known
    frequency, spent = old["frequency"] + orders, orders * value
    new = {
        **old,
        "recency": 0.0,
        "frequency": frequency,
        "monetary": old["monetary"] + spent,
        "mean_gap": old["tenure"] / (frequency - 1),
    }
    if value != old["average_order_value"]:
        new["average_order_value"] = (old["average_order_value"] * old["frequency"] + spent) / frequency
    if old["return_rate"] > 0 and old["monetary"] > 0:
        all_bought = old["monetary"] / (1 - old["return_rate"])
        new["return_rate"] = old["return_rate"] * all_bought / (all_bought + spent)
    return case.scorer.place([new[name] for name in case.scorer.features]).nearest


@given(cases())
def test_decay_is_the_first_midnight_at_which_the_scorer_says_another_segment(case: Case) -> None:
    midnights = [MIDNIGHT + timedelta(days=number) for number in range(1, HORIZON_DAYS + 1)]
    expected = next(
        (Decay(one.date(), on(one, case)) for one in midnights if on(one, case) != case.nearest),
        None,
    )
    assert case.outlook.decay(case.values, case.known, case.as_of, case.nearest) == expected


@given(cases())
def test_the_fewest_orders_are_the_first_after_which_the_scorer_says_a_better_segment(case: Case) -> None:
    value = case.known["average_order_value"]
    found = case.outlook.next_segment(case.values, case.known, case.nearest)
    reached = [(number, after(number, value, case)) for number in range(1, MOST_ORDERS + 1)]
    expected = next(((*one, value) for one in reached if case.ranks[one[1]] < case.ranks[case.nearest]), None)
    assert (found.by_orders if found else None) == (expected if value > 0 else None)


@given(cases())
def test_the_smallest_spend_is_the_first_after_which_the_scorer_says_a_better_segment(case: Case) -> None:
    found = case.outlook.next_segment(case.values, case.known, case.nearest)
    spend = found.by_spend if found else None
    if case.known["average_order_value"] < 1:
        return  # the bound is no whole unit, or there is no order value
    dearest = int(1000 * case.known["average_order_value"])
    reached = ((value, after(1, value, case)) for value in range(1, min(MOST_SPEND, dearest) + 1))
    expected = next((one for one in reached if case.ranks[one[1]] < case.ranks[case.nearest]), None)
    if spend is None or spend.spend <= MOST_SPEND:
        assert spend == expected
    else:
        assert expected is None
        assert spend.spend <= dearest
        assert after(1, spend.spend, case) == spend.becomes
        assert case.ranks[spend.becomes] < case.ranks[case.nearest]
        assert case.ranks[after(1, spend.spend - 1, case)] >= case.ranks[case.nearest]


@given(
    st.booleans().flatmap(lambda closed: st.lists(cases(closed), min_size=1, max_size=5)),
    st.sets(st.sampled_from([*LARGEST])),
)
def test_one_by_one_and_many_at_once_are_the_same(customers: list[Case], unknown: set[str]) -> None:
    scorer, ranks = customers[0].scorer, customers[0].ranks
    same = [case._replace(scorer=scorer, ranks=ranks) for case in customers]
    known = [{name: value for name, value in case.known.items() if name not in unknown} for case in same]
    outlook = TransitionForecast(scorer, ranks)
    values, nearest = np.array([case.values for case in same]), np.array([case.nearest for case in same])
    rows = list(zip(same, known, strict=True))
    assert outlook.decays(values, columns_of(known), [case.as_of for case in same], nearest).listed() == [
        outlook.decay(case.values, one, case.as_of, case.nearest) for case, one in rows
    ]
    assert outlook.next_segments(values, columns_of(known), nearest).listed() == [
        outlook.next_segment(case.values, one, case.nearest) for case, one in rows
    ]


def test_thousands_whose_one_order_has_another_gap_are_told_the_same_in_closed_form_and_without() -> None:
    random = np.random.default_rng(0)
    weights = np.array([[-0.1, 0.0, 0.02, 0.05], [0.0, 0.1, 0.0, 0.0], [0.02, 0.0, -0.05, 0.0], [0.05, 0.0, 0.0, -0.1]])
    scorer = scorer_of(
        ("recency", "frequency", "monetary", "mean_gap"),
        transform="log1p",
        upper=(370.0, 50.0, 1e5, 300.0),
        mean=(4.0, 1.0, 6.0, 4.0),
        centres=((-2.0,), (-0.5,), (0.5,), (2.0,)),
        axis=Axis(
            linear=(-0.8, 0.5, 0.3, -0.4),
            products=weights.tolist(),
            middles=[(middle / 4,) * 4 for middle in (-2.0, -0.5, 0.5, 2.0)],
        ),
    )
    outlook, stepwise = TransitionForecast(scorer, (4, 3, 2, 1)), TransitionForecast(scorer, (4, 3, 2, 1))
    stepwise._closed = False
    n = 4_000
    recency = random.uniform(0, 300, n).round()
    values = np.column_stack([recency, np.ones(n), random.lognormal(6, 1, n), random.uniform(0, 300, n).round()])
    as_of = [MIDNIGHT + timedelta(hours=int(hours)) for hours in random.integers(0, 24, n)]
    nearest = scorer.place_many(values).nearest
    found, expected = (one.decays(values, {}, as_of, nearest) for one in (outlook, stepwise))
    assert found.on.tolist() == expected.on.tolist()
    assert found.becomes[found.on > 0].tolist() == expected.becomes[found.on > 0].tolist()
    assert 0 < (found.on > 0).sum() < n


def test_who_is_on_a_border_some_day_is_left_to_the_scorer() -> None:
    border = float(np.log1p(20.0))
    scorer = scorer_of(
        ("recency", "frequency", "monetary"),
        transform="log1p",
        centres=((border - 1,), (border + 1,)),
        axis=Axis(
            linear=(1.0, 0.0, 0.0), products=((0.0,) * 3,) * 3, middles=((border - 1, 0.0, 0.0), (border + 1, 0.0, 0.0))
        ),
    )
    outlook = TransitionForecast(scorer, (1, 2))
    values, nearest = np.array([[10.0, 2.0, 50.0], [10.5, 2.0, 50.0]]), np.array([0, 0])
    last, midnight = np.full(2, float(HORIZON_DAYS)), np.zeros(2)
    scaled = list(scorer.scaled(values).T)
    with np.errstate(all="ignore"):
        found = outlook._leave_many.grow((0,), values[:, 0], scaled, nearest, last, midnight)
    assert found.doubtful.tolist() == [True, False]
    assert outlook.decays(values, {}, [MIDNIGHT] * 2, nearest).listed() == [
        outlook.decay(one, {}, MIDNIGHT, 0) for one in values.tolist()
    ]


NEAR_AND_FAR = scorer_of(("recency",), centres=((10.0,), (100.0,)))


def test_a_customer_worked_out_by_hand() -> None:
    # Halfway between the centres is 55 days, which 50 days at noon are at noon five days later.
    outlook = TransitionForecast(NEAR_AND_FAR, (1, 2))
    noon = datetime(2011, 12, 9, 12, tzinfo=UTC)
    assert outlook.decay([50.0], {}, noon, 0) == Decay(date(2011, 12, 15), 1)
    assert outlook.decay([200.0], {}, noon, 1) is None
    assert outlook.next_segment([200.0], {"average_order_value": 30.0}, 1) == NextSegment(
        ByOrders(1, 0, 30.0), BySpend(1, 0)
    )


def test_orders_and_spend_may_lead_to_different_segments() -> None:
    scorer = scorer_of(("frequency", "monetary"), centres=((1.0, 100.0), (40.0, 100.0), (1.0, 600.0)))
    known = {"average_order_value": 1.0}
    found = TransitionForecast(scorer, (3, 2, 1)).next_segment([1.0, 100.0], known, 0)
    assert found == NextSegment(ByOrders(20, 1, 1.0), BySpend(251, 2))
    assert TransitionForecast(scorer, (2, 3, 1)).next_segment([1.0, 100.0], known, 0) == NextSegment(
        None, BySpend(251, 2)
    )
    assert TransitionForecast(scorer, (2, 1, 3)).next_segment([1.0, 100.0], known, 0) == NextSegment(
        ByOrders(20, 1, 1.0), None
    )


def test_the_best_segment_has_no_next() -> None:
    outlook = TransitionForecast(NEAR_AND_FAR, (1, 2))
    assert outlook.next_segment([5.0], {"average_order_value": 30.0}, 0) is None
    assert outlook.next_segments(
        np.array([[5.0]]), columns_of([{"average_order_value": 30.0}]), np.array([0])
    ).listed() == [None]


@pytest.mark.parametrize(
    "known", [{}, {"frequency": 4.0}, {"average_order_value": 0.0}, {"frequency": 4.0, "monetary": -20.0}]
)
def test_without_an_order_value_there_is_no_next(known: dict[str, float]) -> None:
    outlook = TransitionForecast(NEAR_AND_FAR, (1, 2))
    assert outlook.next_segment([200.0], known, 1) is None
    assert outlook.next_segments(np.array([[200.0]]), columns_of([known]), np.array([1])).listed() == [None]


def test_net_spending_by_orders_stands_in_for_the_order_value() -> None:
    scorer = scorer_of(("monetary",), centres=((100.0,), (200.0,)))
    found = TransitionForecast(scorer, (2, 1)).next_segment([100.0], {"frequency": 5.0}, 0)
    assert found == NextSegment(ByOrders(3, 1, 20.0), BySpend(51, 1))


def test_what_has_no_meaning_in_time_or_in_orders_has_no_outlook() -> None:
    scorer = scorer_of(("age", "income"), centres=((20.0, 100.0), (40.0, 200.0)))
    outlook = TransitionForecast(scorer, (2, 1))
    known = {"recency": 3.0, "frequency": 2.0, "average_order_value": 30.0}
    assert outlook.decay([20.0, 100.0], known, MIDNIGHT, 0) is None
    assert outlook.next_segment([20.0, 100.0], known, 0) is None
    assert outlook.decays(np.array([[20.0, 100.0]]), columns_of([known]), [MIDNIGHT], np.array([0])).listed() == [None]
    assert outlook.next_segments(np.array([[20.0, 100.0]]), columns_of([known]), np.array([0])).listed() == [None]


def test_a_tenure_that_is_not_told_is_the_gaps_between_the_orders_and_the_wait_since_the_last() -> None:
    scorer = scorer_of(("recency", "frequency", "mean_gap"), centres=((90.0, 1.0, 300.0), (0.0, 20.0, 20.0)))
    outlook, values = TransitionForecast(scorer, (2, 1)), [50.0, 3.0, 100.0]
    known = {"average_order_value": 30.0}
    told = outlook.next_segment(values, {**known, "tenure": 250.0}, 0)
    assert told is not None
    assert outlook.next_segment(values, known, 0) == told
    assert outlook.next_segments(np.array([values]), columns_of([known]), np.array([0])).listed() == [told]


@pytest.mark.parametrize(
    ("known", "grows"),
    [
        ({"frequency": 1.0}, True),
        ({"frequency": 2.0, "tenure": 50.0}, False),
        ({"tenure": 50.0}, True),
        ({"tenure": 51.0}, False),
        ({}, False),
    ],
)
def test_the_mean_gap_grows_with_a_single_order_only(known: dict[str, float], grows: bool) -> None:
    scorer = scorer_of(("mean_gap",), centres=((10.0,), (100.0,)))
    found = TransitionForecast(scorer, (1, 2)).decay([50.0], known, MIDNIGHT, 0)
    assert found == (Decay(date(2011, 12, 16), 1) if grows else None)


def test_the_largest_figures_are_counted_to_the_unit() -> None:
    scorer = scorer_of(("monetary",), upper=(1e12,), centres=((0.0,), (1e12,)))
    found = TransitionForecast(scorer, (2, 1)).next_segment([-1e12], {"average_order_value": 1e12}, 0)
    assert found == NextSegment(ByOrders(2, 1, 1e12), BySpend(1_500_000_000_001, 1))


@given(LINES, st.integers(1, 500))
def test_the_features_grow_as_their_table_says(lines: list[Line], days: int) -> None:
    summary = fold(lines, day(21), FORMER_CONVENTIONS).summary
    if summary is None:
        return
    before, later = (compute(Summaries.of([summary]), day(21 + shift))[0] for shift in (0, days))
    grown = {"never": 0, "always": days, "while one order": days if summary.orders == 1 else 0}
    for feature, old, new in zip(FEATURES, before.tolist(), later.tolist(), strict=True):
        if old == old:  # products need product codes
            assert new - old == pytest.approx(grown[feature.grows]), feature.name


# As the models trained on transactions are.
SHOP = scorer_of(
    ("recency", "frequency", "monetary", "tenure"),
    transform="log1p",
    upper=(400.0, 90.0, 1e5, 400.0),
    mean=(4.0, 1.2, 3.0, 4.5),
    scale=(1.3, 0.7, 1.5, 1.0),
    centres=((-1.5, 1.5, 1.5, 0.5), (-0.5, 0.2, 0.2, 0.1), (-0.2, -0.6, -0.8, -1.2), (0.8, -0.6, -0.7, 0.6)),
)


def folded(lines: list[Line], at: float) -> dict[str, float] | None:
    summary = fold(lines, at, FORMER_CONVENTIONS).summary
    return dict(zip(NAMES, compute(Summaries.of([summary]), at)[0].tolist(), strict=True)) if summary else None


def placed(lines: list[Line], at: float) -> int:
    features = folded(lines, at)
    assert features is not None
    return SHOP.place([features[name] for name in SHOP.features]).nearest


@given(LINES, st.floats(20, 200))
def test_the_lines_themselves_say_so_on_the_day_and_after_the_purchase(lines: list[Line], now: float) -> None:
    features = folded(lines, day(now))
    if features is None:
        return
    values = [features[name] for name in SHOP.features]
    outlook, nearest = TransitionForecast(SHOP, (1, 2, 3, 4)), placed(lines, day(now))
    decay = outlook.decay(values, features, datetime.fromtimestamp(day(now), UTC), nearest)
    if decay is not None:
        midnight = datetime(decay.on.year, decay.on.month, decay.on.day, tzinfo=UTC).timestamp()
        assert placed(lines, max(midnight - DAY, day(now))) == nearest
        assert placed(lines, midnight) == decay.becomes
    step = outlook.next_segment(values, features, nearest)
    if step is not None and step.by_orders is not None:
        price = features["average_order_value"]
        more = [bought(f"more {number}", "A", 1, price, on=now) for number in range(step.by_orders.orders)]
        assert placed([*lines, *more], day(now)) == step.by_orders.becomes
        assert len(more) == 1 or placed([*lines, *more[1:]], day(now)) >= nearest
    if step is not None and step.by_spend is not None:
        assert placed([*lines, bought("more", "A", 1, step.by_spend.spend, on=now)], day(now)) == step.by_spend.becomes
