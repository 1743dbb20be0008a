"""A call that refuses what its address has and the call does not take."""

import difflib
from collections import Counter
from collections.abc import Sequence
from urllib.parse import parse_qsl

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from service.errors import Fault, InvalidRequest
from service.faults import MOST

LONGEST_NAME = 60  # of a parameter that is not known, as far as it is sent back


class Route(APIRoute):
    """A documented call. Query parameters that it does not declare, or that come twice, are refused, not ignored."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        matched, inside = super().matches(scope)
        # The framework's patterns end with `$`, which also holds before a line break at the end of the path.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if matched is not Match.NONE and not self.path_regex.fullmatch(path):
            return Match.NONE, {}
        return matched, inside

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"] and scope["method"] in (self.methods or ()):
            check_query(scope["query_string"], self.query_parameters)
        await super().handle(scope, receive, send)

    @property
    def query_parameters(self) -> list[str]:
        """The names of those it declares: to the framework, or in its part of the OpenAPI document."""
        declared = [one.alias for one in self.dependant.query_params]
        described = (self.openapi_extra or {}).get("parameters", ())
        return [*declared, *(one["name"] for one in described if one["in"] == "query")]


def check_query(query: bytes, known: Sequence[str]) -> None:
    """Raises InvalidRequest for parameters that are not known, and for those that come twice."""
    sent = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    unknown = [Fault(_shown(name), _unknown(name, known)) for name in sent if name not in known]
    repeated = [Fault(name, f"is sent {sent[name]} times; send it once") for name in known if sent[name] > 1]
    if unknown or repeated:
        raise InvalidRequest([*unknown, *repeated][:MOST])


def _unknown(name: str, known: Sequence[str]) -> str:
    if not known:
        return "is not a parameter of this call, which takes none; remove it"
    takes = f"is not a parameter of this call, which takes {' and '.join(known)}"
    nearest = difflib.get_close_matches(name[:LONGEST_NAME].lower(), known, n=1)
    return f"{takes}; did you mean {nearest[0]}?" if nearest else f"{takes}; remove it or correct its name"


def _shown(name: str) -> str:
    return (name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…") or "?"
