"""The limit on requests that are answered at the same time."""

from service.errors import Overloaded

OPEN_PREFIX = "/health/"  # a full service is healthy, and is to say so


class Concurrency:
    """Refuses what comes while `most` requests are under way."""

    def __init__(self, most: int) -> None:
        self._most = most

    def check(self, path: str, under_way: int) -> None:
        """Of a request for `path`, itself counted among those under way. Raises Overloaded."""
        if under_way > self._most and not path.startswith(OPEN_PREFIX):
            raise Overloaded(
                f"{self._most:,} requests are being answered, as many as may be; send it again in a moment"
            )
