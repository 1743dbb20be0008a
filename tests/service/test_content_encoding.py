"""Packed bodies are read as what was packed, and take no more memory than they may."""

import gzip
import json
from collections.abc import Callable, Mapping

import psutil
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from service.content_encoding import PIECE, UNPACKERS
from service.forms.form import Form
from service.zstandard_unpacker import ZSTANDARD_AT_ONCE
from tests.service.forms.sent import as_csv, as_ndjson, post
from tests.service.requests import by_features
from tests.service.serving import TestClient

PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "zstd": zstd.compress,
}
LARGEST_BLOCK = 131_072  # what four bytes of Zstandard can become


def posted(client: TestClient, body: bytes, encoding: str, path: str = "/segment") -> tuple[int, str]:
    response = client.post(path, content=body, headers={"content-encoding": encoding})
    return response.status_code, response.json().get("type", "").rpartition(":")[2]


@pytest.mark.parametrize("encoding", [*PACK, "identity", "GZIP"])
def test_a_packed_body_is_answered_as_the_plain_one(shared_client: TestClient, encoding: str) -> None:
    plain = json.dumps(by_features()).encode()
    packed = PACK.get(encoding.lower(), bytes)(plain)
    expected = shared_client.post("/segment", content=plain).json()
    response = shared_client.post("/segment", content=packed, headers={"content-encoding": encoding})
    assert response.status_code == 200
    assert {**response.json(), "assignment_id": ""} == {**expected, "assignment_id": ""}


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_members_one_after_another_are_one_body(shared_client: TestClient, encoding: str) -> None:
    lines = as_ndjson([by_features(str(index)) for index in range(40)])
    packed = b"".join(PACK[encoding](lines[start : start + 100]) for start in range(0, len(lines), 100))
    response = post(shared_client, Form.NDJSON, packed, Form.JSON, content_encoding=encoding)
    assert response.json()["assigned"] == 40


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, zstd", "compress"])
def test_another_encoding_is_refused(shared_client: TestClient, encoding: str) -> None:
    assert posted(shared_client, b"{}", encoding) == (415, "unsupported-media-type")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("path", ["/segment", "/segment/batch"])
def test_what_is_not_packed_so_or_breaks_off_is_refused(shared_client: TestClient, encoding: str, path: str) -> None:
    body = json.dumps([by_features()] * 50).encode()
    assert posted(shared_client, body, encoding, path) == (400, "broken-body")
    assert posted(shared_client, PACK[encoding](body)[:-20], encoding, path) == (400, "broken-body")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_stream_that_is_packed_wrongly_halfway_keeps_what_was_answered(
    shared_client: TestClient, encoding: str
) -> None:
    good = PACK[encoding](as_csv([by_features("packed")]))
    response = post(shared_client, Form.CSV, good + b"no member", Form.JSON, content_encoding=encoding)
    first, last = response.json()["results"]
    assert first["answer"]["customer_id"] == "packed"
    assert last["problem"]["type"].endswith("broken-body")
    assert shared_client.get("/customers/packed").status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("path", ["/segment", "/segment/batch"])
def test_a_bomb_is_refused_before_it_goes_off(shared_client: TestClient, encoding: str, path: str) -> None:
    packer = gzip.compress if encoding == "gzip" else zstd.compress
    bomb = packer(bytes(300_000_000))
    process = psutil.Process()
    before = process.memory_info().rss
    assert posted(shared_client, bomb, encoding, path) == (413, "content-too-large")
    assert process.memory_info().rss - before < 150_000_000


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_in_a_stream_is_one_long_line(shared_client: TestClient, encoding: str) -> None:
    packer = gzip.compress if encoding == "gzip" else zstd.compress
    bomb = packer(b" " * 300_000_000) + packer(b"\n" + as_ndjson([by_features()]))
    process = psutil.Process()
    before = process.memory_info().rss
    found = post(shared_client, Form.NDJSON, bomb, Form.JSON, content_encoding=encoding).json()
    assert (found["assigned"], found["failed"]) == (1, 1)
    assert found["results"][0]["problem"]["status"] == 413
    assert process.memory_info().rss - before < 100_000_000


@given(data=st.data(), text=st.binary(max_size=5_000))
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_where_packed_bytes_are_cut_does_not_matter(encoding: str, data: st.DataObject, text: bytes) -> None:
    packed = PACK[encoding](text * 50) + PACK[encoding](text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(packed)), max_size=20)))
    unpacker = UNPACKERS[encoding]()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(packed)], strict=True):
        unpacker.feed(packed[start:end])
        while piece := unpacker.unpacked():
            assert len(piece) <= PIECE + ZSTANDARD_AT_ONCE // 4 * LARGEST_BLOCK
            found.append(piece)
    assert unpacker.whole
    assert b"".join(found) == text * 51
