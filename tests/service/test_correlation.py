"""Which id a request has, and how a trace is continued: W3C Trace Context, level 2."""

import re

import pytest

from service.correlation import Correlator, trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


def id_for(sent: bytes) -> str:
    return Correlator().of([(b"host", b"x"), (b"x-request-id", sent)], {b"host", b"x-request-id"}).request_id


@pytest.mark.parametrize("sent", [b"a", b"01ad9d567dad44c9", b"A-b_c.d:e/f+g=h@i", b"x" * 64])
def test_a_sane_request_id_is_taken_over(sent: bytes) -> None:
    assert id_for(sent) == sent.decode()


@pytest.mark.parametrize(
    "sent", [b"", b"x" * 65, b"a b", b"a\tb", b"a\x00", b"\xc3\xa9", b'a"b', b"a\n", b"<script>", b"a%0a"]
)
def test_any_other_is_replaced(sent: bytes) -> None:
    assert re.fullmatch(r"[0-9a-f]{16,}", id_for(sent))


def test_ids_of_a_process_and_of_two_differ() -> None:
    one, other = Correlator(), Correlator()
    ids = [one.of([], ()).request_id, one.of([], ()).request_id, other.of([], ()).request_id]
    assert len(set(ids)) == 3


def test_a_request_without_a_trace_begins_none() -> None:
    assert Correlator().of([], ()).trace is None
    assert [name for name, _ in Correlator().of([], ()).headers] == [b"x-request-id"]


@pytest.mark.parametrize(
    ("sent", "flags"),
    [
        (GOOD, "01"),
        (f"00-{TRACE}-{PARENT}-00", "00"),
        (f"00-{TRACE}-{PARENT}-03", "03"),
        (f"00-{TRACE}-{PARENT}-ff", "03"),
        (f"01-{TRACE}-{PARENT}-01", "01"),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-bring", "01"),
        (f"  {GOOD}\t", "01"),
    ],
)
def test_a_trace_is_continued_with_a_span_of_our_own(sent: str, flags: str) -> None:
    found = trace_of([sent.encode()])
    assert found.trace_id == TRACE
    assert found.span_id != PARENT
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-{flags}", found.traceparent)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "garbage",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01-",
        f"cc-{TRACE}-{PARENT}-01.more",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0",
        f"0-{TRACE}-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f"{GOOD}\n",
    ],
)
def test_a_trace_that_is_none_is_begun_anew(sent: str) -> None:
    found = trace_of([sent.encode()])
    assert found.trace_id != TRACE
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-02", found.traceparent)


def test_two_traces_are_none() -> None:
    assert trace_of([GOOD.encode(), GOOD.encode()]).trace_id != TRACE
