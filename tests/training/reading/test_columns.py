from collections import Counter

import pytest

from training.errors import UnreadableSource
from training.reading.columns import ALIASES, resolve

UCI = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
CANONICAL = ["invoice", "product", "description", "quantity", "at", "price", "customer", "country"]


def test_every_alias_belongs_to_one_field_and_is_written_reduced() -> None:
    counts = Counter(alias for aliases in ALIASES.values() for alias in aliases)
    assert [alias for alias, count in counts.items() if count > 1] == []
    assert all(alias.isalnum() and alias == alias.lower() for alias in counts)


@pytest.mark.parametrize(
    "names",
    [
        UCI,
        ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"],
        ["order_id", "sku", "title", "qty", "order_date", "unit-price", "CLIENT", "country"],
        ["Order ID", "product_id", "item name", "units", "created_at", "item_price", "user_id", "Country"],
    ],
)
def test_names_in_use_are_understood(names: list[str]) -> None:
    assert resolve(names, {}) == dict(zip(CANONICAL, names, strict=True))


def test_a_line_total_is_an_amount() -> None:
    resolved = resolve(["household_key", "timestamp", "Sales_Value"], {})
    assert resolved == {"at": "timestamp", "customer": "household_key", "amount": "Sales_Value"}


def test_an_earlier_alias_wins_over_a_later_one() -> None:
    assert resolve(["date", "order_date", "client", "price"], {})["at"] == "order_date"


def test_two_columns_of_one_name_are_an_error_that_names_both() -> None:
    with pytest.raises(UnreadableSource, match=r"'order_date', 'OrderDate'.*--column at=NAME"):
        resolve(["order_date", "OrderDate", "client", "price"], {})


def test_an_override_settles_two_columns_of_one_name() -> None:
    resolved = resolve(["order_date", "OrderDate", "client", "price"], {"at": "OrderDate"})
    assert resolved["at"] == "OrderDate"


def test_an_overridden_column_stands_for_nothing_else() -> None:
    resolved = resolve(["customer", "date", "price", "total"], {"price": "total"})
    assert resolved == {"at": "date", "price": "total", "customer": "customer"}


def test_an_override_of_an_unknown_field_lists_the_fields() -> None:
    with pytest.raises(UnreadableSource, match=r"'shop' is not a field; they are 'invoice'"):
        resolve(UCI, {"shop": "Country"})


def test_an_override_with_an_unknown_column_lists_the_columns() -> None:
    with pytest.raises(UnreadableSource, match=r"shop\.csv has no column called 'Nobody'; its columns are 'Inv"):
        resolve(UCI, {"customer": "Nobody"}, where="shop.csv")


def test_one_sentence_names_all_that_is_missing() -> None:
    with pytest.raises(UnreadableSource) as caught:
        resolve(["Gender", "Age"], {}, where="people.csv")
    assert str(caught.value) == (
        "people.csv has no column for customer and none for purchase date and none for price or amount. "
        "Its columns are 'Gender', 'Age'. If one of them is meant, say so with --column customer=NAME or "
        "--column at=NAME or --column price=NAME."
    )
