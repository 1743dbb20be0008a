"""What docs/security.md promises is shown by tests that are there; and what no other test shows of it."""

import ast
import re
from pathlib import Path

import pytest

from tests.test_docs import ROOT, rows_of, text_of

SECURITY = "docs/security.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of(SECURITY))))
RISKS = [f"API{number}" for number in range(1, 11)]
# What asks other machines for something. The database's driver is the store's.
CLIENTS = {
    "urllib.request", "http.client", "requests", "httpx", "httpx2", "aiohttp", "urllib3", "smtplib", "ftplib", "poplib",
    "imaplib", "telnetlib", "xmlrpc", "socketserver", "paramiko", "grpc", "websockets",
}  # fmt: skip


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda one: str(one))
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    assert name in functions_of(ROOT / file)


def test_every_risk_has_a_row_that_names_a_test() -> None:
    rows = [row for row in rows_of(SECURITY) if re.match(r"API\d+ ", row[0])]
    assert [row[0].split()[0] for row in rows] == RISKS
    assert all("::test_" in row[2] for row in rows)


def test_every_promise_names_a_test() -> None:
    promises = text_of(SECURITY).partition("## What is promised")[2].partition("\n## ")[0]
    rows = [line for line in promises.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert rows
    assert all("::test_" in row for row in rows)


def modules_imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def importers_of(*modules: str) -> set[str]:
    """The files of the service and the models that import any of the modules or something inside of them."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in ("service", "models")
        for path in (ROOT / folder).rglob("*.py")
        if any(f"{name}.".startswith(f"{module}.") for name in modules_imported_by(path) for module in modules)
    }


def test_the_service_has_nothing_to_fetch_an_address_with() -> None:
    assert importers_of("uvicorn")
    # Two commands ask the service that runs on this machine. No process that answers requests imports them.
    assert importers_of(*CLIENTS) == {"service/commands/running_service.py"}
    assert importers_of("service.commands.running_service") == {
        "service/commands/healthcheck.py",
        "service/commands/invite.py",
    }
    assert importers_of("service.commands.healthcheck", "service.commands.invite") == set()


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_everything_that_is_installed_is_locked_by_hash(lock: str) -> None:
    pinned = re.split(r"^(?=[A-Za-z0-9])", text_of(lock), flags=re.MULTILINE)[1:]
    assert pinned
    assert [one for one in pinned if "==" not in one or "--hash=sha256:" not in one] == []
    assert "--index-url" not in text_of(lock)
    assert "://" not in text_of(lock)
