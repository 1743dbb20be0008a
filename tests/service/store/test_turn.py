import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

from service.store.turn import Turn

HOLDER = """
import sqlite3, sys
from service.store.turn import Turn
turn = Turn(sqlite3.connect(sys.argv[1]))
turn.take()
print("taken", flush=True)
sys.stdin.readline()
turn.give()
print("given", flush=True)
sys.stdin.readline()
"""


def test_a_turn_is_waited_for_until_it_is_given_or_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    connection = sqlite3.connect(path)
    turn, taken = Turn(connection), threading.Event()

    def wait_for_it() -> None:
        turn.take()
        taken.set()

    for end in ("give", "kill"):
        command = [sys.executable, "-c", HOLDER, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdin is not None
            assert holder.stdout.readline() == "taken\n"
            waiting = threading.Thread(target=wait_for_it)
            waiting.start()
            assert not taken.wait(0.1)
            if end == "give":
                holder.stdin.write("\n")
                holder.stdin.flush()
            else:
                holder.kill()
            waiting.join()
            assert taken.is_set()
            turn.give()
            taken.clear()
            holder.kill()
    turn.close()
    connection.close()


def test_a_turn_may_be_given_without_being_taken(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "store.sqlite3")
    turn = Turn(connection)
    turn.give()
    turn.close()
    connection.close()
