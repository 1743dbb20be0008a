"""A model and its evidence as tables on a terminal, or as JSON."""

import sys
from collections.abc import Sequence

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from models.artifact import Artifact
from models.evidence import CleaningReport, Selection
from models.model import SegmentationModel
from models.wording import measure
from training.inspection import Inspection


def model(artifact: Artifact, as_json: bool) -> None:
    """Print a model: data, cleaning, selection, segments and what to do about each."""
    found = SegmentationModel.of(artifact)
    manifest = artifact.manifest
    if as_json:
        segments = [segment.model_dump(mode="json") for segment in found.segments]
        _print_json({"version": artifact.version, **manifest.model_dump(mode="json"), "segments": segments})
        return
    console = _console()
    console.print(
        f"Model {artifact.version}: {manifest.customers:,} customers as of {manifest.as_of:%Y-%m-%d %H:%M} UTC"
    )
    _data(console, [f"{one.name}: {one.rows:,} rows" for one in manifest.data], manifest.notes)
    _cleaning(console, manifest.cleaning)
    _selection(console, manifest.selection)
    _segments(console, found)


def inspection(found: Inspection, as_json: bool) -> None:
    """Print what was read and cleaned."""
    if as_json:
        _print_json(found.model_dump(mode="json"))
        return
    console = _console()
    console.print(f"As of {found.as_of:%Y-%m-%d %H:%M} UTC")
    _data(console, [f"{one.name}: {one.rows:,} rows" for one in found.data], found.notes)
    _cleaning(console, found.cleaning)


def _console() -> Console:
    # a report piped into a file keeps its tables whole
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)


def _print_json(value: object) -> None:
    sys.stdout.write(to_json(value, indent=2).decode() + "\n")


def _data(console: Console, files: Sequence[str], notes: Sequence[str]) -> None:
    for line in (*files, *notes):
        console.print(f"  {line}")


def _cleaning(console: Console, report: CleaningReport) -> None:
    table = Table("rule", "matched", "removed", "remaining", "reason", title=f"Cleaning: {report.rows:,} rows read")
    for rule in report.rules:
        table.add_row(rule.rule, f"{rule.matched:,}", f"{rule.removed:,}", f"{rule.remaining:,}", rule.reason)
    console.print(table)
    for rule in report.rules:
        if rule.examples:
            console.print(f"  {rule.rule}: for example {rule.examples[0]}")
    console.print(
        f"  {report.purchases:,} purchase lines of {report.purchase_customers:,} customers worth "
        f"{report.purchase_revenue:,.2f}; {report.returns:,} return lines worth {report.returned_value:,.2f}; "
        f"{report.cancelled_purchases:,} purchase lines were undone by a full cancellation.\n"
        f"  Left: {report.customers:,} customers with {report.orders:,} orders and {report.revenue:,.2f} net revenue."
    )


def _selection(console: Console, selection: Selection) -> None:
    table = Table("segments", "stability", "silhouette", "Davies-Bouldin", "smallest", "", title="Selection")
    for one in selection.candidates:
        said = "chosen" if one.k == selection.chosen else one.excluded or ""
        figures = (
            f"{one.stability:.3f}",
            f"{one.silhouette:.3f}",
            f"{one.davies_bouldin:.3f}",
            f"{one.smallest_share:.1%}",
        )
        table.add_row(str(one.k), *figures, said)
    console.print(table)
    console.print(f"  {selection.reason}")


def _segments(console: Console, found: SegmentationModel) -> None:
    columns = ("id", "name", "customers", "share", "revenue", "per customer", *found.features, "mode of quantity")
    table = Table(*columns, title="Segments (medians), most valuable first")
    for one in sorted(found.segments, key=lambda segment: segment.profitability_rank):
        medians = [measure(name, one.features[name].median) for name in found.features]
        mode = "" if one.mode_of_quantity is None else f"{one.mode_of_quantity:g}"
        worth = (f"{one.revenue_share:.1%}", f"{one.revenue_per_customer:,.0f}")
        table.add_row(str(one.id), one.name, f"{one.size:,}", f"{one.share:.1%}", *worth, *medians, mode)
    console.print(table)
    for one in found.segments:
        playbook = found.playbook(one)
        console.print(f"  {one.name}: {playbook.goal}. {playbook.action} Avoid: {playbook.avoid}.")
