"""The report: one file of its own that says everything, escaped, and is sober where nothing was shown."""

import csv
import gzip
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from models.artifact import MAP, SEGMENTS, Artifact, read_artifact
from models.evidence import Estimate, Evidence
from models.model import SegmentationModel
from models.segment import Segment
from models.spread import Spread
from tests.published import Published
from training import show
from training.__main__ import main
from training.report.markup import Html, joined, tag
from training.report.page import page
from training.report.provenance import command
from training.report.segments import position

VOID = {"meta", "br", "hr", "img", "link", "input"}
_SEGMENTS: TypeAdapter[tuple[Segment, ...]] = TypeAdapter(tuple[Segment, ...])


class Page(HTMLParser):
    """The text a reader sees, the ids, the links within, and tags that are not closed as they were opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.names: set[str] = set()
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(name)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            elif key == "href":
                (self.targets if (value or "").startswith("#") else self.loads).append((value or "")[1:])
            elif key in ("src", "srcset", "xlink:href", "action"):
                self.loads.append(value or "")
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(name, attrs)
        if name not in VOID:
            self.open.pop()

    def handle_endtag(self, name: str) -> None:
        if not self.open or self.open.pop() != name:
            self.wrong.append(name)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def artifact(published: Published) -> Artifact:
    return read_artifact(published.directory / published.first)


@pytest.fixture(scope="module")
def html(artifact: Artifact) -> str:
    return page(artifact)


def said(text: str) -> str:
    """A text as the page's reader sees it."""
    return re.sub(r"\s+", " ", text)


def changed(artifact: Artifact, **update: object) -> Artifact:
    """The artifact with another manifest."""
    return replace(artifact, manifest=artifact.manifest.model_copy(update=update))


def with_evidence(artifact: Artifact, **update: object) -> Artifact:
    evidence: Evidence = artifact.manifest.evidence.model_copy(update=update)
    return changed(artifact, evidence=evidence)


def with_segments(artifact: Artifact, **update: object) -> Artifact:
    """The artifact with the same change in every segment."""
    segments = tuple(one.model_copy(update=update) for one in SegmentationModel.of(artifact).segments)
    return replace(artifact, files={**artifact.files, SEGMENTS: _SEGMENTS.dump_json(segments)})


def test_the_page_is_well_formed_and_its_links_lead_somewhere(html: str) -> None:
    found = Page(html)
    assert (found.wrong, found.open) == ([], [])
    assert len(found.ids) == len(set(found.ids))
    assert set(found.targets) <= set(found.ids)


def test_the_page_needs_nothing_but_itself(html: str) -> None:
    found = Page(html)
    assert not found.names & {"script", "link", "iframe", "object", "embed"}
    assert [one for one in found.loads if not one.startswith("#")] == []
    assert not re.search(r"https?://|@import|url\((?!#)", html)


def test_every_segment_is_told_of_with_rule_playbook_and_outcome(html: str, model: SegmentationModel) -> None:
    text = Page(html).text
    for segment in model.segments:
        assert segment.rule is not None
        assert segment.outcome is not None
        assert segment.uplift is not None
        playbook = model.playbook(segment)
        for one in (segment.name, segment.rule.words, segment.outcome.says, segment.uplift.says, playbook.action):
            assert said(one) in text
        assert f"at most {playbook.contacts.most} in any {playbook.contacts.days} days" in text


def test_the_back_test_the_choice_and_the_data_are_told_of(html: str, artifact: Artifact) -> None:
    text, manifest = Page(html).text, artifact.manifest
    assert manifest.cleaning is not None
    for one in (
        *(backtest.says for backtest in manifest.evidence.backtests),
        manifest.selection.reason,
        manifest.selection.rule,
        *(rule.reason for rule in manifest.cleaning.rules),
        *(ranking.drives for ranking in manifest.drivers),
        *manifest.notes,
        manifest.data[0].sha256[:12],
    ):
        assert said(one) in text


def test_the_same_artifact_gives_the_same_bytes(html: str, artifact: Artifact) -> None:
    assert page(artifact) == html


def test_no_customer_id_is_on_the_page(html: str, published: Published) -> None:
    with gzip.open(published.transactions, "rt", encoding="utf-8") as file:
        ids = {row["CustomerID"] for row in csv.DictReader(file)} - {""}
    words = set(re.findall(r"\w+", Page(html).text))
    assert len(ids) > 500
    assert not ids & words


def test_what_people_named_is_text_and_never_markup(artifact: Artifact) -> None:
    found = Page(page(with_segments(artifact, name="<b onclick=x>&amp;")))
    assert "b" not in found.names
    assert "<b onclick=x>&amp;" in found.text
    assert found.wrong == []


def test_text_is_escaped_once_and_markup_is_kept() -> None:
    assert tag("p", 'a < "b"', Html("<i>c</i>"), title='"d"') == (
        '<p title="&quot;d&quot;">a &lt; &quot;b&quot;<i>c</i></p>'
    )
    assert unescape(joined("a & b")) == "a & b"


def test_segments_that_predict_nothing_are_said_to(artifact: Artifact) -> None:
    chance = Estimate(value=0.5, low=0.47, high=0.53)
    backtest = artifact.manifest.evidence.backtests[0]
    nothing = backtest.model_copy(
        update={"beyond_chance": False, "model": backtest.model.model_copy(update={"auc": chance})}
    )
    text = Page(page(with_evidence(artifact, backtests=(nothing,)))).text
    assert "The segments predict nothing beyond chance" in text
    assert "They tell who buys later." not in text


@pytest.mark.parametrize(("r_squared", "auc"), [(-0.3, 0.8), (0.0, 0.8), (1e-9, 0.8), (0.2, 0.5), (0.2, 0.43)])
def test_no_share_is_said_of_a_limit_that_is_not_positive(artifact: Artifact, r_squared: float, auc: float) -> None:
    backtest = artifact.manifest.evidence.backtests[0]
    figures = {
        "r_squared": Estimate(value=r_squared, low=r_squared, high=r_squared),
        "auc": Estimate(value=auc, low=auc, high=auc),
    }
    limited = backtest.model_copy(update={"limit": backtest.limit.model_copy(update=figures)})
    text = Page(page(with_evidence(artifact, backtests=(limited,)))).text
    assert "of that R²" not in text
    assert "of that AUC" not in text
    assert "of that R²" in Page(page(artifact)).text


def test_no_share_is_said_of_a_revenue_or_a_hit_rate_that_is_not_positive(
    artifact: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    record = artifact.manifest.recommendations
    assert record is not None
    without = record.model_copy(
        update={name: getattr(record, name).model_copy(update={"times_popularity": None}) for name in ("all", "new")}
    )
    nothing = changed(with_segments(artifact, revenue_share=None), recommendations=without)
    found = Page(page(nothing))
    assert found.wrong == []
    assert "are worth most: " in found.text
    assert "of net revenue" not in found.text.partition("Data quality")[0]
    assert "times as often as what sells most" not in found.text
    assert "times as often as what sells most" in Page(page(artifact)).text
    show.model(nothing, as_json=False)
    shown = capsys.readouterr().out
    assert "times what the most bought ones reach" not in shown
    assert "0.0%" not in shown.partition("Segments (medians)")[2].partition("└")[0]


def test_a_history_too_short_to_prove_anything_is_said_to_be(artifact: Artifact) -> None:
    short = with_evidence(artifact, backtests=(), unproved=("It was too short a time.",), warnings=("only 9 days",))
    text = Page(page(with_segments(short, outcome=None))).text
    assert "Whether they tell who buys later is not known." in text
    assert "It was too short a time." in text
    assert "Thin data: only 9 days." in text
    assert "They tell who buys later." not in text


def test_a_preset_is_measured_beside_the_default(artifact: Artifact) -> None:
    selection, parameters = artifact.manifest.selection, artifact.manifest.parameters
    poor = selection.winner.model_copy(
        update={
            "name": "price and quantity",
            "auc": 0.501,
            "r_squared": 0.002,
            "excluded": "stability 0.10 is under 0.9",
        }
    )
    asked = selection.model_copy(
        update={"candidates": (*selection.candidates, poor), "chosen": len(selection.candidates)}
    )
    preset = changed(artifact, selection=asked, parameters={**parameters, "preset": "price-quantity"})
    text = Page(page(preset)).text
    assert "The back-test speaks against them" in text
    assert "R² 0.002 and AUC 0.501" in text
    assert "Nor is the preset sound: stability 0.10 is under 0.9." in text
    assert "The back-test speaks against them" not in Page(page(artifact)).text


def test_a_table_of_customers_has_a_report_without_money_dates_and_products(artifact: Artifact) -> None:
    bare = {
        "revenue": None, "revenue_share": None, "revenue_per_customer": None, "profitability_rank": None,
        "habits": None, "products": (), "countries": (), "outcome": None, "rule": None, "uplift": None,
    }  # fmt: skip
    table = with_segments(with_evidence(artifact, backtests=(), calibration=()), **bare)
    table = replace(table, files={**table.files, MAP: b"null"})
    parameters = {**artifact.manifest.parameters, "id": "Client No"}
    table = changed(
        table, source="customers", cleaning=None, rules=None, recommendations=None, movements=None, drivers=(),
        data_first=None, data_last=None, parameters=parameters,
    )  # fmt: skip
    found = Page(page(table))
    assert found.wrong == []
    assert "there were no transactions to clean" in found.text
    assert "Revenue share" not in found.text
    assert "--id 'Client No' --features recency" in command(table.manifest)


def test_a_group_of_a_few_is_called_personal_data(artifact: Artifact) -> None:
    assert "treat this report as personal data" in Page(page(with_segments(artifact, size=3))).text
    assert "treat this report as personal data" not in Page(page(artifact)).text


@pytest.mark.parametrize(
    ("median", "where"), [(10, 0.0), (14, 1.0), (8, -1.0), (100, 2.0), (-100, -2.0), (12, 0.5), (9, -0.5)]
)
def test_a_median_lies_by_quartiles_among_all_customers(median: float, where: float) -> None:
    assert position(median, Spread(median=10, q1=8, q3=14)) == where


def test_a_median_has_a_place_where_all_quartiles_are_one() -> None:
    same = Spread(median=0, q1=0, q3=0)
    assert [position(one, same) for one in (-1, 0, 1)] == [-2.0, 0.0, 2.0]


def test_the_command_writes_the_page_whole_or_says_why_not(
    published: Published, html: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", published.first, "--models-dir", str(published.directory), "--out"]
    assert main([*arguments, str(tmp_path / "report.html")]) == 0
    assert (tmp_path / "report.html").read_text("utf-8") == html
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert main([*arguments, str(tmp_path / "nowhere" / "report.html")]) == 1
    assert "its folder does not exist" in " ".join(capsys.readouterr().err.split())
