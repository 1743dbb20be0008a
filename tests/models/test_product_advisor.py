"""What the advisor recommends from affinities worked out by hand, and what it never does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.affinity import ProductAffinities, SegmentProducts
from models.bought import Bought
from models.errors import UnknownSegment
from models.product_advisor import ProductAdvisor
from models.product_arrays import REPEAT_SHARE

PRODUCTS = tuple("ABCDEFGH")
P = len(PRODUCTS)
# A speaks for B and C, B for A, D for C and H; the others for nothing. Only G is bought again.
NEIGHBOURS: tuple[tuple[int, ...], ...] = ((1, 2), (0,), (), (2, 7), (), (), (), ())
SUPPORT: tuple[tuple[int, ...], ...] = ((20, 10), (20,), (), (8, 8), (), (), (), ())
SCORES: tuple[tuple[float, ...], ...] = ((0.5, 0.2), (0.5,), (), (0.1, 0.1), (), (), (), ())
MINED = ProductAffinities(
    customers=100,
    products=PRODUCTS,
    descriptions=("MUG", *(None,) * (P - 1)),
    buyers=(40, 30, 20, 20, 20, 10, 10, 10),
    repeat_buyers=(3, 0, 0, 0, 0, 0, 1, 0),
    recent=(5,) * P,
    neighbours=NEIGHBOURS,
    support=SUPPORT,
    scores=SCORES,
    segments={
        1: SegmentProducts(customers=50, buyers=(20, 12, 10, 10, 10, 9, 5, 5), support=SUPPORT),
        2: SegmentProducts(customers=0, buyers=(0,) * P, support=tuple((0,) * len(row) for row in SUPPORT)),
    },
)
ADVISOR = ProductAdvisor.of(MINED)

baskets = st.dictionaries(
    st.sampled_from([*PRODUCTS, "unknown"]), st.builds(Bought, st.integers(1, 5), st.floats(0, 1e9))
)


def codes(bought: dict[str, Bought] | None, segment_id: int = 1, count: int = 10, new_only: bool = False) -> list[str]:
    return [one.product for one in ADVISOR.recommend(bought, segment_id, count, new_only=new_only)]


@given(baskets, st.sampled_from((1, 2)), st.integers(0, 12), st.booleans())
def test_no_list_has_what_was_bought_unless_it_is_bought_again(
    bought: dict[str, Bought], segment_id: int, count: int, new_only: bool
) -> None:
    found = ADVISOR.recommend(bought, segment_id, count, new_only=new_only)
    products = [one.product for one in found]
    assert len(products) == len(set(products)) <= count
    for one in found:
        if one.product in bought:
            assert not new_only
            assert one.kind == "repeat"
            assert one.orders == bought[one.product].orders
            assert one.orders >= 2 or one.product == "G"
    assert found == ADVISOR.recommend(dict(reversed(bought.items())), segment_id, count, new_only=new_only)


@given(baskets, st.integers(0, 12))
def test_as_many_as_asked_for_come_where_the_shop_has_them(bought: dict[str, Bought], count: int) -> None:
    barred = {one for one, has in bought.items() if one in PRODUCTS and has.orders < 2 and one != "G"}
    assert len(codes(bought, count=count)) == min(count, P - len(barred))
    assert len(codes(bought, count=count, new_only=True)) == min(count, P - len(set(bought) & set(PRODUCTS)))


def test_a_pair_is_told_with_support_confidence_and_lift() -> None:
    first = ADVISOR.recommend({"A": Bought(1, 0.0)}, 1)[0]
    assert (first.product, first.kind) == ("B", "bought_together")
    assert first.why == "bought with A by 20 customers"
    assert first.pair is not None
    assert (first.pair.support, first.pair.segment_support) == (20, 20)
    assert first.pair.confidence == pytest.approx(20 / 40)
    assert first.pair.lift == pytest.approx((20 / 40) / (30 / 100))


def test_the_pair_named_is_the_one_that_speaks_most() -> None:
    found = {one.product: one.pair for one in ADVISOR.recommend({"A": Bought(1, 0.0), "D": Bought(1, 0.0)}, 1)}
    assert found["C"] is not None
    assert found["C"].product == "A"
    assert found["H"] is not None
    assert found["H"].product == "D"


def test_a_later_order_speaks_louder() -> None:
    early, late = ProductAdvisor.of(MINED), 86_400.0
    before = early.affinity(early.basket({"A": Bought(1, 0.0), "D": Bought(1, late)}))
    after = early.affinity(early.basket({"A": Bought(1, late), "D": Bought(1, 0.0)}))
    assert before[1] == pytest.approx(0.8 * after[1])
    assert after[7] == pytest.approx(0.8 * before[7])


def test_what_was_bought_often_and_lately_comes_before_what_was_not() -> None:
    often = {"E": Bought(2, 0.0), "F": Bought(5, 0.0)}
    assert codes(often, count=2) == ["F", "E"]
    assert codes({"E": Bought(2, 9.0), "F": Bought(2, 0.0)}, count=2) == ["E", "F"]


def test_equal_products_come_in_the_order_of_their_codes() -> None:
    assert codes({"F": Bought(2, 0.0), "E": Bought(2, 0.0)}, count=2) == ["E", "F"]


def test_who_bought_nothing_gets_what_the_segment_buys_more_than_others() -> None:
    # F: 9 of 50 members against 10 of 100 customers; no other more than all do, so by number of buyers
    assert codes(None, 1) == codes({}, 1) == ["F", "A", "B", "C", "D", "E", "G", "H"]
    first = ADVISOR.recommend(None, 1)[0]
    assert (first.kind, first.buyers, first.chance) == ("popular", 9, None)
    assert codes(None, 2) == list(PRODUCTS), "a segment of nobody takes the shop's most bought"


def test_what_sells_lately_comes_first_among_equals() -> None:
    sold = [5.0] * P
    sold[7] = 50.0
    later = ProductAdvisor.of(MINED).as_sold(np.array(sold))
    assert [one.product for one in later.recommend({"D": Bought(1, 0.0)}, 1)][:2] == ["H", "C"]
    assert codes({"D": Bought(1, 0.0)})[:2] == ["C", "H"]


def test_an_unknown_segment_is_named_in_a_sentence() -> None:
    with pytest.raises(UnknownSegment, match="no products were mined for segment 9; there are segments 1, 2"):
        ADVISOR.recommend(None, 9)


def test_a_repeat_purchase_good_is_one_a_tenth_of_its_buyers_came_back_for() -> None:
    again = {one for one, many, all_ in zip(PRODUCTS, MINED.repeat_buyers, MINED.buyers, strict=True)
             if many >= REPEAT_SHARE * all_}  # fmt: skip
    assert again == {"G"}
    assert codes({"G": Bought(1, 0.0)})[0] == "G"


def test_a_shop_without_products_recommends_none() -> None:
    empty = ProductAffinities(
        customers=3, products=(), descriptions=(), buyers=(), repeat_buyers=(), recent=(), neighbours=(), support=(),
        scores=(), segments={1: SegmentProducts(customers=3, buyers=(), support=())},
    )  # fmt: skip
    assert ProductAdvisor.of(empty).recommend({"A": Bought(2, 0.0)}, 1) == []


def test_it_is_the_same_as_json() -> None:
    assert ProductAffinities.model_validate_json(MINED.model_dump_json()) == MINED


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"buyers": (1,)}, "the columns do not fit 8 products"),
        ({"products": tuple("BACDEFGH")}, "not in ascending order"),
        ({"neighbours": ((1, 9), *NEIGHBOURS[1:])}, "a neighbour is not one of the 8 products"),
        ({"scores": ((0.5, 0.0), *SCORES[1:])}, "a score is not positive"),
        ({"buyers": (0, *MINED.buyers[1:])}, "nobody bought"),
        ({"recent": (-1, *MINED.recent[1:])}, "greater than or equal to 0"),
        ({"repeat_buyers": (10**400, *MINED.repeat_buyers[1:])}, "less than or equal to"),
    ],
)
def test_what_does_not_fit_together_is_refused(changed: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ProductAffinities.model_validate({**MINED.model_dump(), **changed})
