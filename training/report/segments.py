"""The segments in a report: all at a glance, their profiles side by side, and each by itself."""

from collections.abc import Iterator

from models.habit import Habits, PreferredProduct
from models.outcome import Outcome
from models.playbook import Discount, Playbook
from models.segment import Segment
from models.spread import Spread
from models.wording import bare, number, per_cent
from training.report.charts import FEWEST_JUDGED, colour, habit_chart
from training.report.markup import Html, bullets, facts, figure, framed, joined, note, paragraph, table, tag
from training.report.subject import Subject
from training.report.summary import FEWEST_TOLD, WEAK, estimate

STEPS = 4  # shades of the heat map, either way
SHOWN = 5


def chip(segment: Segment, place: int) -> Html:
    """A segment's number on the map in its colour, and its name."""
    mark = tag("span", str(place + 1), class_="chip", style=f"--c:{colour(place)}")
    return joined(mark, " ", tag("a", segment.name, href=f"#segment-{segment.id}"))


def glance(subject: Subject) -> Html:
    """One row a segment: how many, worth what, who, what they did later, how firm."""
    worth = subject.segments[0].revenue is not None
    later = any(segment.outcome for segment in subject.segments)
    head = ["Segment", "Customers", "Share"]
    head += ["Revenue share", "Per customer"] if worth else []
    head += ["Bought again after"] if later else []
    head += ["Overlap"]
    rows = []
    for place, segment in enumerate(subject.segments):
        row: list[str] = [chip(segment, place), f"{segment.size:,}", per_cent(segment.share)]
        if worth:
            row += [_share(segment.revenue_share), number(segment.revenue_per_customer or 0.0)]
        if later:
            row.append(_bought_again(segment.outcome))
        row.append(_overlap(segment))
        rows.append(row)
    return joined(
        table("Segments, the most valuable first" if worth else "Segments, the largest first", head, rows),
        paragraph(
            "Overlap: mean Jaccard overlap of a segment with itself in refits on resamples, 1 is the same; ⚠ marks one "
            f"under {WEAK:g}, which is hardly there."
            + (" Bought again: with the 95 % interval, by members a model of the cut-off placed here." if later else "")
        ),
    )


def rules(subject: Subject) -> Html:
    """The rule of each segment in words, with how well it says who is there."""
    found = subject.manifest.rules
    if found is None or not any(segment.rule for segment in subject.segments):
        return note("No rules in words were found for these segments.")
    rows = [
        (chip(segment, place), segment.rule.words, _share(segment.rule.precision), _share(segment.rule.recall),
         per_cent(segment.rule.fidelity))
        for place, segment in enumerate(subject.segments)
        if segment.rule
    ]  # fmt: skip
    return joined(
        table("Who is in which segment, in short", ("Segment", "Rule", "Right", "Found", "Agrees"), rows, texts=[1]),
        paragraph(
            "Right: of the customers who meet the rule, those the model places here. Found: of the members, those who "
            "meet the rule. Agrees: of all customers, those on whom rule and model agree, in or out. Asked one after "
            f"another, the rules place {per_cent(found.fidelity)} of {found.customers:,} customers in the model's "
            "segment: they are for understanding and for a first list; the model decides."
        ),
    )


def heat_map(subject: Subject) -> Html:
    """Segments by features: the medians, shaded by where they lie among all customers."""
    manifest = subject.manifest
    names = [one.name for one in manifest.features if one.name in manifest.base]
    deciding = {one.name for one in manifest.features if one.clusters}
    head = tag("tr", tag("th", "Feature", scope="col", class_="text"), *[
        tag("th", segment.name, scope="col", class_="figure") for segment in subject.segments
    ], tag("th", "All", scope="col", class_="figure"))  # fmt: skip
    lines = []
    for name in names:
        base = manifest.base[name]
        cells = [_shaded(name, segment.features.get(name), base) for segment in subject.segments]
        said = joined(name.replace("_", " "), "\u00a0•" if name in deciding else "")
        everyone = tag("td", bare(name, base.median), class_="figure")
        lines.append(tag("tr", tag("th", said, scope="row", class_="text"), *cells, everyone))
    units = ", ".join(
        f"{one.name.replace('_', ' ')}: {one.unit}" for one in manifest.features if one.name in names and one.unit
    )
    return joined(
        framed("Medians of each feature", tag("thead", head), tag("tbody", *lines), class_="heat"),
        paragraph(
            tag("span", "lower", class_="low4"), " ", tag("span", "higher", class_="high4"),
            " than the median of all customers; full shade is as far as two quartiles away, or farther. • decides the "
            "segment, the others only describe it.",
        ),
        paragraph(tag("small", f"Units: {units}.")) if units else Html(),
    )  # fmt: skip


def portraits(subject: Subject) -> Html:
    """A part for each segment."""
    return joined(*[_portrait(subject, segment, place) for place, segment in enumerate(subject.segments)])


def position(median: float, base: Spread) -> float:
    """Where a median lies among all customers: 0 at their median, 1 at the upper quartile, -1 at the lower, at most 2.

    Where the quartile on its side is the median itself, the other quartile gives the scale.
    """
    apart = median - base.median
    if apart == 0:
        return 0.0
    above, below = base.q3 - base.median, base.median - base.q1
    scale = (above or below) if apart > 0 else (below or above)
    return max(-2.0, min(2.0, apart / scale)) if scale > 0 else (2.0 if apart > 0 else -2.0)


def _shaded(name: str, spread: Spread | None, base: Spread) -> Html:
    if spread is None:
        return tag("td", "", class_="figure")
    step = round(position(spread.median, base) * STEPS / 2)
    shade = "" if step == 0 else f" {'high' if step > 0 else 'low'}{abs(step)}"
    return tag("td", bare(name, spread.median), class_=f"figure{shade}")


def _portrait(subject: Subject, segment: Segment, place: int) -> Html:
    playbook = subject.model.playbook(segment)
    size = f"{segment.size:,} customers, {per_cent(segment.share)}"
    if segment.revenue_share is not None:
        size += f"; {per_cent(segment.revenue_share)} of net revenue"
    mark = tag("span", str(place + 1), class_="chip", style=f"--c:{colour(place)}")
    heading = tag("h3", mark, " ", segment.name, id=f"segment-{segment.id}")
    parts = [heading, paragraph(f"{size}. Segment id {segment.id}."), facts(_who(segment))]
    if segment.habits:
        parts.append(facts(_habits(segment.habits)))
        caption = "When members order, by the clock of the data."
        parts.append(figure(habit_chart(segment, segment.habits, place), caption))
    parts += [tag("h4", "Playbook"), facts(_playbook(playbook))]
    if segment.uplift:
        parts.append(paragraph(tag("strong", "What a test of it can show. "), segment.uplift.says))
    return tag("article", *parts)


def _who(segment: Segment) -> Iterator[tuple[str, Html]]:
    if segment.rule:
        yield "In short", joined(segment.rule.words, f" (agrees with the model on {per_cent(segment.rule.fidelity)})")
    if segment.differs_in:
        yield "Differs in", bullets(segment.differs_in)
    if segment.outcome:
        later = segment.outcome.revenue_per_customer
        spent = f"Each spent {number(later.value)} ({number(later.low)} to {number(later.high)})."
        few = segment.outcome.customers < FEWEST_JUDGED
        beware = f" These are {segment.outcome.customers} customers, too few for the intervals to be relied on."
        yield "Did later", joined(f"{segment.outcome.says} {spent}{beware if few else ''}")
    if segment.jaccard is not None and segment.jaccard < WEAK:
        yield "Beware", joined(f"Hardly there: resamples find it again with an overlap of {segment.jaccard:.2f} only.")
    for name, levels in segment.categories.items():
        said = ", ".join(f"{one.level} {per_cent(one.share)}" for one in levels if one.customers >= FEWEST_TOLD)
        yield name.replace("_", " "), joined(said)
    countries = [one for one in segment.countries[:SHOWN] if one.customers >= FEWEST_TOLD]
    if countries:
        yield "Countries", joined(", ".join(f"{one.country} {per_cent(one.share)}" for one in countries))


def _habits(habits: Habits) -> Iterator[tuple[str, Html]]:
    order = f"{number(habits.order_value.median)} in value, {number(habits.lines_per_order.median)} lines, " + (
        f"{number(habits.units_per_order.median)} units (medians of {habits.orders:,} orders)"
    )
    yield "Typical order", joined(order)
    when = f"{habits.best_weekday.weekday}, {_more(habits.best_weekday.share, habits.best_weekday.lift)}"
    if habits.best_hour:
        hour = habits.best_hour
        when += f"; {hour.hour}:00 to {hour.hour}:59, {_more(hour.share, hour.lift)}"
    yield "Most orders", joined(when)
    countries = [one for one in habits.preferred_countries[:SHOWN] if one.customers >= FEWEST_TOLD]
    if countries:
        preferred = ", ".join(f"{one.country} ({one.lift:.1f} times as often)" for one in countries)
        yield "More than others from", joined(preferred)
    preferring = habits.distinctive_products or habits.preferred_products
    products = [one for one in preferring if one.customers >= FEWEST_TOLD]
    if products:
        yield "Buy more than others", bullets(_product(one) for one in products[:SHOWN])


def _playbook(playbook: Playbook) -> Iterator[tuple[str, str]]:
    yield "Goal", playbook.goal
    yield "Action", playbook.action
    yield "Offer", playbook.offer
    yield "Channel", playbook.channel
    yield "Timing", playbook.timing
    yield "Avoid", playbook.avoid
    yield "Contact cap", f"at most {playbook.contacts.most} in any {playbook.contacts.days} days, over all channels"
    yield "Discount guard", discount_says(playbook.discount)


def discount_says(discount: Discount) -> str:
    """Who may be given a discount, and how high."""
    most = f", at most {discount.most_percent} %"
    said = {
        "never": "none",
        "second order": f"on the second order only{most}",
        "after silence": f"only after {discount.after_days} days without a purchase{most}",
        "any time": f"any time{most}",
    }
    return said[discount.when]


def _product(one: PreferredProduct) -> str:
    name = f"{one.description} ({one.product})" if one.description else one.product
    return f"{name}: {one.customers:,} members, {one.lift:.1f} times as often (at least {one.lift_at_least:.1f})"


def _more(share: float, lift: float) -> str:
    return f"{per_cent(share)} of orders, {lift:.2f} times the share of all customers"


def _bought_again(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    if outcome.customers < FEWEST_JUDGED:
        return f"{outcome.bought_again.value:.0%} of {outcome.customers}".replace("%", " %")
    return estimate(outcome.bought_again, percent=True)


def _overlap(segment: Segment) -> str:
    if segment.jaccard is None:
        return "–"
    return f"{'⚠ ' if segment.jaccard < WEAK else ''}{segment.jaccard:.2f}"


def _share(share: float | None) -> str:
    return "–" if share is None else per_cent(share)
