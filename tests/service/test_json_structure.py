"""The structure of a JSON text is found as a decoder finds it, and limits hold wherever they are exceeded."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.json_structure import (
    BLOCK,
    LONGEST_VALUE,
    MOST_DEPTH,
    MOST_KEYS,
    BrokenJson,
    TooMuchJson,
    check_size,
    members,
)

TEXTS = st.text(st.sampled_from('[]{},:"\\ aé\n'), max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def parts(text: bytes) -> list[Any]:
    return [json.loads(text[start:end]) for start, end in members(text)]


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_the_members_of_a_list_are_those_that_a_decoder_finds(
    values: list[Any], indent: int | None, ascii_only: bool
) -> None:
    assert parts(json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()) == values


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_the_members_of_an_object_are_its_keys_with_their_values(values: dict[str, Any]) -> None:
    text = json.dumps(values).encode()
    assert json.loads(b"{%b}" % b",".join([text[start:end] for start, end in members(text)])) == values


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_what_is_escaped_at_the_end_of_a_block_stays_escaped(before: int) -> None:
    texts = ["x" * 10_000] * (BLOCK // 10_003) + ['\\",' * 1_000] * 10 + ["a"]
    text = b" " * before + json.dumps(texts).encode()
    assert parts(text) == texts


@pytest.mark.parametrize("text", [b"", b"1", b"[1", b"[1]]", b"[1] 2", b"x[1]", b"[1][2]", b'["]'])
def test_what_is_no_list_or_object_is_broken(text: bytes) -> None:
    with pytest.raises(BrokenJson):
        list(members(text))


@pytest.mark.parametrize("count", [9, 10, 11])
@pytest.mark.parametrize("before", [b"", b'"other":[1,2],', b'"long":["%b"],' % (b"," * 10_000)])
def test_a_list_has_at_most_so_many_entries(count: int, before: bytes) -> None:
    text = b'{%b"transactions" : [%b],"after":{}}' % (before, b",".join([b'{"a":[1,2]}'] * count))
    if count <= 10:
        check_size(text, 10_000, 10)
        return
    with pytest.raises(TooMuchJson, match="more than 10 entries") as caught:
        check_size(text, 10_000, 10)
    assert caught.value.key == "transactions"


def test_an_object_has_at_most_so_many_keys() -> None:
    keys = b",".join([b'"k%d":1' % number for number in range(MOST_KEYS + 1)])
    for text in (b"{%b}" % keys, b'{"features":{%b}}' % keys):
        with pytest.raises(TooMuchJson, match="more than 10,000 keys"):
            check_size(text, 1_000_000, 1_000_000)


@pytest.mark.parametrize("text", [b'"%b"', b"%b", b'"a":%b', b'[1,"%b",2]'])
def test_a_value_has_at_most_so_many_bytes(text: bytes) -> None:
    for filling in (b"1", b" ", b"\\n", b","):
        long = text % (filling * (LONGEST_VALUE + 1))
        if (b'"' in text and not text.endswith(b":%b")) or filling != b",":
            with pytest.raises(TooMuchJson, match="a text, a number or white space"):
                check_size(b"[%b]" % long, 1_000_000, 1_000_000)


def test_nesting_has_a_limit() -> None:
    check_size(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH, 100, 100)
    with pytest.raises(TooMuchJson, match="nested"):
        check_size(b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1), 100, 100)


def test_a_text_has_at_most_so_many_values() -> None:
    with pytest.raises(TooMuchJson, match="more values"):
        check_size(b"[%b]" % b",".join([b"[[1]]"] * 50), 100, 100)
