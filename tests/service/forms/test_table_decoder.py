"""The quick way to read rows of a table takes nothing that the documented way does not, and makes the same of it."""

from collections.abc import Sequence
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.model import SegmentationModel
from service.forms.csv_table import CsvReader
from service.forms.reader import Chunk
from service.forms.sent_columns import SentColumns
from service.forms.table_decoder import TableDecoder
from service.served_model import Limits, ServedModel
from tests.service.forms.cases import cases_in
from tests.service.requests import AS_OF, FEATURES

COLUMNS = ["customer_id", "as_of", *FEATURES, "return_rate"]
USUAL = ["17850", AS_OF, *map(str, FEATURES.values()), "0.25"]
NUMBERS = st.one_of(
    st.floats().map(repr), st.integers(-(10**20), 10**20).map(str), st.sampled_from(["", "1e999", "+.5"])
)
ODD = st.text('0123456789.eE+-_xnaif \t"\r\0\u0660\u00a0', max_size=6)
IDS = st.one_of(st.text('ab19 \u00e4"', max_size=4), st.just("x" * 257), st.integers(0, 10**6).map(str))
MOMENTS = st.one_of(st.sampled_from(["", AS_OF, "2011-12-10", "2099-01-01T00:00:00Z", "yesterday"]), ODD)
QUOTES = st.sampled_from([False, False, False, True])


@st.composite
def rows(draw: st.DrawFn) -> str:
    """A row of mostly usual cells, which may have too many or too few."""
    cells = [*USUAL]
    for place in draw(st.lists(st.integers(0, len(cells) - 1), max_size=3)):
        cells[place] = draw(IDS if place == 0 else MOMENTS if place == 1 else st.one_of(NUMBERS, ODD))
    cells = [cell.replace('"', '""').join('""') if draw(QUOTES) else cell for cell in cells]
    return ",".join(draw(st.sampled_from([cells, cells, cells, cells[1:], [*cells, ""]])))


@pytest.fixture(scope="module")
def served(model: SegmentationModel) -> ServedModel:
    return ServedModel(model, None, Limits(batch=10_000, transactions=10_000))


def read(body: bytes, served: ServedModel) -> list[Chunk]:
    reader = CsvReader(served, 4, 1_000)
    return [*reader.feed(body), *reader.end()]


def table(lines: Sequence[str], end: str) -> bytes:
    return end.join([",".join(COLUMNS), *lines, ""]).encode("utf-8", "surrogatepass")


@given(st.lists(rows(), max_size=9), st.sampled_from(["\n", "\r\n"]))
@example([",".join(USUAL), "a\rb," + ",".join(USUAL[1:])], "\n")
@example(['"a\nb",' + ",".join(USUAL[1:])], "\r\n")
@example([",".join([*USUAL[:2], "1_000", *USUAL[3:]]), ",".join([*USUAL[:2], "\u0661", *USUAL[3:]])], "\n")
def test_the_quick_way_reads_what_the_documented_way_does(served: ServedModel, lines: list[str], end: str) -> None:
    body = table(lines, end)
    with patch.object(TableDecoder, "decode", return_value=None):
        documented = read(body, served)
    assert not any(isinstance(chunk, SentColumns) for chunk in documented)
    assert cases_in(read(body, served), served) == cases_in(documented, served)


@pytest.mark.parametrize("customer_id", ["17850", "", '"drei, ""vier"""', "ä"])
@pytest.mark.parametrize("rate", ["0.25", "", "-1", "1e999"])
def test_rows_of_numbers_are_read_the_quick_way(served: ServedModel, customer_id: str, rate: str) -> None:
    body = table([",".join([customer_id, as_of, *USUAL[2:-1], rate]) for as_of in (AS_OF, "")], "\n")
    assert [type(chunk) for chunk in read(body, served)] == [SentColumns]
