"""What to do about a customer, as JSON: what depends on the segment alone was encoded beforehand."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from models.affinity import COUNT, Bought, ProductAdvisor, ProductAffinities, RecommendedProduct
from models.holdout import held_out
from models.model import SegmentationModel
from models.playbook import Playbooks, playbook_for
from models.segment import Segment

CHANCE_DECIMALS = 4
# The code of an offer, as JSON. Inside a text the quotes would be escaped, so that nothing else looks like this.
_CODE = re.compile(r'\{"product":("(?:[^"\\]|\\.)*")')


class Advice:
    """The advice of one model. Segments are known by their index among the model's."""

    def __init__(self, model: SegmentationModel, playbooks: Playbooks) -> None:
        self._advisor = ProductAdvisor(model.affinities) if model.affinities is not None else None
        self._ids = [one.id for one in model.segments]
        self._tells_orders = model.manifest.source == "transactions"
        books = [playbook_for(playbooks, one.name) for one in model.segments]
        self._discounts = [book.discount for book in books]
        self._described = {} if model.affinities is None else _described(model.affinities)
        offers = [self._offers(self._popular(one)) for one in model.segments]
        uplifts = [one.uplift.uplift if one.uplift else None for one in model.segments]
        self._openings = [f'{_json(book.model_dump())[:-1]},"discount_most_percent":' for book in books]
        self._uplifts = [f',"detectable_uplift":{_json(uplift)}' for uplift in uplifts]
        self._usual: dict[tuple[int, int, bool], str] = {}  # as encoded, for those offered what the segment buys
        self._popular_products = [_products(of_segment) for of_segment in offers]

    def own_products(self, bought: Mapping[str, Bought], segment: int) -> str | None:
        """The products to offer to a customer who bought these, as a JSON list; None where only those of the segment
        are known."""
        if self._advisor is None or not bought:
            return None
        return self._offers(self._advisor.recommend(bought, self._ids[segment], COUNT))

    def of_customer(self, segment: int, customer_id: str, features: Mapping[str, Any], own_products: str | None) -> str:
        """A `Recommendation` as JSON. `own_products` is what `own_products` said, None for the segment's."""
        most = self._discounts[segment].highest(self._known(features, "frequency"), self._known(features, "recency"))
        kept_out = held_out(customer_id)
        if own_products is not None:
            return self._with(segment, most, kept_out, _products(own_products))
        usual = self._usual.get((segment, most, kept_out))
        if usual is None:
            usual = self._with(segment, most, kept_out, self._popular_products[segment])
            self._usual[segment, most, kept_out] = usual
        return usual

    def _with(self, segment: int, most: int, kept_out: bool, products: str) -> str:
        said = f'{most},"held_out":{"true" if kept_out else "false"}'
        return f"{self._openings[segment]}{said}{self._uplifts[segment]}{products}"

    def of_segment(self, segment: int) -> str:
        """A `SegmentAdvice` as JSON."""
        playbook = self._openings[segment].removesuffix(',"discount_most_percent":')
        return f"{playbook}{self._uplifts[segment]}{self._popular_products[segment]}"

    def _known(self, features: Mapping[str, Any], name: str) -> float:
        """A feature by which a discount is judged; NaN, to which none is given, where it is not known."""
        value = features.get(name, math.nan) if self._tells_orders else math.nan
        return math.nan if value is None else float(value)

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
        chance = "null" if one.chance is None else repr(round(one.chance, CHANCE_DECIMALS))
        return f'{described}"kind":"{one.kind}","why":{_text(one.why)},"chance":{chance}}}'


def _described(affinities: ProductAffinities) -> dict[str, str]:
    """How the offer of each product begins."""
    known = zip(affinities.products, affinities.descriptions, strict=True)
    return {product: _product(product, description) for product, description in known}


def _product(product: str, description: str | None) -> str:
    return f'{{"product":{_json(product)},"description":{_json(description)},'


def _products(offers: str) -> str:
    """The end of a recommendation: the products' codes, and the offers as they are encoded."""
    return f',"products":[{",".join(_CODE.findall(offers))}],"offers":{offers}}}'


def _text(words: str) -> str:
    plain = words.isprintable() and '"' not in words and "\\" not in words  # nothing to escape
    return f'"{words}"' if plain else _json(words)


def _json(value: object) -> str:
    return to_json(value).decode()
