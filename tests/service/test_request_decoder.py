"""The quick way to decode takes nothing that the documented way does not take, and makes the same of it."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.features import FEATURE, MAIN_COUNTRY
from models.line import Line
from models.model import SegmentationModel
from service.errors import InvalidRequest
from service.request import request_type
from service.request_decoder import DecodedRequest, RequestDecoder
from service.strict_decoder import StrictDecoder
from tests.service.requests import FEATURES, by_features, by_transactions, line

MOST = 5


class Ways:
    """The quick way and the documented way to decode what one model takes."""

    def __init__(self, model: SegmentationModel) -> None:
        self._quick = RequestDecoder(model, MOST)
        self._documented = StrictDecoder(request_type(model, MOST), model, MOST)

    def quick(self, body: bytes) -> str | None:
        try:
            sent = self._quick.decode(body)
        except InvalidRequest:
            return None
        return None if sent is None else exactly(sent)

    def documented(self, body: bytes) -> str | None:
        try:
            return exactly(self._documented.decode(body))
        except InvalidRequest:
            return None


@pytest.fixture(scope="module")
def ways(model: SegmentationModel) -> Ways:
    return Ways(model)


def exactly(sent: DecodedRequest) -> str:
    """In words, which tell 1 from 1.0 and 0.0 from -0.0."""
    transactions = None if sent.transactions is None else list(sent.lines())
    return repr((sent.customer_id, sent.as_of, sent.features, transactions))


class Literal:
    """A piece of JSON that stands as it is."""

    def __init__(self, text: str) -> None:
        self.text = text


def as_json(value: Any) -> str:
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, dict):
        return as_object(list(value.items()))
    if isinstance(value, list):
        return f"[{','.join(map(as_json, value))}]"
    return json.dumps(value)


def as_object(items: list[tuple[str, Any]]) -> str:
    """A key may be there twice."""
    return f"{{{','.join(f'{json.dumps(name)}:{as_json(value)}' for name, value in items)}}}"


usual_texts = st.one_of(st.none(), st.sampled_from(["536365", " C1 ", "", "  ", "É€😀"]), st.text(max_size=200))
usual_amounts = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9))
usual_times = st.one_of(
    st.datetimes().filter(lambda moment: 1901 < moment.year < 2199).map(lambda moment: moment.isoformat()),
    st.from_regex(
        r"\A(19[1-9]|20[0-9])[0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
        r"(\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9])?\Z"
    ),
)
usual_lines = st.fixed_dictionaries(
    {"quantity": usual_amounts, "unit_price": usual_amounts, "invoice_date": usual_times},
    optional=dict.fromkeys(("invoice_no", "stock_code", "description", "country"), usual_texts),
)
customer_ids = st.one_of(st.text(), st.integers(-(2**63), 2**64 - 1))
by_lines: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"customer_id": customer_ids, "transactions": st.lists(usual_lines, min_size=1, max_size=MOST)},
    optional={"as_of": st.one_of(st.none(), usual_times), "features": st.none()},
)
figures = {name: st.floats(FEATURE[name].low, FEATURE[name].high) for name in FEATURE}
whole = st.integers(1, 1000)
usual_features = st.fixed_dictionaries(
    {name: st.one_of(figures[name], whole) for name in FEATURES},
    optional={
        MAIN_COUNTRY: usual_texts,
        **{name: st.one_of(st.none(), figures[name]) for name in FEATURE if name not in FEATURES},
    },
)
by_figures: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"customer_id": customer_ids, "features": usual_features},
    optional={"as_of": st.one_of(st.none(), usual_times), "transactions": st.none()},
)
usual_bodies = st.one_of(by_lines, by_figures)

odd_literals = st.sampled_from(
    ["-0", "-0.0", "1E5", "1e9", "1000000001", "1e400", "1e-400", "NaN", "-Infinity", "01", "1.", ".5", "+1", "1" * 40,
     "1" * 5000, "0." + "1" * 400, r'"\ud800"', r'"\ud83d\ude00"', r'"\u0000"', r'"\u0032\u0030"', '"\t"', '"', "tru",
     "[" * 300, "{}", "[]", "[{}]", "null", ""]
)  # fmt: skip
odd_times = st.one_of(
    st.sampled_from(
        ["2011-12-09", "2011-12-09T12:50", "2011-12-09t12:50:00z", "20111209T125000", "20111209", "1323435000",
         "2011-12-09T24:00:00", "2011-12-09T23:59:60Z", "2011-02-29T00:00:00", "2012-02-29T00:00:00", "2011-W49-5",
         "2011-12-09T12:50:00.1234567Z", "2011-12-09T12:50:00,5", "2011-12-09_12:50:00", " 2011-12-09T12:50:00 ",
         "2011-12-09T12:50:00+0100", "2011-12-09T12:50:00+01", "2011-12-09T12:50:00+24:00", "2011-12-09T12:50:00-00:00",
         "2011-12-09T12:50:00+23:60", "1899-12-31T23:59:59Z", "1900-01-01T00:00:00+23:59", "2200-12-31T23:59:59-23:59",
         "2201-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "٢٠١١-12-09T12:50:00", "2011-12-09T12:50:00Z\n"]
    ),
    st.from_regex(
        r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,8})?(Z|[+-][0-9]{2}:[0-9]{2})?\Z"
    ),
)  # fmt: skip
odd = st.one_of(
    odd_literals.map(Literal), odd_times, usual_times, usual_texts, usual_amounts, st.booleans(), st.none(),
    st.text(min_size=199, max_size=202), st.floats(), st.integers(), st.integers().map(str),
)  # fmt: skip
names = st.sampled_from(
    ["customer_id", "as_of", "features", "transactions", "quantity", "unit_price", "invoice_date", "invoice_no",
     "stock_code", "description", "country", "Quantity", "unknown", MAIN_COUNTRY, *FEATURE]
)  # fmt: skip


def odd_object(draw: st.DrawFn, sent: dict[str, Any]) -> Literal:
    items = [(name, draw(odd) if draw(st.integers(0, 19)) == 0 else value) for name, value in sent.items()]
    return Literal(as_object(draw(st.permutations(items + draw(st.lists(st.tuples(names, odd), max_size=1))))))


@st.composite
def odd_bodies(draw: st.DrawFn) -> bytes:
    """A usual body of which something is changed: values, names, names that are there twice, single bytes."""
    sent = draw(usual_bodies)
    if sent.get("transactions"):
        lines = [odd_object(draw, one) for one in sent["transactions"]]
        sent["transactions"] = lines * draw(st.sampled_from([0, 1, 1, 1, 2]))
    if sent.get("features"):
        sent["features"] = odd_object(draw, sent["features"])
    items = list(sent.items()) + draw(st.lists(st.tuples(names, odd), max_size=1))
    body = as_object(draw(st.permutations(items))).encode()
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=2)) + body[at + draw(st.integers(0, 2)) :]
    return body


@given(usual_bodies)
def test_usual_bodies_are_decoded_the_quick_way_to_the_same_values(ways: Ways, body: dict[str, Any]) -> None:
    sent = json.dumps(body, ensure_ascii=False).encode()
    assert ways.quick(sent) == ways.documented(sent) is not None


@given(odd_bodies())
@example(b'{"transactions":' * 100_000)
@example(b'{"transactions":[' * 100_000)
@example(b"\xef\xbb\xbf" + json.dumps(by_transactions(line())).encode())
@example(json.dumps(by_transactions(line())).encode() + b"{}")
@example(json.dumps(by_transactions(line())).encode("utf-16"))
def test_what_is_decoded_the_quick_way_is_what_the_documented_way_makes_of_it(ways: Ways, body: bytes) -> None:
    found = ways.quick(body)
    assert found is None or found == ways.documented(body)


@pytest.mark.parametrize(
    "body",
    [
        {**by_transactions(line()), "transactions": []},
        {**by_transactions(line()), "transactions": [line()] * (MOST + 1)},
        {**by_transactions(line()), "customer_id": 17850.0},
        {**by_transactions(line()), "as_of": "2011-12-10"},
        by_transactions({**line(), "invoice_no": 536365}),
        by_transactions({**line(), "country": "x" * 201}),
        by_transactions({**line(), "quantity": "6"}),
        by_transactions({**line(), "unit_price": 1e10}),
        by_transactions({**line(), "quantty": 6}),
        by_features(recency=-1.0),
        by_features(recency="12"),
        by_features(frequency=None),
        by_features(recncy=12.0),
        by_features(main_country=44),
        {**by_features(), "features": []},
    ],
)
def test_what_is_unusual_or_wrong_is_left_to_the_documented_way(ways: Ways, body: dict[str, Any]) -> None:
    assert ways.quick(json.dumps(body).encode()) is None


@pytest.mark.parametrize(
    "body",
    [{**by_features(), **by_transactions(line())}, {"customer_id": "17850"}, {"customer_id": 17850, "as_of": None}],
)
def test_that_it_is_one_of_the_two_is_asked_whichever_way_it_is_decoded(ways: Ways, body: dict[str, Any]) -> None:
    sent = json.dumps(body).encode()
    assert ways.quick(sent) == ways.documented(sent) is not None


def test_a_request_decoded_the_quick_way_is_told_by_its_lines(model: SegmentationModel) -> None:
    sent = RequestDecoder(model, MOST).decode(b"""{"customer_id": "17850", "transactions": [
        {"invoice_no": " 536365 ", "stock_code": "85123A", "quantity": 6, "invoice_date": "1970-01-02T01:00:00+01:00",
         "unit_price": 2.55, "country": " "}]}""")
    assert sent == DecodedRequest("17850", None, None, [Line("536365", "85123A", 6.0, 86_400.0, 2.55, None, None)])
