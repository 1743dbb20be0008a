"""The newcomer's path with containers in docs/operations.md, followed word for word."""

import os
import secrets
from pathlib import Path

import pytest

from tests.containers.stack import free_port, has_bridge, has_engine, run
from tests.test_operations import checkout, follow, path_of

pytestmark = pytest.mark.containers


def test_a_newcomer_gets_from_a_checkout_to_containers_that_answer(tmp_path: Path) -> None:
    if not has_engine():
        pytest.skip("no Docker engine answers; start one, or set DOCKER_HOST")
    folder = checkout(tmp_path)
    files = ["docker-compose.yml"] + ([] if has_bridge() else ["tests/containers/override.yml"])
    variables = {
        "COMPOSE_FILE": os.pathsep.join(files),
        "COMPOSE_PROJECT_NAME": f"segmentation-test-{secrets.token_hex(4)}",
        "TEST_DATABASE_PORT": str(free_port()),
    }
    try:
        said = follow(path_of("With containers"), folder, free_port(), **variables)
    finally:
        down = ["docker", "compose", "--project-directory", str(folder), "down", "--volumes", "--timeout", "5"]
        files_there = os.pathsep.join(str(folder / name) for name in files)
        run(down, variables | {"COMPOSE_FILE": files_there}, check=False)
    assert '"status":"ready"' in said.replace(" ", "")
    assert '"segments":' in said
    assert "(1 row)" in said
