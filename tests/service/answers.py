"""What may be answered, whatever was sent: a documented status, in the documented shape."""

import csv
import http.client
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from service.forms.form import Form
from tests.service.malformed import Sent

PROBLEM = {"type", "title", "status", "detail", "request_id"}
Allowed = Mapping[str, frozenset[int]]  # by path
MOST_CHARACTERS = 30_000  # of a problem
PATIENCE = 60.0  # seconds after which a connection hangs


def documented(document: Mapping[str, Any]) -> Allowed:
    """The statuses that a document says calls by POST have, but for those that say that something is wrong here."""
    return {
        path: frozenset(int(status) for status in calls["post"]["responses"] if int(status) < 500)
        for path, calls in document["paths"].items()
        if "post" in calls
    }


class Conversation:
    """One connection that is kept, and what was wrong with what was answered on it."""

    def __init__(self, port: int, allowed: Allowed) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._allowed = allowed
        self.answered: dict[int, int] = {}

    def close(self) -> None:
        self._connection.close()

    def faults(self, sent: Sent) -> Sequence[str]:
        """Sends it; what is wrong with the answer."""
        named = {name: value.encode("latin-1") for name, value in sent.headers.items()}
        self._connection.request("POST", sent.path, sent.body, named)
        response = self._connection.getresponse()
        content, kind = response.read(), response.headers.get_content_type()
        self.answered[response.status] = self.answered.get(response.status, 0) + 1
        if response.status not in self._allowed[sent.path.partition("?")[0]]:
            return [f"was answered {response.status}: {content[:500]!r}"]
        if response.status != 200:
            if kind != "application/problem+json":
                return [f"was answered {response.status} with {kind}"]
            return list(_wrong(json.loads(content), response.status))
        found: Iterator[Any] = problems_in(Form(kind), content) if sent.path.startswith("/segment/") else iter(())
        return [wrong for problem in found for wrong in _wrong(problem, problem["status"])]


def problems_in(form: Form, content: bytes) -> Iterator[Any]:
    """The problems of the items in the answer to a batch, which has to be whole and readable."""
    if form is Form.ARROW:
        texts = pa.ipc.open_stream(content).read_all()["problem"].to_pylist()
        yield from (json.loads(text) for text in texts if text is not None)
    elif form is Form.CSV:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        yield from (json.loads(row["problem"]) for row in rows if row["problem"])
    else:
        items = map(json.loads, content.splitlines()) if form is Form.NDJSON else json.loads(content)["results"]
        yield from (item["problem"] for item in items if "problem" in item)


def _wrong(problem: Mapping[str, Any], status: int) -> Iterator[str]:
    if problem["status"] != status or not 400 <= status < 500:
        yield f"has the problem {problem}"
    if problem.keys() - {"errors"} != PROBLEM or not problem["type"].startswith("urn:segmentation:problem:"):
        yield f"has a problem of another shape: {problem}"
    if (size := len(json.dumps(problem))) > MOST_CHARACTERS:
        yield f"has a problem of {size:,} characters"
    if ("errors" in problem) != problem["type"].endswith(":invalid-request"):
        yield f"has errors with no reason, or none with one: {problem}"
