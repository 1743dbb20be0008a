"""A clock that can be moved under a running process, by a library that is loaded before the C library."""

import importlib.util
from datetime import timedelta
from pathlib import Path


class Clock:
    """Its `environment` is for the processes that follow it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.move(timedelta())

    @property
    def environment(self) -> dict[str, str]:
        spec = importlib.util.find_spec("libfaketime")
        assert spec is not None
        assert spec.submodule_search_locations is not None
        library = Path(spec.submodule_search_locations[0]) / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # As when an administrator sets a machine's clock: what has passed since its start stays as it is.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def move(self, by: timedelta) -> None:
        """Away from the true time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{by.total_seconds():+.0f}s\n")
        fresh.replace(self._file)
