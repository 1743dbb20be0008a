"""The same lines through training and through every entrance of the service: the same customers, features, reasons."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from models.customer.conventions import Conventions
from models.features import MAIN_COUNTRY
from models.model import SegmentationModel
from service.assigned import Case
from service.assigning import case_of
from service.errors import InvalidRequest
from service.forms.arrow_stream import ArrowReader
from service.forms.csv_table import CsvReader
from service.forms.reader import Reader
from service.forms.sent_columns import SentColumns
from service.served_model import Limits, ServedModel
from tests.service.forms.sent import as_arrow, as_csv
from tests.training.test_cases import CASES, OPTIONS, RIGHT
from training.cleaning import Cleaned
from training.customers import describe
from training.feature_table import write_features
from training.preparation.prepare import Prepared, prepare
from training.reading.options import NO_OPTIONS, ReadOptions
from training.summaries import summarise
from training.workspace import Workspace

LAST_YEAR = 2200  # of a time that a request may have
WITH_PRODUCTS = sorted(
    file for file, _ in RIGHT.values()
    if not file.startswith(("made_up", "refund_as", "more_amount", "implausible", "more_pos"))
)  # fmt: skip
WITHOUT_PRODUCTS = ["made_up_invoice_letter.csv", "refund_as_negative_amount.csv", "implausible_cleaning.csv"]

Features = Mapping[str, dict[str, Any]]


@pytest.mark.parametrize("file", WITH_PRODUCTS)
def test_training_and_every_entrance_agree_on_a_case(file: str, model: SegmentationModel, tmp_path: Path) -> None:
    with Workspace() as workspace:
        prepared = prepare([str(CASES / file)], workspace, OPTIONS.get(file, NO_OPTIONS))
        trained = _trained(prepared.cleaned, prepared)
        items = _requests(prepared)
        left_out = _left_out(prepared)
    served = _serving(model, prepared.conventions)
    for entrance, cases in _entrances(items, served, prepared.as_of).items():
        accepted = {case.customer_id: case for case in cases if isinstance(case, Case)}
        assert accepted.keys() == trained.keys(), entrance
        for customer, case in accepted.items():
            for name, value in case.features.items():
                assert trained[customer][name] == (value if name == MAIN_COUNTRY else pytest.approx(value)), entrance
        ignored = sum((Counter(case.ignored) for case in accepted.values()), Counter[str]())
        # Customers without a purchase are refused, and say so in words.
        assert all(ignored[rule] <= left_out[rule] for rule in ignored), entrance
        if len(accepted) == len(items):
            assert ignored == left_out, entrance
    scored = {case.customer_id: case for case in _scored(file, prepared, served, tmp_path)}
    assert scored.keys() == trained.keys()
    for customer, case in scored.items():
        assert {name: trained[customer][name] for name in case.features} == case.features


@pytest.mark.parametrize("file", WITHOUT_PRODUCTS)
def test_lines_without_products_are_cleaned_alike(file: str, model: SegmentationModel) -> None:
    with Workspace() as workspace:
        prepared = prepare([str(CASES / file)], workspace, NO_OPTIONS)
        trained = _trained(prepared.cleaned, prepared)
        items = _requests(prepared)
    served = _serving(model, prepared.conventions)
    for entrance, cases in _entrances(items, served, prepared.as_of).items():
        refused = {str(case) for case in cases if not isinstance(case, Case)}
        assert len(cases) == len(items) >= len(trained), entrance
        # This model's segments need products; nothing else is wrong with these customers.
        assert all("send stock_code" in said for said in refused), (entrance, refused)


def _trained(cleaned: Cleaned, prepared: Prepared) -> Features:
    customers = describe(summarise(cleaned), prepared.as_of)
    countries = customers.known.summaries.country
    found = {
        name: {feature: values[index] for feature, values in customers.features.items()}
        for index, name in enumerate(customers.known.ids)
    }
    for name, country in zip(customers.known.ids, countries, strict=True):
        found[name][MAIN_COUNTRY] = country
    return found


def _requests(prepared: Prepared) -> list[dict[str, Any]]:
    """Each customer's lines as a client sends them."""
    names = {"invoice": "invoice_no", "product": "stock_code", "description": "description", "country": "country",
             "status": "status"}  # fmt: skip
    items: dict[str, list[dict[str, Any]]] = {}
    for line in prepared.lines.table.order_by("line").to_pyarrow().to_pylist():
        readable = line["unreadable"] is None and None not in (line["quantity"], line["price"], line["at"])
        if line["customer"] is None or not readable or line["at"].year > LAST_YEAR:
            continue
        texts = {sent: line[field] for field, sent in names.items() if line[field] is not None}
        items.setdefault(line["customer"], []).append(
            {
                **texts, "quantity": line["quantity"], "unit_price": line["price"],
                "invoice_date": line["at"].replace(tzinfo=UTC).isoformat(),
            }
        )  # fmt: skip
    as_of = prepared.as_of.isoformat()
    return [{"customer_id": name, "as_of": as_of, "transactions": lines} for name, lines in items.items()]


def _left_out(prepared: Prepared) -> Counter[str]:
    """The lines of known customers that each rule took, but for those that no request can hold."""
    gone = {rule.rule: rule.removed for rule in prepared.cleaned.rules}
    far = prepared.lines.table.filter(prepared.lines.table["at"].year() > LAST_YEAR).count().to_pyarrow().as_py()
    gone["after_as_of"] -= far
    # What comes back is a return, not left out.
    kept = {"unreadable", "no_customer", "returned_status", "cancellation", "quantity_not_positive", "negative_price"}
    return Counter({rule: count for rule, count in gone.items() if count and rule not in kept})


def _serving(model: SegmentationModel, conventions: Conventions) -> ServedModel:
    manifest = model.manifest.model_copy(update={"conventions": conventions})
    return ServedModel(replace(model, manifest=manifest), None, Limits(batch=10_000, transactions=10_000))


def _entrances(items: list[dict[str, Any]], served: ServedModel, now: datetime) -> dict[str, list[Any]]:
    readers: dict[str, tuple[Reader, bytes]] = {
        "CSV batch": (CsvReader(served, 1_000, 1_000), as_csv(items)),
        "Arrow batch": (ArrowReader(served, 1_000, 1_000), as_arrow(items)),
    }
    found = {"POST /segment": [_case(json.dumps(item).encode(), served, now) for item in items]}
    for entrance, (reader, body) in readers.items():
        chunks = [*reader.feed(body), *reader.end()]
        found[entrance] = []
        for chunk in chunks:
            assert not isinstance(chunk, SentColumns)  # which hold features
            found[entrance] += [_case(item, served, now) for item in chunk]
    return found


def _scored(file: str, prepared: Prepared, served: ServedModel, folder: Path) -> list[Case]:
    """The customers of a file as `service score` takes them: by the plan that the model was trained with."""
    options = ReadOptions(plan=prepared.plan, plan_must_fit=False, as_of=prepared.as_of)
    write_features([str(CASES / file)], folder / "features.parquet", options, lambda _: None)
    known = served.model.manifest.scored_features
    return [
        case_of(
            served.strict.validate(
                {
                    "customer_id": row["customer_id"], "as_of": row["as_of"],
                    "features": {name: row[name] for name in known if row[name] is not None},
                }
            ),
            served, prepared.as_of,
        )
        for row in pyarrow.parquet.read_table(folder / "features.parquet").to_pylist()
    ]  # fmt: skip


def _case(sent: Any, served: ServedModel, now: datetime) -> Case | Exception:
    if isinstance(sent, Exception):
        return sent
    try:
        return case_of(served.decode(sent) if isinstance(sent, bytes) else sent, served, now)
    except InvalidRequest as error:
        return error
