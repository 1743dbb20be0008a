"""The settings of a process that answers requests, each tried in a process of its own."""

import subprocess
import sys

from tests.service.server import ROOT


def printed_by(code: str) -> str:
    prelude = "import gc, sys; import service.server.runtime_tuning as tuning; "
    done = subprocess.run([sys.executable, "-c", prelude + code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_process_that_answers_collects_garbage_less_often_and_switches_threads_more_often() -> None:
    code = "tuning.tune_process(); print(gc.isenabled(), gc.get_threshold(), round(sys.getswitchinterval(), 6))"
    assert printed_by(code) == "True (50000, 20, 50) 0.0005"


def test_what_start_up_made_is_left_out_of_garbage_collection() -> None:
    code = "before = gc.get_freeze_count(); tuning.tune_process(); print(before, gc.get_freeze_count() > 1_000)"
    assert printed_by(code) == "0 True"


def test_what_is_imported_before_workers_are_forked_is_left_out_of_garbage_collection() -> None:
    code = "tuning.share_memory_with_workers(); print(gc.isenabled(), gc.get_freeze_count() > 1_000)"
    assert printed_by(code) == "True True"
