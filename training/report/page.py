"""The report as one page: a file of its own that needs no network and no scripts."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from models.artifact import Artifact, write_durably
from training.errors import UnreadableSource
from training.report import limits, proof, provenance, segments
from training.report.charts import map_chart
from training.report.markup import Html, figure, joined, note, tag
from training.report.subject import Subject
from training.report.summary import lead, summary

PARTS: tuple[tuple[str, str, Callable[[Subject], Html]], ...] = (
    ("summary", "Summary", summary),
    ("glance", "Segments at a glance", segments.glance),
    ("rules", "Rules in words", segments.rules),
    ("profiles", "Profiles", segments.heat_map),
    ("map", "Map of customers", lambda subject: _map(subject)),
    ("later", "Do they tell of later purchases?", proof.later),
    ("stability", "Do they stay the same?", proof.stability),
    ("choice", "Why these segments", proof.choice),
    ("features", "Key features", proof.features),
    ("products", "Products", lambda subject: proof.products(subject.manifest.recommendations)),
    ("segments", "Segment by segment", segments.portraits),
    ("movements", "Who moved", provenance.movements),
    ("data", "Data quality", lambda subject: provenance.data(subject.manifest)),
    ("limits", "Limits of use", limits.limits),
    ("reproduce", "How to make it again", lambda subject: provenance.reproduction(subject.manifest)),
)


def page(artifact: Artifact) -> str:
    """The report on a checked artifact as HTML; the same artifact gives the same text.

    Raises ArtifactRefused where the artifact's files do not fit together.
    """
    subject = Subject.of(artifact)
    title = f"Customer segments, {artifact.manifest.as_of:%Y-%m-%d}"
    contents = [tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _ in PARTS]
    sections = [tag("section", tag("h2", heading), part(subject), id=name) for name, heading, part in PARTS]
    style = files("training.report").joinpath("style.css").read_text("utf-8")
    head = joined(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        tag("title", title),
        tag("style", Html(style)),
    )
    body = joined(
        tag("header", tag("h1", title), lead(subject)),
        tag("nav", tag("ol", *contents), aria_label="Contents"),
        tag("main", *sections),
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def write_report(artifact: Artifact, out: Path) -> None:
    """Write the report on an artifact, whole or not at all. Raises UnreadableSource where it cannot be written."""
    if not out.parent.is_dir():
        raise UnreadableSource(f"cannot write {out}: its folder does not exist")
    text = page(artifact).encode()
    partial = out.with_name(f".{out.name}.partial")
    try:
        write_durably(partial, text)
        partial.replace(out)
    except OSError as error:
        raise UnreadableSource(f"cannot write {out}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _map(subject: Subject) -> Html:
    if subject.map is None:
        return note("There is no map of these customers.")
    caption = (
        "Each point is a customer, each colour a segment; a number stands at the middle of its segment. Directions are "
        "the first two principal components of the scaled features that decide the segment, with the share each "
        "carries. Segments that overlap here may be apart in what the two directions leave out."
    )
    return figure(map_chart(subject.map, subject.segments), caption)
