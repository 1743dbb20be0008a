"""Cleaning and summing up in the engine, against the fold of one customer and against published figures."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import ibis
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis import _ as row

from models.cleaning import RULES
from models.customer.conventions import FORMER_CONVENTIONS, Conventions
from models.customer.customer_id import customer_id
from models.fold import fold
from models.line import Line
from models.summary import Summary
from tests.shop import CONVENTIONS, LINES, day
from training.cleaning import Cleaned, clean
from training.cleaning_report import cleaning_report
from training.preparation.prepare import prepare
from training.reading.lines import SCHEMA, Lines
from training.reading.options import NO_OPTIONS
from training.reading.text_columns import customer, text
from training.summaries import NUMBERS, CustomerSummaries, summarise
from training.workspace import Workspace

AS_OF = datetime(2011, 12, 10, tzinfo=UTC)
RULE_NAMES = [rule.name for rule in RULES]
Real = tuple[Lines, Cleaned, CustomerSummaries]


def stored(lines: Iterable[tuple[str, Line]], workspace: Workspace) -> Lines:
    """Lines as reading would have left them."""
    rows = [
        {
            "line": index, "invoice": one.invoice, "product": one.product, "description": one.description,
            "quantity": one.quantity, "at": datetime.fromtimestamp(one.at, UTC).replace(tzinfo=None),
            "price": one.price, "customer": customer, "country": one.country, "status": one.status, "rest": None,
            "unreadable": None,
        }
        for index, (customer, one) in enumerate(lines)
    ]  # fmt: skip
    table = ibis.memtable(rows, schema={"line": "int64", **SCHEMA})
    made = workspace.backend.create_table("lines", table, overwrite=False)
    present = frozenset(SCHEMA) - {"unreadable"}
    return Lines(table=made, present=present, has_time=True, rows=len(rows), fingerprint=(), notes=())


def same(found: CustomerSummaries, folded: dict[str, Summary]) -> None:
    """Every customer, every field."""
    assert list(found.ids) == sorted(folded)
    for name in NUMBERS:
        engine = getattr(found.summaries, name)
        plain = np.array([getattr(folded[one], name) for one in found.ids], dtype=np.float64)
        np.testing.assert_allclose(engine, plain, rtol=1e-12, atol=1e-6, err_msg=name)
    assert list(found.summaries.country) == [folded[one].country for one in found.ids]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["17850", "13047", "Guest", "u"]), LINES, min_size=1), CONVENTIONS)
def test_the_engine_sums_up_any_customers_as_the_fold_does(
    customers: dict[str, list[Line]], conventions: Conventions
) -> None:
    mixed = [(customer, line) for customer, lines in customers.items() for line in lines]
    folded = {
        customer: fold(lines, AS_OF.timestamp(), conventions).summary
        for customer, lines in customers.items()
        if not conventions.is_placeholder(customer)
    }
    with Workspace() as workspace:
        cleaned = clean(stored(mixed, workspace), conventions, AS_OF, workspace)
        found = summarise(cleaned)
        report = cleaning_report(cleaned, found.summaries)
    same(found, {customer: summary for customer, summary in folded.items() if summary is not None})
    assert report.rows == len(mixed)
    assert sum(rule.removed for rule in report.rules) + report.purchases == report.rows


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["17850", "13047"]), LINES, min_size=1), CONVENTIONS, st.integers(0, 20))
def test_what_was_known_earlier_is_as_if_cleaned_then(
    customers: dict[str, list[Line]], conventions: Conventions, days: int
) -> None:
    mixed = [(customer, line) for customer, lines in customers.items() for line in lines]
    moment = datetime.fromtimestamp(day(days), UTC)
    folded = {customer: fold(lines, day(days), conventions).summary for customer, lines in customers.items()}
    with Workspace() as workspace:
        cleaned = clean(stored(mixed, workspace), conventions, AS_OF, workspace)
        found = summarise(cleaned.until(moment, workspace))
    same(found, {customer: summary for customer, summary in folded.items() if summary is not None})


def test_lines_after_as_of_do_not_count() -> None:
    lines = [("1", Line("1", "A", 1, day(0), 2.0)), ("1", Line("2", "A", 1, day(40), 2.0))]
    with Workspace() as workspace:
        cleaned = clean(stored(lines, workspace), FORMER_CONVENTIONS, datetime(2011, 1, 20, tzinfo=UTC), workspace)
        assert summarise(cleaned).summaries.orders.tolist() == [1]
        assert {rule.rule: rule.removed for rule in cleaned.rules}["after_as_of"] == 1


@pytest.fixture(scope="module")
def real(retail: str) -> Iterator[Real]:
    """The real file read, cleaned and summed up."""
    with Workspace() as workspace:
        prepared = prepare([retail], workspace, NO_OPTIONS)
        assert prepared.as_of == AS_OF
        yield prepared.lines, prepared.cleaned, summarise(prepared.cleaned)


def test_the_real_file_is_cleaned_to_the_known_counts(real: Real) -> None:
    _, cleaned, found = real
    report = cleaning_report(cleaned, found.summaries)
    assert report.rows == 541_909
    assert {rule.rule: (rule.matched, rule.removed, rule.remaining) for rule in report.rules} == {
        "unreadable": (0, 0, 541_909),
        "no_customer": (135_080, 135_080, 406_829),
        "implausible_date": (0, 0, 406_829),
        "after_as_of": (0, 0, 406_829),
        "status": (0, 0, 406_829),
        "cancellation": (9_288, 8_905, 397_924),
        "adjustment": (3, 0, 397_924),
        "returned_status": (0, 0, 397_924),
        "quantity_not_positive": (10_624, 0, 397_924),
        "negative_price": (2, 0, 397_924),
        "price_not_positive": (2_515, 40, 397_884),
        "duplicate": (5_268, 5_192, 392_692),
        "non_product": (2_995, 1_542, 391_150),
    }
    assert [rule.rule for rule in report.rules] == RULE_NAMES
    assert report.purchases == 391_150
    assert report.customers == 4_324


def test_for_every_real_customer_the_engine_and_the_fold_agree(real: Real) -> None:
    read_lines, _, found = real
    known = read_lines.table.filter(row.customer.notnull()).order_by("line").to_pyarrow().to_pylist()
    customers: dict[str, list[Line]] = {}
    for one in known:
        at = one["at"].replace(tzinfo=UTC).timestamp()
        line = Line(
            one["invoice"], one["product"], one["quantity"], at, one["price"], one["country"], one["description"],
            one["status"],
        )  # fmt: skip
        customers.setdefault(one["customer"], []).append(line)
    folded = {
        customer: fold(lines, AS_OF.timestamp(), FORMER_CONVENTIONS).summary for customer, lines in customers.items()
    }
    assert len(folded) == 4_372
    same(found, {customer: summary for customer, summary in folded.items() if summary is not None})


def test_purchase_rows_customers_and_revenue_before_duplicates_are_the_published_ones(real: Real) -> None:
    clean_rows = real[0].table.filter(
        row.customer.notnull() & ~row.invoice.startswith("C") & (row.quantity > 0) & (row.price > 0)
    )
    figures = clean_rows.agg(
        rows=row.count(), customers=row.customer.nunique(), revenue=(row.quantity * row.price).sum()
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    assert (figures["rows"], figures["customers"], round(figures["revenue"], 2)) == (397_884, 4_338, 8_911_407.90)


def test_the_pair_of_80_995_makes_no_champion(real: Real) -> None:
    found = real[2]
    index = found.ids.index("16446")
    assert found.summaries.orders[index] == 1
    assert found.summaries.units[index] == 2
    assert found.summaries.revenue[index] == pytest.approx(2.90)


WRITTEN = st.text(
    st.sampled_from(["1", "7", "0", ".", "@", "A", "É", "ß", "İ", "Σ", " ", "\u00a0", "\u200b", "+", "E"])
)


@settings(max_examples=25)
@given(st.lists(WRITTEN | st.text() | st.sampled_from(["17850.0", "Dora@Example.org", "NaN"]), min_size=1))
def test_the_engine_writes_customer_ids_as_models_do(written: list[str]) -> None:
    written = [text for text in written if "\0" not in text]
    with Workspace() as workspace:
        table = workspace.backend.create_table(
            "ids", ibis.memtable({"line": range(len(written)), "id": written}, schema={"line": "int64", "id": "string"})
        )
        read_ids = table.select("line", id=customer(text(table["id"]))).order_by("line").to_pyarrow()["id"].to_pylist()
    for sent, found in zip(written, read_ids, strict=True):
        try:
            assert customer_id(sent) == found
        except ValueError:  # what no customer can have is missing, or refused when the data is prepared
            assert found is None or customer_id_refuses(found)


def customer_id_refuses(found: str) -> bool:
    with pytest.raises(ValueError, match="a customer id"):
        customer_id(found)
    return True
