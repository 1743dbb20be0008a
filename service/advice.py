"""What to do about a customer, as JSON: what depends on the segment alone was encoded beforehand."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from models.bought import Bought
from models.holdout import held_out
from models.model import SegmentationModel
from models.playbook import Playbooks, playbook_for
from models.product_advisor import COUNT, ProductAdvisor
from models.recommended_product import RecommendedProduct
from models.segment import Segment
from service.number_texts import share_text

# Around the code of an offer, as JSON. Inside a text the quotes would be escaped, so that nothing else looks like this.
BEFORE_CODE, BEHIND_CODE = '{"product":', ',"description":'


class Advice:
    """The advice of one model. Segments are known by their index among the model's."""

    def __init__(self, model: SegmentationModel, playbooks: Playbooks) -> None:
        self._advisor = model.advisor
        self._ids = [one.id for one in model.segments]
        self._tells_orders = model.manifest.source == "transactions"
        books = [playbook_for(playbooks, one.name) for one in model.segments]
        self._discounts = [book.discount for book in books]
        self._described = {} if model.advisor is None else _described(model.advisor)
        offers = [self._offers(self._popular(one)) for one in model.segments]
        uplifts = [one.uplift.uplift if one.uplift else None for one in model.segments]
        self._openings = [f'{_json(book.model_dump())[:-1]},"discount_most_percent":' for book in books]
        self._uplifts = [f',"detectable_uplift":{_json(uplift)}' for uplift in uplifts]
        # Recommendations of those offered what the segment buys, as text and as bytes.
        self._usual: dict[tuple[int, int, bool], tuple[str, bytes]] = {}
        self._popular_products = [_products(of_segment) for of_segment in offers]

    def own_products(self, bought: Mapping[str, Bought], segment: int) -> str | None:
        """The products to offer to a customer who bought these, as a JSON list; None where only those of the segment
        are known."""
        if self._advisor is None or not bought:
            return None
        return self._offers(self._advisor.recommend(bought, self._ids[segment], COUNT))

    def of_customer(self, segment: int, customer_id: str, features: Mapping[str, Any], own_products: str | None) -> str:
        """A `Recommendation` as JSON. `own_products` is what `own_products` said, None for the segment's."""
        kept_out = held_out(customer_id)
        most = self._highest(segment, features.get("frequency"), features.get("recency"))
        if own_products is not None:
            return self._with(segment, most, kept_out, _products(own_products))
        return self._usual_of(segment, most, kept_out)[0]

    def of_customers(
        self, segments: NDArray[np.intp], customer_ids: Sequence[str], features: Mapping[str, NDArray[np.float64]]
    ) -> list[bytes]:
        """The same for n customers of whom no products are known; `segments` and each of `features` have shape (n,)."""
        unknown = np.full(len(segments), np.nan)
        frequency, recency = (
            features.get(name, unknown) if self._tells_orders else unknown for name in ("frequency", "recency")
        )
        most = np.zeros(len(segments), dtype=np.intp)
        for segment in np.unique(segments).tolist():
            theirs = segments == segment
            most[theirs] = self._discounts[segment].highest_of_many(frequency[theirs], recency[theirs])
        return [
            self._usual_of(*one)[1]
            for one in zip(segments.tolist(), most.tolist(), [held_out(one) for one in customer_ids], strict=True)
        ]

    def _usual_of(self, segment: int, most: int, kept_out: bool) -> tuple[str, bytes]:
        usual = self._usual.get((segment, most, kept_out))
        if usual is None:
            text = self._with(segment, most, kept_out, self._popular_products[segment])
            usual = (text, text.encode())
            self._usual[segment, most, kept_out] = usual
        return usual

    def _highest(self, segment: int, frequency: Any, recency: Any) -> int:
        """The highest discount. By what is not known, NaN or None, none is given."""
        if not self._tells_orders:
            frequency = recency = None
        return self._discounts[segment].highest(
            math.nan if frequency is None else frequency, math.nan if recency is None else recency
        )

    def _with(self, segment: int, most: int, kept_out: bool, products: str) -> str:
        said = f'{most},"held_out":{"true" if kept_out else "false"}'
        return f"{self._openings[segment]}{said}{self._uplifts[segment]}{products}"

    def of_segment(self, segment: int) -> str:
        """A `SegmentAdvice` as JSON."""
        playbook = self._openings[segment].removesuffix(',"discount_most_percent":')
        return f"{playbook}{self._uplifts[segment]}{self._popular_products[segment]}"

    def _popular(self, segment: Segment) -> Sequence[RecommendedProduct]:
        if self._advisor is not None:
            return self._advisor.recommend(None, segment.id, COUNT)
        return [
            RecommendedProduct(one.product, one.description, "popular", None, 0, one.customers)
            for one in segment.products
        ]

    def _offers(self, products: Sequence[RecommendedProduct]) -> str:
        return f"[{','.join([self._offer(one) for one in products])}]"

    def _offer(self, one: RecommendedProduct) -> str:
        described = self._described.get(one.product) or _product(one.product, one.description)
        chance = "null" if one.chance is None else share_text(one.chance)
        return f'{described}"kind":"{one.kind}","why":{_text(one.why)},"chance":{chance}}}'


def _described(advisor: ProductAdvisor) -> dict[str, str]:
    """How the offer of each product begins."""
    known = zip(advisor.products, advisor.descriptions, strict=True)
    return {product: _product(product, description) for product, description in known}


def _product(product: str, description: str | None) -> str:
    return f"{BEFORE_CODE}{_json(product)}{BEHIND_CODE}{_json(description)},"


def _products(offers: str) -> str:
    """The end of a recommendation: the products' codes, and the offers as they are encoded."""
    codes = [offer.partition(BEHIND_CODE)[0] for offer in offers.split(BEFORE_CODE)[1:]]
    return f',"products":[{",".join(codes)}],"offers":{offers}}}'


def _text(words: str) -> str:
    plain = words.isprintable() and '"' not in words and "\\" not in words  # nothing to escape
    return f'"{words}"' if plain else _json(words)


def _json(value: object) -> str:
    return to_json(value).decode()
