"""A process that stores the answer to one request under a key, says so, and is killed before it can tell anybody.

Run as `python -m tests.service.keyed_child URL MODELS_DIR PATH KEY` with the body on standard input.
"""

import signal
import sys
from pathlib import Path

from service.store.database import open_engine
from service.store.idempotency import IdempotencyKeys, KeyRecord
from tests.service.serving import serving, settings_for


class Stopped(IdempotencyKeys):
    """Stands still where the answer would be kept."""

    def finish(self, claimed: KeyRecord) -> None:
        sys.stdout.write(f"{claimed.first_id}\n")
        sys.stdout.flush()
        signal.pause()


def main(url: str, models_dir: str, path: str, key: str) -> None:
    with serving(settings_for(url, Path(models_dir))) as client:
        client.app.state.service.idempotency._keys = Stopped(open_engine(url))  # type: ignore[attr-defined]
        headers = {"content-type": "application/json", "idempotency-key": key}
        client.post(path, content=sys.stdin.buffer.read(), headers=headers)


if __name__ == "__main__":
    main(*sys.argv[1:])
