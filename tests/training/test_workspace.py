import os
from pathlib import Path

import pytest

from training.cpu import cpu_quota
from training.workspace import Workspace

# Ibis 12 still calls what DuckDB 2 has deprecated.


def test_the_database_is_a_file_in_a_folder_that_goes_with_it(tmp_path: Path) -> None:
    with Workspace(parent=tmp_path) as workspace:
        assert workspace.folder.parent == tmp_path
        assert (workspace.folder / "workspace.duckdb").is_file()
    assert not list(tmp_path.iterdir())


def test_the_folder_goes_also_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Workspace(parent=tmp_path):
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_times_are_in_utc_and_limits_are_as_given() -> None:
    settings = "SELECT current_setting('TimeZone'), current_setting('threads'), current_setting('memory_limit')"
    with Workspace(threads=1, memory_limit="512MiB") as workspace:
        assert workspace.backend.raw_sql(settings).fetchall() == [("UTC", 1, "512.0 MiB")]


def test_names_and_files_are_never_given_twice() -> None:
    with Workspace() as workspace:
        assert workspace.name("lines") != workspace.name("lines")
        assert workspace.file(".csv") != workspace.file(".csv")


def test_a_quota_of_cgroup_version_2_bounds_the_processors(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert cpu_quota(tmp_path) == 1


def test_a_quota_of_cgroup_version_1_bounds_the_processors(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(tmp_path) == 1


@pytest.mark.parametrize("content", ["max 100000\n", ""])
def test_without_a_quota_the_affinity_counts(tmp_path: Path, content: str) -> None:
    (tmp_path / "cpu.max").write_text(content)
    visible = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert cpu_quota(tmp_path) == visible
