import tracemalloc
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.special import hyp2f1

from training.demo import DemoRefused, write_demo
from training.demo.clock import Ints
from training.demo.demo import CHUNK_CUSTOMERS
from training.demo.purchases import ALPHA, A, B, Purchases, R
from training.demo.vocabulary import MOTIFS

START, DAYS = date(2010, 12, 1), 374
CUSTOMERS = 3_000
Ask = Callable[[str], list[tuple[Any, ...]]]


def write(out: Path, customers: int = 40, seed: int = 7, start: date = START, days: int = DAYS) -> int:
    return write_demo(out, customers=customers, seed=seed, start=start, days=days)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "demo.parquet"
    write(out, CUSTOMERS)
    return out


@pytest.fixture(scope="module")
def ask(demo: Path) -> Ask:
    """Answers SQL over `demo`: every row, and `sales` (of customers, products only, paid for)."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE demo AS SELECT * FROM '{demo}'")
    connection.execute("""
        CREATE VIEW sales AS SELECT * FROM demo WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0
        AND regexp_full_match(InvoiceNo, '[0-9]+') AND regexp_matches(StockCode, '^[0-9]{5}')
    """)
    return lambda sql: connection.execute(sql).fetchall()


def share(ask: Ask, condition: str, table: str = "demo") -> float:
    return float(ask(f"SELECT avg(({condition})::INT) FROM {table}")[0][0])


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_the_same_arguments_give_the_same_bytes_and_another_seed_gives_others(suffix: str, tmp_path: Path) -> None:
    first, again, other = (tmp_path / f"{name}{suffix}" for name in ("first", "again", "other"))
    write(first)
    write(again)
    write(other, seed=8)
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_more_customers_leave_the_rows_of_earlier_chunks_as_they_were(tmp_path: Path) -> None:
    fewer, more = tmp_path / "fewer.csv", tmp_path / "more.csv"
    write(fewer, CHUNK_CUSTOMERS, days=30)
    write(more, CHUNK_CUSTOMERS + 20, days=30)
    assert len(more.read_bytes()) > len(fewer.read_bytes())
    assert more.read_bytes().startswith(fewer.read_bytes())


def test_many_chunks_take_no_more_memory_than_two(tmp_path: Path) -> None:
    def peak(customers: int) -> int:
        tracemalloc.start()
        write(tmp_path / "demo.parquet", customers, days=60)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)  # what is imported or cached once is not the writing's
    assert peak(6 * CHUNK_CUSTOMERS) < 1.15 * peak(2 * CHUNK_CUSTOMERS)


def test_every_format_holds_the_same_rows(tmp_path: Path) -> None:
    for suffix in (".csv", ".csv.gz", ".parquet"):
        write(tmp_path / f"demo{suffix}")
    typed = (
        "SELECT InvoiceNo, StockCode, coalesce(Description, ''), Quantity, InvoiceDate, UnitPrice, CustomerID, Country"
    )
    text = """
        SELECT InvoiceNo, StockCode, coalesce(Description, ''), Quantity::BIGINT,
        strptime(InvoiceDate, '%-m/%-d/%Y %-H:%M'), UnitPrice::DOUBLE, CustomerID, Country
    """
    connection = duckdb.connect()
    parquet = connection.execute(f"{typed} FROM '{tmp_path}/demo.parquet'").fetchall()
    for suffix in (".csv", ".csv.gz"):
        rows = connection.execute(f"{text} FROM read_csv('{tmp_path}/demo{suffix}', all_varchar = true)").fetchall()
        assert rows == parquet


def test_it_returns_the_rows_written_and_reports_every_customer(tmp_path: Path) -> None:
    done: list[int] = []
    rows = write_demo(
        tmp_path / "demo.csv", customers=CHUNK_CUSTOMERS + 5, seed=1, start=START, days=10, progress=done.append
    )
    assert rows == len((tmp_path / "demo.csv").read_text().splitlines()) - 1
    assert done == [CHUNK_CUSTOMERS, 5]


def test_text_looks_like_a_shops_export(tmp_path: Path) -> None:
    write(tmp_path / "demo.csv", days=31)
    lines = (tmp_path / "demo.csv").read_text().splitlines()
    assert lines[0] == "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    first = lines[1].split(",")
    assert first[0] == "536365"
    assert first[-4].startswith("12/1/2010 ")
    assert any(line.count(",") == 8 and line.count('"') == 2 for line in lines)  # a comma in a description


def test_parquet_columns_are_typed(demo: Path) -> None:
    types = {field.name: str(field.type) for field in pq.read_schema(demo)}
    assert types == {
        "InvoiceNo": "string",
        "StockCode": "string",
        "Description": "string",
        "Quantity": "int64",
        "InvoiceDate": "timestamp[ms]",
        "UnitPrice": "double",
        "CustomerID": "string",
        "Country": "string",
    }


def test_every_customer_buys_and_the_rows_per_customer_are_a_years(ask: Ask) -> None:
    [(rows, customers)] = ask("SELECT count(*), count(DISTINCT CustomerID) FROM demo")
    assert customers == CUSTOMERS
    assert 90 <= rows / customers <= 130


def test_invoice_numbers_rise_with_time_and_belong_to_one_customer_and_moment(ask: Ask) -> None:
    falls = ask("""
        SELECT count(*) FROM (
            SELECT InvoiceDate < lag(InvoiceDate) OVER w OR number < lag(number) OVER w AS falls
            FROM (SELECT *, regexp_extract(InvoiceNo, '[0-9]+')::INT AS number, row_number() OVER () AS n FROM demo)
            WINDOW w AS (ORDER BY n)
        ) WHERE falls
    """)
    mixed = ask("""
        SELECT count(*) FROM (
            SELECT regexp_extract(InvoiceNo, '[0-9]+') FROM demo GROUP BY 1
            HAVING count(DISTINCT (InvoiceNo, InvoiceDate, CustomerID, Country)) > 1
        )
    """)
    assert falls == mixed == [(0,)]


def test_a_quarter_of_the_rows_has_no_customer(ask: Ask) -> None:
    assert 0.20 < share(ask, "CustomerID IS NULL") < 0.30


def test_the_disorder_of_a_real_export_is_there(ask: Ask) -> None:
    assert 0.005 < share(ask, "InvoiceNo LIKE 'C%'") < 0.03
    assert share(ask, "InvoiceNo LIKE 'A%' AND StockCode = 'B'") > 0
    assert 0.002 < share(ask, "UnitPrice = 0") < 0.01
    assert share(ask, "UnitPrice = 0 AND Quantity < 0 AND Description IS NULL AND InvoiceNo NOT LIKE 'C%'") > 0
    assert ask("SELECT bool_and(Quantity < 0) FROM demo WHERE InvoiceNo LIKE 'C%'") == [(True,)]
    [(rows, distinct)] = ask("SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT * FROM demo)) FROM demo")
    assert 0.005 < (rows - distinct) / rows < 0.02
    codes = {
        code for (code,) in ask("SELECT DISTINCT StockCode FROM demo WHERE NOT regexp_matches(StockCode, '^[0-9]{5}')")
    }
    assert {"POST", "DOT", "M", "D", "S", "C2", "BANK CHARGES", "AMAZONFEE", "CRUK"} <= codes


def test_what_is_cancelled_was_bought_before_and_in_no_smaller_number(ask: Ask) -> None:
    unmatched = ask("""
        SELECT count(*) FROM demo c WHERE InvoiceNo LIKE 'C%' AND regexp_matches(StockCode, '^[0-9]{5}')
        AND NOT EXISTS (
            FROM demo p WHERE p.InvoiceNo NOT LIKE 'C%' AND p.CustomerID IS NOT DISTINCT FROM c.CustomerID
            AND p.StockCode = c.StockCode AND p.UnitPrice = c.UnitPrice AND p.Country = c.Country
            AND p.InvoiceDate <= c.InvoiceDate AND p.Quantity >= -c.Quantity
        )
    """)
    assert unmatched == [(0,)]


def test_some_cancellations_undo_a_whole_order_and_others_return_a_part(ask: Ask) -> None:
    baskets = """
        SELECT CustomerID, InvoiceDate, list(DISTINCT (StockCode, abs(Quantity), UnitPrice)
        ORDER BY (StockCode, abs(Quantity), UnitPrice)) AS lines
        FROM demo WHERE CustomerID IS NOT NULL AND regexp_matches(StockCode, '^[0-9]{5}') AND
    """
    [(whole, all_of_them)] = ask(f"""
        WITH bought AS ({baskets} InvoiceNo NOT LIKE 'C%' GROUP BY InvoiceNo, 1, 2),
             undone AS ({baskets} InvoiceNo LIKE 'C%' GROUP BY InvoiceNo, 1, 2)
        SELECT count(*) FILTER (EXISTS (
            FROM bought b WHERE b.CustomerID = u.CustomerID AND b.lines = u.lines AND b.InvoiceDate <= u.InvoiceDate
        )), count(*) FROM undone u WHERE len(lines) > 1
    """)
    assert 0.02 * all_of_them < whole < 0.5 * all_of_them


def test_the_shop_is_closed_on_saturdays_and_at_night(ask: Ask) -> None:
    assert ask("SELECT count(*) FROM demo WHERE dayofweek(InvoiceDate) = 6") == [(0,)]
    assert ask("SELECT min(hour(InvoiceDate)) >= 6, max(hour(InvoiceDate)) <= 20 FROM demo") == [(True, True)]


def test_all_rows_fall_into_the_window(ask: Ask) -> None:
    [(first, last)] = ask("SELECT min(InvoiceDate), max(InvoiceDate) FROM demo")
    assert datetime(2010, 12, 1) <= first < datetime(2010, 12, 3)  # noqa: DTZ001 - the export's own time
    assert datetime(2011, 12, 7) < last < datetime(2011, 12, 10)  # noqa: DTZ001


def test_autumn_sells_more_than_summer_and_thursday_more_than_sunday(ask: Ask) -> None:
    orders = "SELECT count(DISTINCT InvoiceNo) FROM sales WHERE"
    [(autumn,)] = ask(f"{orders} month(InvoiceDate) IN (10, 11)")
    [(summer,)] = ask(f"{orders} month(InvoiceDate) IN (7, 8)")
    assert 1.3 < autumn / summer < 2.5
    [(thursday,)] = ask(f"{orders} dayofweek(InvoiceDate) = 4")
    [(sunday,)] = ask(f"{orders} dayofweek(InvoiceDate) = 0")
    assert 1.5 < thursday / sunday < 3.0


def test_customers_differ_in_how_often_they_buy(ask: Ask) -> None:
    orders: Ints = np.array(ask("SELECT count(DISTINCT InvoiceNo) FROM sales GROUP BY CustomerID"))[:, 0]
    assert 3.0 < orders.mean() < 6.0
    assert 0.25 < (orders == 1).mean() < 0.45
    # Far wider than one rate for all would give: a Poisson distribution's variance is its mean.
    assert orders.var() > 3 * orders.mean()


def test_purchases_of_newcomers_agree_with_the_published_expectation() -> None:
    """Fader, Hardie & Lee 2005, equation 9: repeat purchases expected in a period of length t."""
    total = 320.0
    drawn = Purchases.draw(np.random.default_rng(1), 100_000, total, established_share=0.0)
    t = np.linspace(0.0, total, 2_001)  # newcomers arrive evenly, so what is left of the window is even too
    lost = (ALPHA / (ALPHA + t)) ** R * hyp2f1(R, B, A + B - 1, t / (ALPHA + t))
    expected = float(np.mean((A + B - 1) / (A - 1) * (1 - lost)))
    assert len(drawn) / 100_000 - 1 == pytest.approx(expected, rel=0.02)


def test_spend_is_heavy_tailed_and_goes_with_the_size_of_baskets(ask: Ask) -> None:
    rows = ask("""
        SELECT sum(Quantity * UnitPrice) / count(DISTINCT InvoiceNo), count(*) / count(DISTINCT InvoiceNo),
            median(Quantity)
        FROM sales WHERE Quantity < 10000 GROUP BY CustomerID
    """)
    spend, lines, quantity = np.log(np.array(rows, dtype=np.float64)).T
    assert spend.std() > 0.8
    assert np.corrcoef(spend, lines)[0, 1] > 0.3
    assert np.corrcoef(lines, quantity)[0, 1] > 0.1


def test_the_usual_quantity_tells_wholesale_from_consumers(ask: Ask) -> None:
    modes: dict[int, int] = dict(
        ask("SELECT m, count(*) FROM (SELECT mode(Quantity) AS m FROM sales GROUP BY CustomerID) GROUP BY m")
    )
    assert sum(modes.get(pieces, 0) for pieces in (6, 12, 24)) / CUSTOMERS > 0.4
    assert sum(modes.get(pieces, 0) for pieces in (1, 2, 3)) / CUSTOMERS > 0.3


def test_a_fifth_of_the_products_makes_most_of_the_lines(ask: Ask) -> None:
    lines: Ints = np.sort(np.array(ask("SELECT count(*) FROM sales GROUP BY StockCode"))[:, 0])[::-1]
    assert 3_500 < len(lines) <= 4_000
    assert 0.55 < int(lines[: len(lines) // 5].sum()) / int(lines.sum()) < 0.85


def test_products_of_one_family_are_bought_together(ask: Ask) -> None:
    popular = ask("SELECT StockCode, any_value(Description) FROM sales GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 300")
    place = {code: at for at, (code, _) in enumerate(popular)}
    family = np.array([max((m for m in MOTIFS if m in description), key=len) for _, description in popular])
    lines = ask("SELECT dense_rank() OVER (ORDER BY InvoiceNo) - 1, StockCode FROM sales")
    bought = np.zeros((1 + max(order for order, _ in lines), len(popular)))
    for order, code in lines:
        if code in place:
            bought[order, place[code]] = 1.0
    alone = bought.mean(axis=0)
    lift = (bought.T @ bought / len(bought)) / np.outer(alone, alone)
    same = (family[:, None] == family) & ~np.eye(len(popular), dtype=np.bool_)
    assert lift[same].mean() > 2.0
    assert lift[same].mean() > 1.5 * lift[family[:, None] != family].mean()


def test_nine_in_ten_customers_are_at_home_and_postage_goes_abroad(ask: Ask) -> None:
    home = "Country = 'United Kingdom'"
    assert 0.87 < share(ask, home, "(SELECT DISTINCT CustomerID, Country FROM sales)") < 0.93
    assert ask(f"SELECT count(*) FROM demo WHERE StockCode = 'POST' AND {home}") == [(0,)]


def test_list_prices_end_in_five(ask: Ask) -> None:
    assert ask("SELECT bool_and(round(UnitPrice * 100)::INT % 10 = 5) FROM sales") == [(True,)]


def test_one_customer_on_one_day_is_enough(tmp_path: Path) -> None:
    assert write(tmp_path / "demo.csv", customers=1, days=1) >= 1


def test_an_interrupted_run_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "demo.parquet").write_text("older")
    for name in ("demo.csv", "demo.csv.gz", "demo.parquet"):
        with pytest.raises(KeyboardInterrupt):
            write_demo(tmp_path / name, customers=5, seed=1, start=START, days=30, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.parquet"]
    assert (tmp_path / "demo.parquet").read_text() == "older"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"out": "demo.xlsx"}, r"ends in \.csv, \.csv\.gz, \.parquet"),
        ({"out": "missing/demo.csv"}, "Create it first"),
        ({"out": "folder.csv"}, "is a folder"),
        ({"customers": 0}, "at least 1"),
        ({"seed": -1}, "not negative"),
        ({"days": 0}, "at least 1"),
        ({"start": date(9999, 12, 1), "days": 60}, "fewer --days"),
        ({"start": date(2010, 12, 4), "days": 1}, "closed on every day"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_with_what_to_do(
    change: dict[str, Any], says: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.csv").mkdir()
    wish = {"customers": 5, "seed": 1, "start": START, "days": 30, **change}
    out = tmp_path / str(wish.pop("out", "demo.csv"))
    with pytest.raises(DemoRefused, match=says):
        write_demo(out, **wish)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]
