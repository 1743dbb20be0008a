"""The service that runs with the same settings, as commands beside it reach it."""

import http.client

from service.settings import Settings

LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (an address to listen on is none to connect to)


class RunningService:
    """A client of the service on this machine."""

    def __init__(self, settings: Settings, timeout: float) -> None:
        """`timeout` is in seconds, for connecting and for each read."""
        self._host = LOOPBACK_OF.get(settings.host, settings.host)
        self._port = settings.port
        self._timeout = timeout
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"http://{host}:{self._port}"

    def get(self, path: str) -> tuple[int, bytes]:
        """The status and the body of the response. Raises OSError if no service answers."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(f"{self.url} does not answer as an HTTP server does: {error!r}") from error
        except OSError as error:
            raise OSError(f"no service answers on {self.url}: {error}") from error
        finally:
            connection.close()
