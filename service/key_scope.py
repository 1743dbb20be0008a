"""What a key may do, and what a call needs: declared at each route, in OpenAPI's own words."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

SCHEME = "key"  # of the OpenAPI document


class KeyScope(StrEnum):
    """A right that a key may have."""

    SCORE = "score"
    READ = "read"
    ADMIN = "admin"


MEANS: Mapping[KeyScope, str] = {
    KeyScope.SCORE: "assign customers",
    KeyScope.READ: "read segments, customers, models and metrics",
    KeyScope.ADMIN: "everything, also activating models, exporting and erasing customers",
}
EVERYTHING = frozenset(KeyScope)
OPEN: dict[str, Any] = {"security": []}  # a call that needs no key
# What the framework makes itself, without a place to declare anything at.
OPEN_PATHS = frozenset({"/openapi.json", "/docs/assets"})


def needs(scope: KeyScope) -> dict[str, Any]:
    """For a route's `openapi_extra`: the call needs a key with this scope."""
    return {"security": [{SCHEME: [scope.value]}]}


def granted(scopes: Iterable[str]) -> frozenset[str]:
    """All that a key with these scopes may do."""
    return EVERYTHING if KeyScope.ADMIN in (given := frozenset(scopes)) else given


def declared(route: RouteContext) -> frozenset[str] | None:
    """The scopes that a route says it needs, empty where it is open; None where it says nothing."""
    if route.path in OPEN_PATHS:
        return frozenset()
    security = (getattr(route, "openapi_extra", None) or {}).get("security")
    return None if security is None else frozenset(name for one in security for name in one.get(SCHEME, ()))


class Needs:
    """Which scope each request needs, by the routes themselves; a route that declares nothing needs `admin`."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._exact: dict[tuple[str, str], frozenset[str]] = {}
        self._others: list[tuple[RouteContext, frozenset[str]]] = []
        for route in iter_route_contexts(list(routes)):
            needed = declared(route)
            self._add(route, frozenset({KeyScope.ADMIN}) if needed is None else needed)
        self.open_paths = frozenset(path for (_, path), needed in self._exact.items() if not needed)

    def of(self, scope: Scope) -> frozenset[str]:
        """What a request needs; nothing where there is no such call, which the router then says."""
        found = self._exact.get((scope["method"], scope["path"]))
        return self._matched(scope) if found is None else found

    def _add(self, route: RouteContext, needed: frozenset[str]) -> None:
        if route.methods and route.path is not None and "{" not in route.path:
            self._exact |= {(method, route.path): needed for method in route.methods}
        else:
            self._others.append((route, needed))

    def _matched(self, scope: Scope) -> frozenset[str]:
        for route, needed in self._others:
            if route.original_route.matches(scope)[0] == Match.FULL:
                return needed
        return frozenset()
