"""The addresses the service has, as templates: what a log and a metric may say of a path, in which ids stand."""

import re
from collections.abc import Iterable

from starlette.routing import BaseRoute

UNMATCHED = "unmatched"
_CONVERTER = re.compile(r":\w+(?=\})")  # {id:customer_id}, as the router has it, is {id} in OpenAPI


class Templates:
    """Finds the template that a path is of."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        known = [(route.path, route.path_regex) for route in routes if hasattr(route, "path_regex")]  # type: ignore[attr-defined]
        named = [(_CONVERTER.sub("", path), regex) for path, regex in known]
        self._plain = {path: path for path, _ in named if "{" not in path}
        self._others: list[tuple[re.Pattern[str], str]] = [(regex, path) for path, regex in named]

    def of(self, path: str) -> str:
        """The template, or `unmatched`."""
        plain = self._plain.get(path)
        if plain is not None:
            return plain
        return next((template for regex, template in self._others if regex.match(path)), UNMATCHED)
