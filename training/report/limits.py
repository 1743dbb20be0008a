"""Limits of use: what a model is for, what it must not be used for, and what its figures do not say."""

from collections.abc import Iterator

from training.report.markup import Html, bullets, joined, tag
from training.report.subject import Subject
from training.report.summary import FEWEST_TOLD

MEANT = (
    "Deciding what to offer to whom, through which channel and how often, in marketing and service.",
    "Understanding who the customers are, and following how groups of them grow and shrink.",
)
NOT_MEANT = (
    "Decisions with legal or similarly significant effect on a person: credit, terms of payment, refusing to sell or "
    "to serve, prices for one person. Segments say what groups do, not what one customer will do.",
    "Guessing what is not in the data: age, health, income, belief, origin.",
    "Other shops, markets or currencies than the data's.",
)


def limits(subject: Subject) -> Html:
    """The model card's second half, in lists."""
    return joined(
        tag("h3", "What it is made for"), bullets(MEANT),
        tag("h3", "What it must not be used for"), bullets(NOT_MEANT),
        tag("h3", "What its figures do not say"), bullets(_limits(subject)),
        tag("h3", "Personal data"), bullets(_personal(subject)),
    )  # fmt: skip


def _limits(subject: Subject) -> Iterator[str]:
    manifest, evidence = subject.manifest, subject.evidence
    if manifest.source == "transactions":
        yield (
            f"Nothing after {manifest.as_of:%Y-%m-%d %H:%M} UTC is known. Train again as customers and the range "
            "change."
        )
    yield "Associations are not causes: what goes with buying more need not make anybody buy more."
    yield (
        "The playbooks are advice from experience, not measured on these customers. Whether they work only the "
        "comparison with the customers held out can show."
    )
    for backtest in evidence.backtests:
        yield (
            f"The back-test is of one cut-off, {backtest.cut_off:%Y-%m-%d}, and the {backtest.horizon} days after it: "
            "one season. Other seasons may differ, and so may other horizons."
        )
    if evidence.backtests and subject.preset is None:
        yield (
            "The way and the number of segments were chosen by the same back-test, so its figures flatter a little. "
            "The command evaluate measures on days that had no say in the choice."
        )
    if evidence.beyond_chance is False:
        yield "The segments predict nothing beyond chance. They may be used to describe, not to foretell."
    if manifest.rules is not None:
        yield (
            f"The rules in words are short, not exact: they place {manifest.rules.fidelity:.0%} of customers as the "
            "model does."
        )
    yield "Customers with figures outside those seen in training are placed by extension; the service says so."
    yield from evidence.unproved
    yield from subject.warnings


def _personal(subject: Subject) -> Iterator[str]:
    yield "No customer ids are in this report."
    if subject.map is not None:
        yield f"The map shows {len(subject.map.x):,} customers as points without ids."
    smallest = min(subject.segments, key=lambda segment: segment.size)
    yield f"The smallest group that is described has {smallest.size:,} ({smallest.name})."
    yield f"Countries, words and products that fewer than {FEWEST_TOLD} of a segment have in common are left out."
    yield "It holds figures of the business: share it with those who may see revenue."
