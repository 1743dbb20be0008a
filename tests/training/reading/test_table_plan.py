"""The plan of one table: columns by name and by value, money by how columns agree, questions where both leave it
open."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from training.errors import MissingColumns, UnreadableSource
from training.reading.options import ReadOptions
from training.reading.read import read
from training.reading.scan import ColumnScan, TableScan, number
from training.reading.table_plan import TablePlan, plan_table
from training.workspace import Workspace


def scanned(text: str) -> TableScan:
    """A table as a scan finds it in a text file."""
    header, *rows = csv.reader(io.StringIO(text))
    columns = zip(header, zip(*rows, strict=True), strict=True)
    return TableScan(
        "orders.csv",
        {name: ColumnScan(name, "text", tuple(cell.strip() or None for cell in cells)) for name, cells in columns},
    )


def planned(text: str, **columns: str) -> TablePlan:
    return plan_table(scanned(text), ReadOptions(columns=columns))


def asks(text: str, *words: str, **columns: str) -> None:
    with pytest.raises(UnreadableSource) as refused:
        planned(text, **columns)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Lineitem quantity", "quantity"), ("Quantity Ordered", "quantity"), ("QUANTITYORDERED", "quantity"),
        ("qty_ordered", "quantity"), ("Menge", "quantity"), ("Item Quantity", "quantity"), ("Units Sold", "quantity"),
        ("amazon-order-id", "invoice"), ("ORDERNUMBER", "invoice"), ("Bestell-Nr.", "invoice"),
        ("receipt_no", "invoice"),
        ("event_time", "at"), ("Sale Date", "at"), ("TRANSACTION_DT", "at"), ("order_purchase_timestamp", "at"),
        ("Datum", "at"), ("fecha_pedido", "at"),
        ("CUSTOMERNAME", "customer"), ("Buyer Username", "customer"), ("Email (Billing)", "customer"),
        ("customer-email", "customer"), ("Kunden-Nr.", "customer"),
        ("Lineitem sku", "product"), ("Artikelnummer", "product"), ("Product ID", "product"),
        ("PRICEEACH", "price"), ("Item Cost", "price"), ("Einzelpreis", "price"), ("unit_price_usd", "price"),
    ],
)  # fmt: skip
def test_a_name_with_the_words_around_it_is_understood(name: str, field: str) -> None:
    known = {"invoice": "Order ID", "product": "SKU", "quantity": "Qty", "at": "Order Date", "price": "Unit Price",
             "customer": "Customer ID"}  # fmt: skip
    header = [name if one == field else called for one, called in known.items()]
    rows = [["1", "MUG", "2", "2024-01-05", "10.50", "c1"], ["2", "MUG", "1", "2024-01-06", "10.50", "c1"],
            ["3", "PLT", "2", "2024-01-06", "9", "c2"]]  # fmt: skip
    text = "\n".join(",".join(row) for row in [header, *rows])
    assert planned(text).columns[field] == name


LAYOUTS: Mapping[str, tuple[str, Mapping[str, str], str]] = {
    "WooCommerce": (
        "Order Number,Order Status,Order Date,Email (Billing),SKU,Item Name,Quantity,Item Cost,Order Total "
        "Amount,Cart Discount Amount\n"
        "1,wc-completed,2024-01-05 10:00,a@b.example,MUG,Mug,2,10.00,25.00,0.00\n"
        "2,wc-cancelled,2024-01-06 10:00,b@b.example,MUG,Mug,1,10.00,15.00,0.00\n",
        {"invoice": "Order Number", "product": "SKU", "quantity": "Quantity", "price": "Item Cost",
         "customer": "Email (Billing)"},
        "unit_price",
    ),
    "Magento": (
        "order_id,created_at,customer_email,sku,name,qty_ordered,price,row_total,status\n"
        "7,2024-01-05 10:00:00,a@b.example,MUG,Mug,2,10.00,20.00,complete\n",
        {"invoice": "order_id", "quantity": "qty_ordered", "price": "price", "customer": "customer_email"},
        "unit_price",
    ),
    "BigCommerce": (
        "Order ID,Customer ID,Order Date,Order Status,Product SKU,Product Name,Product Qty,Product Unit Price\n"
        "7,11,2024-01-05,Completed,MUG,Mug,2,10.00\n",
        {"invoice": "Order ID", "product": "Product SKU", "quantity": "Product Qty", "price": "Product Unit Price"},
        "unit_price",
    ),
    "Etsy": (
        "Sale Date,Item Name,Buyer,Quantity,Price,Order ID,SKU,Ship Country,Currency\n"
        "01/15/24,Mug,anna_k,2,10.00,99,MUG,Germany,EUR\n",
        {"invoice": "Order ID", "product": "SKU", "at": "Sale Date", "price": "Price", "customer": "Buyer"},
        "unit_price",
    ),
    "eBay": (
        "Sales Record Number,Order Number,Buyer Username,Item Title,Custom Label,Sold For,Quantity,Sale Date\n"
        "1,12-34567-89012,anna_k,Mug,MUG,10.00,2,Jan-05-24\n",
        {"invoice": "Order Number", "product": "Custom Label", "customer": "Buyer Username", "price": "Sold For"},
        "unit_price",
    ),
    "Amazon": (
        "amazon-order-id,purchase-date,order-status,product-name,sku,quantity,currency,item-price,buyer-email\n"
        "058-1,2024-01-05T10:00:00+00:00,Shipped,Mug,MUG,2,EUR,20.00,x1@marketplace.example\n",
        {"invoice": "amazon-order-id", "amount": "item-price", "customer": "buyer-email", "currency": "currency"},
        "line_total",
    ),
    "Square": (
        "Date,Time,Item,Qty,SKU,Gross Sales,Discounts,Net Sales,Tax,Transaction ID,Event Type,Customer ID\n"
        "2024-01-05,10:00:00,Mug,2,MUG,$20.00,-$2.00,$18.00,$1.80,T1,Payment,C9\n",
        {"invoice": "Transaction ID", "at": "Date", "time": "Time", "amount": "Net Sales", "customer": "Customer ID"},
        "line_total",
    ),
    "Stripe": (
        "id,Created date (UTC),Amount,Amount Refunded,Currency,Status,Customer ID,Customer Email\n"
        "ch_1,2024-01-05 10:00:00,20.00,0.00,eur,Paid,cus_1,a@b.example\n",
        {"invoice": "id", "at": "Created date (UTC)", "amount": "Amount", "customer": "Customer ID",
         "currency": "Currency"},
        "line_total",
    ),
    "PrestaShop": (
        "id_order,date_add,id_customer,product_id,product_name,product_quantity,unit_price_tax_incl,current_state\n"
        "7,2024-01-05 10:00:00,11,31,Mug,2,10.00,5\n",
        {"invoice": "id_order", "quantity": "product_quantity", "price": "unit_price_tax_incl",
         "customer": "id_customer"},
        "unit_price",
    ),
}  # fmt: skip


@pytest.mark.parametrize("system", LAYOUTS)
def test_the_export_of_a_common_system_is_recognised(system: str) -> None:
    text, columns, money = LAYOUTS[system]
    plan = planned(text)
    assert plan.layout is not None
    assert system in plan.layout
    assert columns.items() <= plan.columns.items()
    assert plan.money == money


def test_values_that_contradict_the_layout_are_asked_about() -> None:
    header = "amazon-order-id,purchase-date,order-status,sku,quantity,currency,item-price,buyer-email\n"
    rows = "".join(f"058-{q},2024-01-0{q},Shipped,MUG,{q},EUR,10.00,x{q}@marketplace.example\n" for q in (1, 2, 3, 5))
    asks(header + rows, "Amazon", "the price of one unit", "--column price='item-price'")


HEAD = "order_id,customer_id,order_date,sku,quantity"


def test_a_price_that_grows_with_the_quantity_is_a_line_total() -> None:
    rows = "1,c1,2024-01-05,MUG,3,30\n2,c1,2024-01-06,MUG,1,10\n3,c2,2024-01-07,MUG,5,50\n"
    plan = planned(f"{HEAD},price\n{rows}")
    assert (plan.money, plan.columns["amount"]) == ("line_total", "price")
    assert not plan.assumptions


def test_an_amount_that_stays_whatever_the_quantity_is_a_unit_price() -> None:
    rows = "1,c1,2024-01-05,MUG,3,10\n2,c1,2024-01-06,MUG,1,10\n3,c2,2024-01-07,MUG,5,10\n"
    plan = planned(f"{HEAD},amount\n{rows}")
    assert (plan.money, plan.columns["price"]) == ("unit_price", "amount")


def test_a_price_whose_values_do_not_show_what_it_is_of_is_assumed_by_its_name() -> None:
    plan = planned(f"{HEAD},price\n1,c1,2024-01-05,MUG,3,10\n2,c1,2024-01-06,PLT,1,20\n")
    assert plan.money == "unit_price"
    assert "'price'" in plan.assumptions[0]


@pytest.mark.parametrize(
    ("columns", "rows", "paid"),
    [
        ("unit_price,total", ["3,10,30", "1,10,10", "2,5,10"], "unit_price"),
        ("unit_price,discount,total", ["2,100,0.5,100", "1,100,0.2,80", "4,50,0.9,20"], "total"),
        ("unit_price,discount,total", ["2,100,50,150", "1,100,20,80", "4,50,0,200"], "total"),
        ("unit_price,discount,total", ["2,100,50,100", "1,100,20,80", "4,50,0,200"], "total"),
        ("price,total,tax", ["2,100,238,38", "1,100,119,19", "4,50,238,38"], "price"),
        ("price,line_total", ["2,200,200", "1,100,100", "4,200,200"], "line_total"),
    ],
)
def test_a_unit_price_and_a_total_are_compared(columns: str, rows: Sequence[str], paid: str) -> None:
    lines = [f"{index},c{index},2024-01-0{index + 1},P{index},{row}" for index, row in enumerate(rows)]
    plan = planned("\n".join([f"{HEAD},{columns}", *lines]))
    assert paid in (plan.columns.get("price"), plan.columns.get("amount"))


def test_a_unit_price_and_a_total_that_disagree_are_asked_about() -> None:
    text = f"{HEAD},unit_price,total\n1,c1,2024-01-05,MUG,2,10,17\n2,c2,2024-01-05,PLT,1,10,3\n"
    asks(text, "unit_price", "total", "differ", "--column price", "--column amount")
    assert planned(text, amount="total", price="").money == "line_total"


def test_two_different_unit_prices_are_asked_about() -> None:
    asks(f"{HEAD},price,sale price\n1,c1,2024-01-05,MUG,2,10,8\n2,c2,2024-01-05,PLT,1,10,9\n", "price", "sale price")


def test_a_net_and_a_gross_price_are_asked_about() -> None:
    text = f"{HEAD},net_price,gross_price\n1,c1,2024-01-05,MUG,2,10,11.9\n2,c2,2024-01-05,PLT,1,20,23.8\n"
    asks(text, "net_price", "gross_price", "--column price")
    plan = planned(text, price="net_price")
    assert plan.unused == ["'gross_price' is not used, though its name says money."]


def test_columns_of_the_same_name_are_named_where_one_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(f"{HEAD},total,total\n1,c1,2024-01-05,MUG,2,20,24\n2,c2,2024-01-05,PLT,1,10,12\n")
    with Workspace() as workspace, pytest.raises(UnreadableSource, match="'total' names several columns"):
        read([str(file)], workspace)


@pytest.mark.parametrize(("units", "said"), [(("kg", "g"), True), (("each", "each"), False)])
def test_units_of_measure_are_named_where_there_are_several(units: tuple[str, str], said: bool) -> None:
    lines = [f"{row},c{row},2024-01-05,P{row},2,10,{unit}" for row, unit in enumerate(units)]
    unused = planned("\n".join([f"{HEAD},price,unit", *lines])).unused
    assert unused == ["'unit' is not used: a quantity is multiplied by the price whatever its unit."] * said


def test_two_columns_of_money_without_a_quantity_are_asked_about() -> None:
    text = "customer,date,amount,total\nc1,2024-01-05,2,30\nc2,2024-01-06,1,46\n"
    asks(text, "amount", "total", "--column quantity='amount'")


def test_the_total_of_an_order_is_taken_once() -> None:
    text = "order_id,customer_id,order_date,sku,order_total\n" + "".join(
        f"{order},c{order},2024-01-0{order},{sku},{order * 10}\n" for order in range(1, 6) for sku in ("A", "B")
    )
    plan = planned(text)
    assert (plan.money, plan.columns["amount"]) == ("order_total", "order_total")


@pytest.mark.parametrize("name", ["Qty in pieces", "pieces sold", "Ordered pcs"])
def test_a_column_that_may_be_the_quantity_is_asked_about(name: str) -> None:
    text = f"order_id,customer_id,order_date,sku,price,{name}\n1,c1,2024-01-05,MUG,10,3\n"
    asks(text, name, "--column quantity")
    assert "quantity" not in planned(text, quantity="").columns


def test_a_column_that_may_be_the_order_is_asked_about() -> None:
    asks(
        "beleg_kopf,kunde,datum,sku,menge,preis\nB1,c1,2024-01-05,MUG,3,10\nB2,c1,2024-01-05,MUG,3,10\n",
        "--column invoice",
    )


def test_of_two_customer_columns_the_one_that_orders_again_is_taken() -> None:
    rows = "".join(f"o{i},k{i},u{i % 3},2024-01-0{i + 1},MUG,1,10\n" for i in range(8))
    plan = planned(f"order_id,customer_id,customer_unique_id,order_date,sku,quantity,price\n{rows}")
    assert plan.columns["customer"] == "customer_unique_id"
    assert any("order again" in sentence for sentence in plan.decisions)


def test_a_customer_column_that_is_mostly_empty_gives_way_to_the_e_mail_address() -> None:
    rows = "".join(f"o{i},{'7' if i == 0 else ''},c{i % 3}@b.example,2024-01-0{i + 1},MUG,1,10\n" for i in range(8))
    plan = planned(f"order_id,customer_id,email,order_date,sku,quantity,price\n{rows}")
    assert plan.columns["customer"] == "email"


def test_fields_on_the_first_row_of_an_order_only_are_found() -> None:
    text = (
        "order_id,email,order_date,status,currency,sku,quantity,price\n"
        "1,a@b.example,2024-01-05,paid,EUR,MUG,1,10\n1,,,,,PLT,2,5\n2,b@b.example,2024-01-06,paid,EUR,MUG,1,10\n"
    )
    assert set(planned(text).first_row_only) == {"at", "customer", "currency", "status"}


def test_lines_that_are_numbered_within_their_order_are_no_products() -> None:
    rows = "1,1,c1,2024-01-05,10\n1,2,c1,2024-01-05,10\n2,1,c1,2024-01-06,5\n"
    text = f"order_id,item_no,customer_id,order_date,price\n{rows}"
    plan = planned(text)
    assert "product" not in plan.columns
    assert any("numbers the lines" in sentence for sentence in plan.unused)


@pytest.mark.parametrize("name", ["status", "Order Status", "financial_status", "event_type", "transaction type"])
def test_a_status_column_is_found_by_its_name(name: str) -> None:
    text = f"customer,date,amount,{name}\nc1,2024-01-05,10,paid\nc2,2024-01-05,10,cancelled\n"
    assert planned(text).status_columns == (name,)


def test_a_column_whose_values_look_like_statuses_is_asked_about() -> None:
    asks("customer,date,amount,flag\nc1,2024-01-05,10,paid\nc2,2024-01-05,10,cancelled\n", "flag", "--column status")


@pytest.mark.parametrize(("name", "mark"), [("Cancelled at", "2024-02-01"), ("is_test", "true"), ("voided", "1")])
def test_a_column_that_marks_rows_as_no_purchase_is_a_flag(name: str, mark: str) -> None:
    plan = planned(f"customer,date,amount,{name}\nc1,2024-01-05,10,{mark}\nc2,2024-01-05,10,\n")
    assert list(plan.flag_columns) == [name]


def test_a_type_that_is_no_status_is_not_used_and_named() -> None:
    plan = planned("customer,date,amount,type\nc1,2024-01-05,10,retail\nc2,2024-01-05,10,wholesale\n")
    assert plan.status_columns == ()
    assert any("'type' is not used" in sentence for sentence in plan.unused)


def test_what_looks_like_money_and_is_not_used_is_named() -> None:
    plan = planned(f"{HEAD},price,shipping,tax\n1,c1,2024-01-05,MUG,3,10,4.90,1.20\n")
    assert any("'shipping'" in sentence for sentence in plan.unused)
    assert any("'tax'" in sentence for sentence in plan.unused)


def test_two_columns_of_dates_without_a_telling_name_are_asked_about() -> None:
    asks("customer,first seen,booked,amount\nc1,2024-01-05,2024-01-06,10\n", "first seen", "booked", "--column at")


def test_a_single_column_of_dates_is_the_date() -> None:
    assert planned("customer,booked,amount\nc1,2024-01-05,10\n").columns["at"] == "booked"


def test_columns_that_are_missing_are_named_at_once() -> None:
    with pytest.raises(MissingColumns, match=r"no column for purchase date and none for price or amount"):
        planned("customer,colour\nc1,red\n")


def test_a_stated_column_decides() -> None:
    plan = planned("customer,date,amount,paid\nc1,2024-01-05,10,9\n", amount="paid")
    assert plan.columns["amount"] == "paid"


def test_an_unknown_field_or_column_lists_what_there_is() -> None:
    asks("customer,date,amount\nc1,2024-01-05,10\n", "'colour' is not a field", "'customer'", colour="x")
    asks("customer,date,amount\nc1,2024-01-05,10\n", "no column called 'sum'", "'amount'", amount="sum")


def test_two_columns_of_one_name_are_asked_about_unless_they_are_equal() -> None:
    asks("customer,date,quantity,Quantity,price\nc1,2024-01-05,1,2,10\n", "2 columns for quantity")
    assert planned("customer,date,quantity,Quantity,price\nc1,2024-01-05,2,2,10\n").columns["quantity"] == "quantity"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("15.00 EUR", 15.0), ("CHF 1'200.50", 1200.5), ("R$ 15,00", 15.0), ("₹1,23,456.00", 123456.0),
        ("(12.50)", -12.5),
        ("12.50-", -12.5), ("€ 1.234,56", 1234.56), ("-$2.00", -2.0), ("1 234,50 kr", 1234.5), ("15,-", 15.0),
        ("85123A", None), ("C536379", None), ("2024-01-05", None), ("10-12", None),
    ],
)  # fmt: skip
def test_a_first_look_reads_numbers_in_any_usual_form(written: str, value: float | None) -> None:
    assert number(written) == value


def test_the_examples_of_a_column_of_e_mail_addresses_show_none() -> None:
    column = ColumnScan("contact", "text", ("a@b.example", "c@d.example", None))
    assert column.example == "e-mail addresses"
