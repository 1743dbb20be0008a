"""SQLite's log is carried over into the database beside the writer, not inside somebody's commit."""

import sqlite3
import threading
import time
from contextlib import suppress

EVERY_SECONDS = 0.25


class Checkpointer:
    """A thread with a connection of its own that checkpoints while there is writing.

    Measured with batches of 10,000: commits that checkpoint themselves made every third batch wait 25 ms and more,
    a tenth of its time. They still may, from `wal_autocheckpoint` pages on: under a steady load only a writer finds
    a moment in which the log can begin anew, and then little is left to carry over.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """For the database that the writer's connection has open."""
        self._path = connection.execute("PRAGMA database_list").fetchone()[2]
        self._next = time.monotonic() + EVERY_SECONDS
        self._wanted = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """To be called after a commit; wakes the thread, but not more often than EVERY_SECONDS."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY_SECONDS
            self._wanted.set()

    def close(self) -> None:
        """Ends the thread; what is left in the log, the next start carries over."""
        self._ended = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            while self._wanted.wait() and not self._ended:
                self._wanted.clear()
                # A failure costs nothing: the log stays, and the writer's own checkpoint comes later.
                with suppress(sqlite3.Error):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            connection.close()
