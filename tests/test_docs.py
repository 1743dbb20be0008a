"""What the documents say is what the code does; what the code offers is in the documents."""

import argparse
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest
from pydantic import SecretStr

from models.cleaning import RULES
from models.features import FEATURES, MAIN_COUNTRY, Feature
from models.model import SegmentationModel
from service import __main__ as service_cli
from service.app import create_app
from service.problem import TABLE
from service.request import request_type
from service.settings import Settings, described
from training import __main__ as training_cli
from training.naming import ARCHETYPES, STEADY
from training.preparation.plausibility import checks
from training.reading.column_mapping import column_names
from training.selection import BY_BACKTEST, BY_CLARITY, NONE_SOUND, SOUND

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PROBLEM = "urn:segmentation:problem:"


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def rows_of(document: str) -> list[list[str]]:
    """The cells of every table row in a document, trimmed."""
    lines = [line.strip() for line in text_of(document).splitlines()]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def row_named(document: str, name: str) -> list[str]:
    """The one table row whose first cell is `name` as code."""
    found = [row for row in rows_of(document) if row[0] == f"`{name}`"]
    assert len(found) == 1, f"{document} has {len(found)} rows that begin with `{name}`, and must have one"
    return found[0]


def for_users() -> str:
    """The README and everything in docs/, together."""
    return "\n".join(path.read_text("utf-8") for path in (README, *DOCS))


def code_in(path: Path) -> str:
    """Everything that a document sets as code, in blocks and in lines."""
    text = path.read_text("utf-8")
    blocks = [found.group(2) for found in FENCED.finditer(text)]
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", FENCED.sub("", text))])


def anchors_in(path: Path) -> set[str]:
    """The names under which GitHub shows a document's headings."""
    headings = HEADING.findall(FENCED.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# Settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "default"), [(name, default) for name, default, _ in described()])
def test_every_setting_is_documented_once_with_its_default(name: str, default: str) -> None:
    row = row_named("docs/configuration.md", name)
    assert row[1] == (f"`{default}`" if default else "")
    assert row[2]


def test_no_setting_is_documented_that_there_is_not() -> None:
    known = {name for name, _, _ in described()} | {"SEGMENTATION_DATA_DIR"}  # where the tests look for real data
    known |= {"SEGMENTATION_RATE_LIMIT_SHARED"}  # removed, as the changelog says
    named = {name for path in DOCUMENTS for name in re.findall(r"SEGMENTATION_[A-Z_]*[A-Z]", path.read_text("utf-8"))}
    assert named <= known


# HTTP ----------------------------------------------------------------------------------------------


def calls(folder: Path) -> Mapping[str, list[str]]:
    """Every call with the statuses that the OpenAPI document has for it."""
    url = SecretStr(f"sqlite:///{folder}/store.sqlite3")
    document = create_app(Settings(database_url=url, models_dir=folder)).openapi()
    return {
        f"{method.upper()} {path}": sorted(call["responses"])
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    }


def test_every_call_is_in_the_table_of_calls_and_no_other(tmp_path: Path) -> None:
    listed = [row[0].strip("`") for row in rows_of("docs/http.md") if re.match(r"`[A-Z]+ /", row[0])]
    assert sorted(listed) == sorted(calls(tmp_path))


def test_the_table_of_calls_has_the_statuses_of_the_openapi_document(tmp_path: Path) -> None:
    of_any_call = {"200", "401", "403", "422", "429", "503"}  # named below the table
    for call, statuses in calls(tmp_path).items():
        assert "422" in statuses
        assert row_named("docs/http.md", call)[2] == ", ".join(one for one in statuses if one not in of_any_call), call
        assert ("400" in statuses) >= ("{" in call)


def test_every_call_is_described_outside_the_table_of_calls(tmp_path: Path) -> None:
    described_in = "\n".join(line for line in text_of("docs/http.md").splitlines() if not line.startswith("|"))
    assert [call for call in calls(tmp_path) if f"`{call}`" not in described_in] == []


def problem_types() -> Mapping[str, int]:
    """Every problem the service can answer with, and its status: the domain's table, and the framework's own."""
    found = {name: int(status) for name, status in TABLE.values()}
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "service").rglob("*.py"))
    refused = {getattr(HTTPStatus, name) for name in re.findall(r"HTTPException\(\s*HTTPStatus\.(\w+)", sources)}
    for status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, *refused}:
        found[status.phrase.lower().replace(" ", "-")] = int(status)
    return {**found, "unauthorized": 401, "internal": 500}


def test_every_problem_type_is_documented_with_its_status_and_no_other() -> None:
    rows = [row for row in rows_of("docs/http.md") if len(row) == 3 and re.fullmatch(r"[45]\d\d", row[1])]
    assert {row[0].strip("`"): int(row[1]) for row in rows} == problem_types()


def test_problem_types_written_out_in_the_code_are_documented() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "service").rglob("*.py"))
    written = set(re.findall(rf'{PROBLEM}([a-z-]+)"', sources)) | set(re.findall(r'_problem\("([a-z-]+)"', sources))
    assert written
    assert written <= set(problem_types())


# Data and model ------------------------------------------------------------------------------------


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_feature_is_documented_as_the_code_defines_it(feature: Feature) -> None:
    assert row_named("docs/data.md", feature.name)[1:] == [feature.unit, feature.formula, feature.one_order]


def test_the_feature_in_words_is_documented() -> None:
    assert row_named("docs/data.md", MAIN_COUNTRY)


def test_every_cleaning_rule_is_documented_in_its_order_with_its_reason() -> None:
    names = {rule.name for rule in RULES}
    # A field has the name of a rule; its row has names of columns in place of "yes" or nothing.
    rows = [row for row in rows_of("docs/data.md") if row[0].strip("`") in names and row[2:] in ([""], ["yes"])]
    expected = [[f"`{rule.name}`", rule.reason, "yes" if rule.returns else ""] for rule in RULES]
    assert rows == expected


@pytest.mark.parametrize("name", checks())
def test_every_check_of_plausibility_is_documented_with_its_limit(name: str) -> None:
    assert row_named("docs/data.md", name)[1:3] == [f"{checks()[name].limit:g}", str(checks()[name].fewest)]


@pytest.mark.parametrize("field", column_names().fields)
def test_every_column_name_that_is_understood_is_documented(field: str) -> None:
    rows = [row for row in rows_of("docs/data.md") if row[0] == f"`{field}`" and row[2:] not in ([""], ["yes"])]
    assert [row[2] for row in rows] == [", ".join(column_names().fields[field].names)]


def test_the_selection_rule_and_the_names_of_segments_are_documented() -> None:
    said = re.sub(r"[\s>]+", " ", text_of("docs/model.md"))
    assert [rule for rule in (SOUND, BY_BACKTEST, BY_CLARITY, NONE_SOUND) if rule not in said] == []
    assert [name for name in (*ARCHETYPES, *STEADY) if name not in said] == []


# Commands ------------------------------------------------------------------------------------------


def subcommands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= action.choices
    return found


def words(parser: argparse.ArgumentParser, program: str) -> Iterator[str]:
    """What a person may type after a program's name: its commands, their options and their choices."""
    for command, options in subcommands(parser).items():
        yield f"{program} {command}"
        yield from words(options, command)
        for action in options._actions:
            if isinstance(action, argparse._HelpAction):
                continue
            yield from action.option_strings
            if action.choices is not None and not action.option_strings and not subcommands(options):
                yield from (f"{command} {choice}" for choice in action.choices)


COMMANDS = sorted(
    {*words(training_cli._parser(), "python -m training"), *words(service_cli._parser(), "python -m service")}
)


@pytest.mark.parametrize("word", COMMANDS)
def test_every_command_and_option_is_named_in_the_documents(word: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", for_users())


def test_no_option_is_named_that_there_is_not() -> None:
    others = {"--strict", "--upgrade", "--rm", "--data-binary"}  # of mypy, of the lock, of docker, of curl
    known = {word for word in COMMANDS if word.startswith("--")} | others
    named = {option for path in DOCUMENTS for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code_in(path))}
    assert named <= known


def test_no_make_target_is_named_that_the_makefile_does_not_have() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))
    named = {target for path in DOCUMENTS for target in re.findall(r"\bmake ([a-z][a-z-]*)", code_in(path))}
    assert named
    assert named <= targets


# Links and examples --------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(document: Path) -> None:
    broken = []
    for target in LINK.findall(FENCED.sub("", document.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name) if name else document
        if not file.exists() or (anchor and anchor not in anchors_in(file)):
            broken.append(target)
    assert broken == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    linked = {(ROOT / target).resolve() for target in LINK.findall(README.read_text("utf-8")) if ":" not in target}
    assert {path.resolve() for path in DOCUMENTS} - linked == {README.resolve()}


def bodies(document: str) -> list[tuple[str, str]]:
    """The address and the JSON body of every `curl … -d '…'` in a document."""
    blocks = [found.group(2) for found in FENCED.finditer(text_of(document)) if found.group(1) == "sh"]
    return [
        pair for block in blocks for pair in re.findall(r"curl\b[^']*?(/segment\S*) .*?-d '(.*?)'", block, re.DOTALL)
    ]


def test_the_readme_begins_with_a_request_that_a_trained_model_takes(model: SegmentationModel) -> None:
    ((address, body),) = bodies("README.md")
    assert address == "/segment"
    sent = request_type(model, max_transactions=10_000).model_validate_json(body)
    assert set(model.features) <= set(sent.features)


def test_the_requests_in_the_documents_are_taken(model: SegmentationModel) -> None:
    known = request_type(model, max_transactions=10_000)
    (one, transactions), (many, batch) = bodies("docs/http.md")
    assert (one, many) == ("/segment", "/segment/batch")
    assert known.model_validate_json(transactions).transactions
    assert batch.lstrip().startswith("[")
