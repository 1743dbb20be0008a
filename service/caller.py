"""Who sent a request, as the door found out."""

from typing import NamedTuple

from starlette.types import Scope

KEY = "segmentation.caller"  # of an ASGI scope


class Caller(NamedTuple):
    """A key by its public id and name; `requests_per_minute` None is the setting's."""

    id: str
    name: str
    scopes: frozenset[str]
    requests_per_minute: int | None = None

    @property
    def who(self) -> str:
        """For the audit log."""
        return self.id if self.id == ANYONE.id else f"key {self.id} ({self.name})"


ANYONE = Caller("anyone", "anyone", frozenset({"score", "read", "admin"}))  # where no key is asked for
NOBODY = Caller("nobody", "nobody", frozenset())  # where keys are asked for, and the call is open to all


def caller_of(scope: Scope) -> Caller:
    """Who sent the request of this scope."""
    found: Caller = scope.get(KEY, ANYONE)
    return found
