"""The links of the OpenAPI document: from what an answer holds to the calls that take it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Link(NamedTuple):
    """A call that goes on from an answer: its name there, what it does with its parameter, and where that stands."""

    name: str
    says: str
    method: str
    path: str
    parameter: str
    found_in: str


def _of_customer(found_in: str) -> Sequence[Link]:
    return [
        Link("customer", "The customer's current answer.", "get", "/customers/{id}", "id", found_in),
        Link("history", "All answers for the customer.", "get", "/customers/{id}/history", "id", found_in),
        Link("advice", "What to do about the customer.", "get", "/customers/{id}/recommendations", "id", found_in),
        Link("export", "All that is held of the customer.", "get", "/customers/{id}/export", "id", found_in),
        Link("erasure", "Erases the customer.", "delete", "/customers/{id}", "id", found_in),
    ]


def _of_segment(found_in: str) -> Sequence[Link]:
    path = "/segments/{segment_id}"
    return [
        Link("segment", "The segment's profile.", "get", path, "segment_id", found_in),
        Link("segmentAdvice", "What to do about it.", "get", f"{path}/recommendations", "segment_id", found_in),
        Link("audience", "The customers in it.", "get", f"{path}/customers", "segment_id", found_in),
    ]


def _of_model(found_in: str) -> Sequence[Link]:
    return [
        Link("model", "Everything known of the model.", "get", "/models/{version}", "version", found_in),
        Link("activation", "Serves the model.", "post", "/models/{version}/activate", "version", found_in),
    ]


_CUSTOMER, _SEGMENT, _MODEL = "/customer_id", "/segment/id", "/model_version"
# By the call that is answered with 200. Of a list the first is meant, the others likewise.
LINKS: Mapping[tuple[str, str], Sequence[Link]] = {
    ("post", "/segment"): [*_of_customer(_CUSTOMER), *_of_segment(_SEGMENT), *_of_model(_MODEL)],
    ("get", "/segments"): [*_of_segment("/segments/0/id"), *_of_model(_MODEL)],
    ("get", "/segments/{segment_id}/customers"): _of_customer("/customers/0/customer_id"),
    ("get", "/models"): _of_model("/models/0/version"),
}


def add_links(document: dict[str, Any]) -> None:
    """Writes the links into an OpenAPI document."""
    for (method, path), links in LINKS.items():
        document["paths"][path][method]["responses"]["200"]["links"] = {
            link.name: {
                "operationId": document["paths"][link.path][link.method]["operationId"],
                "parameters": {link.parameter: f"$response.body#{link.found_in}"},
                "description": link.says,
            }
            for link in links
        }
