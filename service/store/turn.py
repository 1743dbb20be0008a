"""Whose turn it is to write: processes that write one SQLite file wait in a line, not in their sleep."""

import os
import sqlite3
import sys

if sys.platform != "win32":
    import fcntl


class Turn:
    """A lock between processes, held for the length of a transaction.

    SQLite's own way to wait is to sleep and look again, ever longer, up to 100 ms: of four processes that write
    without a pause, one may find the lock held each time it looks, and gives up in the end. Here the operating system
    wakes the next one. The lock of a process that is killed is free at once. Whoever writes without taking turns is
    still waited for in SQLite's way, which is the only one on Windows.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """For the database that the writer's connection has open. The file beside it stays empty."""
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        self._file = os.open(f"{path}-turn", os.O_RDWR | os.O_CREAT, 0o644)

    def take(self) -> None:
        """Waits for the turn."""
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def give(self) -> None:
        """Lets the next one write; does nothing where the turn was not taken."""
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Gives the file back to the operating system."""
        os.close(self._file)
