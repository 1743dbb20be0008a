"""The profile of each segment: how large, worth what, which values, which countries, which products."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import ibis
import numpy as np
import pyarrow as pa
from ibis import Table
from ibis import _ as row
from numpy.typing import NDArray

from models.explanation import differences
from models.segment import CountryShare, ProductShare, Segment
from models.spread import Spread
from training.cleaning import Cleaned
from training.habits import FEWEST, MOST_COUNTRIES, MOST_PRODUCTS, Bought, Describe, habits
from training.reading.lines import Lines
from training.workspace import Workspace

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Members:
    """Which customer is in which segment, and what is known of them: n customers, in the order of `ids`.

    `features` maps each feature's name to an array of shape (n,); `segment_ids` are the final ids.
    """

    ids: Sequence[str]
    segment_ids: NDArray[np.int64]
    features: Mapping[str, Values]
    countries: Sequence[str | None]


def spreads(features: Mapping[str, Values]) -> dict[str, Spread]:
    """Median and quartiles of each feature, over those customers who have it."""
    found = {}
    for name, all_values in features.items():
        values = all_values[~np.isnan(all_values)]
        if not len(values):
            continue
        q1, median, q3 = (float(value) for value in np.quantile(values, (0.25, 0.5, 0.75)))
        found[name] = Spread(median=round(median, 6), q1=round(q1, 6), q3=round(q3, 6))
    return found


def profile(
    members: Members, names: Mapping[int, str], cleaned: Cleaned, lines: Lines, workspace: Workspace
) -> tuple[Segment, ...]:
    """One Segment per id in `names`, in that order."""
    base = spreads(members.features)
    revenue = members.features["monetary"]
    total = float(revenue.sum())
    worth = {one: float(revenue[members.segment_ids == one].mean()) for one in names}
    ranked = sorted(worth, key=lambda one: -worth[one])
    bought = Bought.of(_bought(members, cleaned, workspace), workspace)
    describe = partial(_descriptions, lines.table)
    modes = _modes(bought.lines)
    products = _products(bought.buyers, members, describe)
    typical = habits(bought, members.segment_ids, members.countries, describe)
    segments = []
    for one, name in names.items():
        inside = members.segment_ids == one
        features = spreads({feature: values[inside] for feature, values in members.features.items()})
        segments.append(
            Segment(
                id=one,
                name=name,
                size=int(inside.sum()),
                share=round(float(inside.mean()), 6),
                revenue=round(float(revenue[inside].sum()), 2),
                revenue_share=round(float(revenue[inside].sum()) / total, 6) if total > 0 else None,
                revenue_per_customer=round(worth[one], 2),
                profitability_rank=ranked.index(one) + 1,
                features=features,
                mode_of_quantity=modes.get(one),
                countries=_countries([members.countries[index] for index in np.flatnonzero(inside).tolist()]),
                products=products.get(one, ()),
                habits=typical[one],
                differs_in=differences(features, base),
            )
        )
    return tuple(segments)


def _countries(of_members: Sequence[str | None]) -> tuple[CountryShare, ...]:
    counted = Counter(country for country in of_members if country)
    order = sorted(counted, key=lambda country: (-counted[country], country))
    return tuple(
        CountryShare(country=country, customers=counted[country], share=round(counted[country] / len(of_members), 6))
        for country in order[:MOST_COUNTRIES]
    )


def _bought(members: Members, cleaned: Cleaned, workspace: Workspace) -> Table:
    """The purchase lines that were kept, each with its customer's segment."""
    placed = pa.table({"customer": pa.array(members.ids, pa.string()), "segment": members.segment_ids})
    labels = workspace.backend.create_table(workspace.name("segment_of_customer"), ibis.memtable(placed), temp=True)
    return cleaned.purchases.filter(~row.undone).inner_join(labels, "customer")


def _modes(bought: Table) -> dict[int, float]:
    """The most frequent quantity on the lines of each segment; of equals the smallest."""
    counted = bought.group_by(["segment", "quantity"]).agg(times=row.count())
    best = ibis.row_number().over(group_by="segment", order_by=[counted.times.desc(), counted.quantity.asc()])
    modes = counted.mutate(place=best).filter(row.place == 0).to_pyarrow().to_pylist()
    return {one["segment"]: one["quantity"] for one in modes}


def _products(buyers: Table, members: Members, describe: Describe) -> dict[int, tuple[ProductShare, ...]]:
    """Per segment the most bought products, those its members buy more than others (lift over 1) first."""
    sizes = Counter(members.segment_ids.tolist())
    total = len(members.ids)
    size = ibis.cases(*[(buyers.segment == one, count) for one, count in sizes.items()])
    shares = buyers.filter(row.customers >= FEWEST).mutate(share=row.customers / size.cast("float64"))
    shares = shares.mutate(lift=row.share / (row.everyone / float(total)))
    order = [(shares.lift <= 1).asc(), shares.customers.desc(), shares["product"].asc()]
    place = ibis.row_number().over(group_by="segment", order_by=order)
    best = shares.mutate(place=place).filter(row.place < MOST_PRODUCTS).order_by(["segment", "place"])
    found = best.to_pyarrow().to_pylist()
    described = describe(sorted({one["product"] for one in found}))
    result: dict[int, tuple[ProductShare, ...]] = {}
    for one in found:
        share = ProductShare(
            product=one["product"],
            description=described.get(one["product"]),
            customers=one["customers"],
            share=round(one["share"], 6),
            lift=round(one["lift"], 4),
        )
        result[one["segment"]] = (*result.get(one["segment"], ()), share)
    return result


def _descriptions(lines: Table, products: Sequence[str]) -> dict[str, str]:
    """The most frequent description of each product; a code may have carried several over time."""
    told = lines.filter(row["product"].isin(list(products)) & row.description.notnull())
    counted = told.group_by(["product", "description"]).agg(times=row.count())
    order = ibis.row_number().over(group_by="product", order_by=[counted.times.desc(), counted.description.asc()])
    best = counted.mutate(place=order).filter(row.place == 0).to_pyarrow().to_pylist()
    return {one["product"]: one["description"].strip() for one in best}
