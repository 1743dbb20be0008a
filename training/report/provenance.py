"""Where a model comes from, in a report: its data, what was left out, who moved, and how to make it again."""

import shlex

from models.evidence import CleaningReport
from models.manifest import Manifest
from models.movement import Movements
from training.report.markup import Html, bullets, facts, joined, note, paragraph, table, tag
from training.report.subject import Subject

MOST_FLOWS = 12


def data(manifest: Manifest) -> Html:
    """The files, how they were read, and what cleaning left."""
    rows = [(one.name, f"{one.rows:,}", f"{one.left_out:,}", tag("code", one.sha256[:12])) for one in manifest.data]
    files = table("Files read", ("File", "Rows", "Lines left out", "SHA-256 begins with"), rows)
    span = Html()
    if manifest.data_first and manifest.data_last:
        span = paragraph(f"From {manifest.data_first:%Y-%m-%d %H:%M} to {manifest.data_last:%Y-%m-%d %H:%M}.")
    return joined(files, span, bullets(manifest.notes), _cleaning(manifest.cleaning))


def movements(subject: Subject) -> Html:
    """Who moved since the model before."""
    found = subject.manifest.movements
    if found is None:
        return note("There is no model before this one, so nobody can have moved.")
    said = paragraph(f"Since model {found.previous} of {found.previous_as_of:%Y-%m-%d}: {found.says}")
    return joined(said, _flows(subject, found))


def reproduction(manifest: Manifest) -> Html:
    """The command, the parameters and the libraries."""
    parts = [
        paragraph(
            "The same data, parameters and libraries, with the same model before it in the folder, give the same "
            "version."
        )
    ]
    left_open = (
        "Add --column, --date-format or --query where they were given."
        if manifest.source == "transactions"
        else "Add --describe where it was given."
    )
    parts += [tag("pre", tag("code", command(manifest))), paragraph(left_open)]
    parameters = {**manifest.parameters, "seed": manifest.seed, "previous model": manifest.previous}
    said = ((key.replace("_", " "), "none" if one is None else str(one)) for key, one in parameters.items())
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.libraries.items())
    parts += [facts(said), paragraph(f"Libraries: {libraries}.")]
    return joined(*parts)


def command(manifest: Manifest) -> str:
    """The command that trains this model again, as far as the manifest tells."""
    asked = str(manifest.parameters.get("asked") or "")
    given = {
        "--as-of": manifest.as_of.isoformat(),
        "--segments": asked.split(" ")[0] or None,
        "--seed": str(manifest.seed),
        "--horizon": manifest.parameters.get("horizon"),
        "--preset": manifest.parameters.get("preset"),
    }
    source = [one.name for one in manifest.data]
    if manifest.source == "customers":
        deciding = [one.name for one in manifest.features if one.clusters]
        source = ["--customers", *source, "--id", str(manifest.parameters.get("id")), "--features", *deciding]
        source += [f"--missing={value}" for value in manifest.table.missing] if manifest.table else []
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    accepted = [word for check in manifest.plausibility if check.accepted for word in ("--accept", check.name)]
    return shlex.join(["python", "-m", "training", "fit", *source, *options, *accepted])


def _cleaning(report: CleaningReport | None) -> Html:
    if report is None:
        return note("The customers came as a table, one row each; there were no transactions to clean.")
    rows = [
        (rule.rule.replace("_", " "), f"{rule.matched:,}", f"{rule.removed:,}", f"{rule.remaining:,}", rule.reason)
        for rule in report.rules
    ]
    left = (
        f"{report.purchases:,} of {report.rows:,} lines are purchases, of {report.purchase_customers:,} customers and "
        f"worth {report.purchase_revenue:,.2f}. {report.returns:,} lines are returns, worth "
        f"{report.returned_value:,.2f}. {report.cancelled_purchases:,} purchase lines were undone by a full "
        f"cancellation. That leaves {report.customers:,} customers with {report.orders:,} orders and "
        f"{report.revenue:,.2f} of net revenue."
    )
    head = ("Rule", "Matched", "Removed", "Left after it", "Why")
    return joined(paragraph(left), table("What cleaning left out, rule by rule", head, rows, texts=[4]))


def _flows(subject: Subject, found: Movements) -> Html:
    names = {segment.id: segment.name for segment in subject.segments}

    def name(segment_id: int) -> str:
        return names.get(segment_id, f"segment {segment_id} of the model before")

    rows = [
        (f"{name(one.from_id)} → {name(one.to_id)}", f"{one.customers:,}", f"{one.customer_changed:,}",
         f"{one.model_changed:,}", f"{one.both:,}")
        for one in found.flows[:MOST_FLOWS]
    ]  # fmt: skip
    if not rows:
        return Html()
    head = ("From → to", "Customers", "They changed", "The model changed", "Both")
    more = len(found.flows) - len(rows)
    rest = paragraph(f"{more} smaller flows are not shown.") if more > 0 else Html()
    return joined(table("The largest flows", head, rows), rest)
