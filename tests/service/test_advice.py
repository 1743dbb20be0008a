"""Advice is put together from prepared pieces of JSON, and is the JSON of the whole."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from models.affinity import ProductAffinities, SegmentProducts
from models.bought import Bought
from models.model import SegmentationModel
from models.product_advisor import ProductAdvisor
from service.advice import Advice
from service.number_texts import SHARE_DECIMALS

TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(['{"product":"A"', "\\", '\\"', '"', "\x7f\u2028", "É 😀"]))


def selling(products: list[str], description: str, model: SegmentationModel) -> SegmentationModel:
    """The model with other products: the first speaks for the second, the last is bought again."""
    p = len(products)
    neighbours, ones, scores = ((1,), *((),) * (p - 1)), ((1,), *((),) * (p - 1)), ((0.5,), *((),) * (p - 1))
    mined = ProductAffinities(
        customers=10_000, products=tuple(products), descriptions=(None, *(description,) * (p - 1)),
        buyers=(5_000,) * p, repeat_buyers=(*(0,) * (p - 1), 5_000), recent=(1,) * p, neighbours=neighbours,
        support=ones, scores=scores,
        segments={one.id: SegmentProducts(customers=10, buyers=(7,) * p, support=ones) for one in model.segments},
    )  # fmt: skip
    return replace(model, advisor=ProductAdvisor.of(mined))


@given(st.lists(TEXTS, min_size=4, max_size=12, unique=True).map(sorted), TEXTS)
def test_products_of_any_code_and_description_are_told_as_they_are(
    model: SegmentationModel, products: list[str], description: str
) -> None:
    shop = selling(products, description, model)
    assert shop.advisor is not None
    advice = Advice(shop, shop.playbooks)
    bought = {products[0]: Bought(1, 0.0), products[-1]: Bought(3, 0.0)}
    expected = [
        {
            "product": one.product,
            "description": one.description,
            "kind": one.kind,
            "why": one.why,
            "chance": one.chance and round(one.chance, SHARE_DECIMALS),
        }
        for one in shop.advisor.recommend(bought, shop.segments[0].id)
    ]
    assert {one["kind"] for one in expected} == {"repeat", "bought_together", "popular"}
    own = advice.own_products(bought, 0)
    assert own is not None
    assert json.loads(own) == expected
    answered = json.loads(advice.of_customer(0, "17850", {}, own))
    assert answered["offers"] == expected
    assert answered["products"] == [one["product"] for one in expected]
    popular = json.loads(advice.of_segment(0))
    assert popular["products"] == [one["product"] for one in popular["offers"]]
