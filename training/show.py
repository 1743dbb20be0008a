"""A model and its evidence as tables on a terminal, or as JSON."""

import sys
from collections.abc import Sequence

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from models.artifact import Artifact
from models.evidence import Backtest, Candidate, CheckResult, CleaningReport, Selection
from models.hit_rate import HitRates
from models.import_plan import ImportPlan
from models.manifest import Manifest
from models.model import SegmentationModel
from models.wording import measure, number
from training.inspection import Inspection
from training.verdict import Verdict


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
    if manifest.cleaning:
        _cleaning(console, manifest.cleaning)
    _plausibility(console, manifest.plausibility)
    _selection(console, manifest.selection)
    _segments(console, found)
    _evidence(console, manifest)


def evaluation(found: Verdict, as_json: bool) -> None:
    """Print what segments made at a cut-off told of the days after, and the yardsticks beside it."""
    if as_json:
        _print_json(found.model_dump(mode="json"))
        return
    console = _console()
    _selection(console, found.selection)
    console.print(f"Made of what was known on {found.cut_off:%Y-%m-%d}; judged by the {found.horizon} days after:")
    for name in ("k", "auc", "r_squared", "stability", "smallest_share"):
        console.print(f"  {name}: {getattr(found, name)}")
    _backtest(console, found.after)
    console.print(f"  {found.after.says}")
    console.print(f"  Two halves of the customers, fitted apart, are placed alike at {found.halves:.1%}.")
    for said in (*found.warnings, *found.unproved):
        console.print(f"  Note: {said}")


def inspection(found: Inspection, as_json: bool) -> None:
    """Print what was read and cleaned."""
    if as_json:
        _print_json(found.model_dump(mode="json"))
        return
    console = _console()
    console.print(f"As of {found.as_of:%Y-%m-%d %H:%M} UTC")
    explained = {*found.plan.decisions, *found.plan.assumptions, *found.plan.unused}
    notes = [note for note in found.notes if note not in explained]
    _data(console, [f"{one.name}: {one.rows:,} rows" for one in found.data], notes)
    _plan(console, found.plan)
    _cleaning(console, found.cleaning)
    _plausibility(console, found.plausibility)


def _plan(console: Console, plan: ImportPlan) -> None:
    """Print which column holds what, and why."""
    columns = ", ".join(f"{field}: {' or '.join(names)}" for field, names in plan.columns.items())
    console.print(f"Import plan\n  Columns: {columns}")
    for title, sentences in (("Found", plan.decisions), ("Assumed", plan.assumptions), ("Not used", plan.unused)):
        for sentence in sentences:
            console.print(f"  {title}: {sentence}")


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


def _plausibility(console: Console, checks: Sequence[CheckResult]) -> None:
    if passed := [check.name for check in checks if check.passed]:
        console.print(f"  Checks of plausibility passed: {', '.join(passed)}.")
    for check in checks:
        if not check.passed and not check.accepted:  # what was accepted is among the warnings of the evidence
            console.print(f"  The check {check.name} failed: {check.message}")


def _selection(console: Console, selection: Selection) -> None:
    columns = ("way", "segments", "AUC", "R²", "stability", "silhouette", "smallest", "")
    table = Table(*columns, title="Selection: later purchases told, stability, clearness")
    for index, one in enumerate(selection.candidates):
        said = "chosen" if index == selection.chosen else one.excluded or ""
        table.add_row(one.name, str(one.k), *_figures(one), said)
    console.print(table)
    console.print(f"  {selection.reason}")
    others = Table(*columns[:1], "algorithm", *columns[1:-1], title="Other algorithms, for comparison")
    for one in selection.compared:
        others.add_row(one.name, one.algorithm, str(one.k), *_figures(one))
    if selection.compared:
        console.print(others)


def _figures(one: Candidate) -> tuple[str, ...]:
    told = ("", "") if one.auc is None or one.r_squared is None else (f"{one.auc:.3f}", f"{one.r_squared:.3f}")
    return (*told, f"{one.stability:.3f}", f"{one.silhouette:.3f}", f"{one.smallest_share:.1%}")


def _evidence(console: Console, manifest: Manifest) -> None:
    """What the segments told of later purchases, what they could not be shown to tell, and how stable they are."""
    evidence = manifest.evidence
    for backtest in evidence.backtests:
        _backtest(console, backtest)
        console.print(f"  {backtest.says}")
    stability = evidence.stability
    weak = f" Hardly there in refits: segments {', '.join(map(str, stability.weak))}." if stability.weak else ""
    halves = "" if stability.halves is None else f" Two halves, fitted apart, place {stability.halves:.1%} alike."
    console.print(
        f"  Stability over {stability.refits} refits: {stability.ari.value:.2f} ({stability.ari.low:.2f} to "
        f"{stability.ari.high:.2f}).{halves}{weak}"
    )
    if manifest.recommendations:
        every, new = manifest.recommendations.all, manifest.recommendations.new
        console.print(
            f"  Products: {every.recommender.value:.0%} of held-out orders have one of ten recommended"
            f"{_times(every, ' what the most bought ones reach')}; of new products {new.recommender.value:.0%}"
            f"{_times(new, '')}."
        )
    if manifest.movements:
        console.print(f"  {manifest.movements.says}")
    for said in (*evidence.warnings, *evidence.unproved):
        console.print(f"  Note: {said}")


def _times(rates: HitRates, of_what: str) -> str:
    return "" if rates.times_popularity is None else f", {rates.times_popularity.value:.2f} times{of_what}"


def _backtest(console: Console, backtest: Backtest) -> None:
    title = f"{backtest.horizon} days after {backtest.cut_off:%Y-%m-%d}, {backtest.customers:,} customers"
    table = Table("", "segments", "AUC of buying again", "R² of log revenue", "Kendall's tau", title=title)
    for one in (backtest.model, backtest.baseline, backtest.limit):
        figures = [f"{of.value:.3f} ({of.low:.3f} to {of.high:.3f})" for of in (one.auc, one.r_squared)]
        kendall = "" if one.kendall is None else f"{one.kendall:.2f}"
        table.add_row(one.method, "" if one.segments is None else str(one.segments), *figures, kendall)
    console.print(table)


def _segments(console: Console, found: SegmentationModel) -> None:
    money = found.manifest.source == "transactions"
    worth, mode_of = (("revenue", "per customer", "bought again"), ("mode of quantity",)) if money else ((), ())
    columns = ("id", "name", "customers", "share", *worth, *found.features, *mode_of)
    table = Table(*columns, title="Segments (medians)")
    ranked = sorted(found.segments, key=lambda segment: (segment.profitability_rank or 0, -segment.size))
    for one in ranked:
        medians = [(measure if money else _number)(name, one.features[name].median) for name in found.features]
        again = f"{one.outcome.bought_again.value:.0%}" if one.outcome else ""
        share = "" if one.revenue_share is None else f"{one.revenue_share:.1%}"
        earned = (share, f"{one.revenue_per_customer or 0:,.0f}", again) if money else ()
        mode = (("" if one.mode_of_quantity is None else f"{one.mode_of_quantity:g}"),) if money else ()
        table.add_row(str(one.id), one.name, f"{one.size:,}", f"{one.share:.1%}", *earned, *medians, *mode)
    console.print(table)
    for one in ranked:
        if one.rule:
            fidelity = f"{one.rule.fidelity:.1%} of customers placed as the model does"
            console.print(f"  {one.name}: {one.rule.words} ({fidelity})")
    for one in ranked:
        playbook = found.playbook(one)
        console.print(f"  {one.name}: {playbook.goal}. {playbook.action} Avoid: {playbook.avoid}.")


def _number(_: str, value: float) -> str:
    return number(value)
