"""Who may know whom: `training → models ← service`, held by the imports of every file."""

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for package in ("models", "training", "service") for path in (ROOT / package).rglob("*.py"))

LEARNING = {"sklearn", "joblib"}
ENGINES = {"duckdb", "ibis"}
FRAMES = {"pandas", "pyarrow"}
WEB = {"fastapi", "starlette"}
# The files of the service that are handed an engine or a URL, the store's own aside.
GIVEN_AN_ENGINE = {"service/caretaker.py", "service/proving.py", "service/state.py", "service/settings.py"}
# What an instance of is made in one place and handed on, never kept at module level.
HANDED_ON = {"Settings", "create_app", "assemble", "create_engine", "open_engine", "Registry", "SegmentationModel",
             "ServedModel", "LiveModel", "Service", "GroupCommit", "Reader", "Scorer", "ProductAdvisor",
             "TransitionForecast", "TrajectorySearch", "ClosedForm", "Idempotency", "IdempotencyKeys", "LiveKeys",
             "KeyUse", "KeyStore", "Door", "PersonalData", "Suppressed", "Caretaker", "Board", "Recorder",
             "Tracing"}  # fmt: skip


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level package of everything a file imports, wherever in the file it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports do not say whom they know"
            yield (node.module or "").partition(".")[0]


def importers(packages: Collection[str], within: str = "") -> set[str]:
    """The files under `within` that import any of the packages."""
    found = {name_of(path) for path in FILES if set(imported(tree_of(path))) & set(packages)}
    return {name for name in found if name.startswith(within)}


def test_there_is_something_to_look_at() -> None:
    assert {"models/scorer.py", "training/fit.py", "service/app.py"} <= {name_of(path) for path in FILES}


def test_models_know_neither_training_nor_the_service() -> None:
    assert importers({"training", "service"}, "models/") == set()


def test_models_know_no_http_no_sql_and_no_data_frames() -> None:
    assert importers(WEB | ENGINES | FRAMES | {"sqlalchemy", "alembic", "psycopg", "uvicorn"}, "models/") == set()


def test_training_and_the_service_do_not_know_each_other() -> None:
    assert importers({"service"}, "training/") == set()
    assert importers({"training"}, "service/") == set()


def test_only_the_proof_unpickles_where_models_live() -> None:
    assert importers(LEARNING | {"pickle"}, "models/") == {"models/proof.py"}


def test_only_the_service_knows_the_web() -> None:
    assert {name.partition("/")[0] for name in importers(WEB | {"uvicorn"})} == {"service"}


def test_sql_is_in_the_store_and_where_training_reads_a_database() -> None:
    outside = {name for name in importers({"sqlalchemy"}) if not name.startswith("service/store/")}
    assert outside == {*GIVEN_AN_ENGINE, "training/reading/database.py"}


def test_only_the_store_knows_drivers_and_migrations() -> None:
    assert {
        name for name in importers({"alembic", "psycopg", "sqlite3"}) if not name.startswith("service/store/")
    } == set()


def test_the_service_learns_nothing_and_runs_no_engine() -> None:
    assert importers(LEARNING | ENGINES | {"pickle", "scipy"}, "service/") == set()


def test_data_frames_are_for_scoring_files_only() -> None:
    assert importers(FRAMES, "service/") == {"service/scoring.py"}


def test_a_process_that_answers_holds_arrays_only() -> None:
    # Before it is known which database it is, that is: each brings its own dialect.
    later = {"statistics", "backports.zstd", "service.preflight"}
    dialects = {"sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql"}
    heavy = sorted(LEARNING | ENGINES | FRAMES | {"scipy"} | later | dialects)
    code = f"import service.commands.serve, sys; print(*(name for name in {heavy} if sys.modules.get(name)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("ledger", ["sqlite_ledger", "postgresql_ledger"])
def test_a_process_that_writes_knows_little_more_than_its_driver(ledger: str) -> None:
    large = {"sqlalchemy", "numpy", "pydantic", "uvicorn", "models", *WEB}
    code = f"import service.store.scribe_main, service.store.{ledger}, sys; print(*({large} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_named_for_its_noun(path: Path) -> None:
    assert path.stem.strip("_") not in {"util", "utils", "helper", "helpers", "common", "misc"}


def made(statements: Collection[ast.stmt]) -> Iterator[str]:
    """The names of what is called when a module is imported, for the values it keeps."""
    for statement in statements:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            for node in ast.walk(statement.value):
                if isinstance(node, ast.Call):
                    yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            yield from made(statement.body)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_module_keeps_settings_an_engine_or_a_model(path: Path) -> None:
    assert set(made(tree_of(path).body)) & HANDED_ON == set()
