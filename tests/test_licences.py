"""The list of licences is of what the locks install, and the bill of materials is what CycloneDX calls one."""

import json
import re
import subprocess
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.licences import LISTED, ROOT, licence, listed, packages

# Those who pass the images on must know of them.
COPYLEFT = {"psycopg", "psycopg-binary"}


def test_the_list_is_of_the_packages_in_the_locks_and_of_what_they_state() -> None:
    assert LISTED.read_text("utf-8") == listed(), "make licences"


def test_every_package_states_a_licence_and_those_with_duties_are_known() -> None:
    stated = {name: licence(name) for name in packages()}
    assert [name for name, text in stated.items() if not text] == []
    assert {name for name, text in stated.items() if "GPL" in text or "MPL" in text} == COPYLEFT


def test_a_bill_of_materials_of_an_environment_is_valid_and_names_versions_and_licences(tmp_path: Path) -> None:
    [given] = re.findall(r"\$\(BIN\)/cyclonedx-py (environment .+?) -o", (ROOT / "Makefile").read_text("utf-8"))
    command = sys.executable, "-m", "cyclonedx_py", *given.split(), "-o", str(tmp_path / "sbom.json"), sys.executable
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    text = (tmp_path / "sbom.json").read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    assert (told["bomFormat"], told["metadata"]["component"]["name"]) == ("CycloneDX", "customer-segmentation-service")
    named = {one["name"].lower(): one for one in told["components"]}
    assert {"numpy", "fastapi", "sqlalchemy"} <= set(named)
    assert all(named[name]["version"] and named[name]["licenses"] for name in ("numpy", "fastapi", "sqlalchemy"))
    assert str(tmp_path) not in text
    assert str(ROOT) not in text
