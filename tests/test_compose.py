"""docker-compose.yml and the Dockerfile as they are written: bounded, locked down, restarted, and without a shell."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
OURS = [name for name in SERVICES if name != "db"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_bounded_in_memory_processors_processes_and_logs(name: str) -> None:
    assert {"mem_limit", "cpus", "pids_limit"} <= set(SERVICES[name])
    assert set(SERVICES[name]["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_serves_is_restarted_and_what_ends_is_not(name: str) -> None:
    assert SERVICES[name]["restart"] == ("unless-stopped" if name in {"db", "api"} else "no")


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_may_do_nothing_it_does_not_need(name: str) -> None:
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in SERVICES[name]


def test_the_service_has_the_time_to_finish() -> None:
    assert int(SERVICES["api"]["stop_grace_period"].removesuffix("s")) >= 20 + 25


def test_every_base_image_can_be_pinned_by_digest() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - stages
    assert bases == {"${PYTHON_IMAGE}"}
    assert "ARG PYTHON_IMAGE=python:3.13-slim\n" in DOCKERFILE
    for name in ("api", "training"):
        assert SERVICES[name]["build"]["args"]["PYTHON_IMAGE"].startswith("${PYTHON_IMAGE:-")
    assert SERVICES["db"]["image"].startswith("${DATABASE_IMAGE:-")


@pytest.mark.parametrize("instruction", ["ENTRYPOINT", "CMD"])
def test_nothing_that_runs_needs_a_shell(instruction: str) -> None:
    given = re.findall(rf"^\s*(?:HEALTHCHECK .*)?\b{instruction} (.+)$", DOCKERFILE, re.MULTILINE)
    assert given
    assert all(json.loads(one) for one in given)  # a list, which is run as it is
