"""Any table with one row per customer: which columns decide the segment, which only describe, and their values."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ibis import _ as row
from numpy.typing import NDArray

from models.category import Column, LevelShare, columns, expand_many
from models.customer.customer_id import customer_id
from models.evidence import SourceFile
from models.table_reading import TableReading, missing_numbers
from training.errors import TooFewCustomers, UnreadableSource
from training.sentinels import sentinel_question, sentinels
from training.table_columns import ID, Columns
from training.table_rows import TableRows, read_rows
from training.workspace import Workspace

Values = NDArray[np.float64]

FEWEST_CUSTOMERS = 50
MOST_LEVELS = 12
NUMERIC = 0.9  # from this share of readable numbers on, a column holds numbers, and the rest of it is in error
ALL_BUT_FEW = (0.001, 0.999)  # what lies beyond these shares the pipeline clips, so it decides nothing
RARE = 0.01  # a level that a smaller share has lies far from all others once scaled
ALIKE = 5  # customers that on average must share a word for it to describe a segment, and not a person
SKEWED = 1.0
SHOWN = 3
MOST_SHARES = 5


@dataclass(frozen=True, slots=True)
class CustomerTable:
    """n customers in the order of the file, their columns under the names the file gives them.

    `numeric` has an array of shape (n,) per column of numbers, NaN where a describing one has none; `categorical` n
    texts per column of words, None where a describing one has none. `features` are the deciding columns in the order
    they were asked for: they have no gaps; `levels` are the words of each that is in words, in alphabetical order.
    `reading` is what later tables are read by.
    """

    ids: tuple[str, ...]
    numeric: Mapping[str, Values]
    categorical: Mapping[str, tuple[str | None, ...]]
    features: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    fingerprint: tuple[SourceFile, ...]
    notes: tuple[str, ...]
    reading: TableReading

    @property
    def columns(self) -> tuple[Column, ...]:
        """What a scorer takes, d numbers: a deciding column of words is several, of 0 and 1.

        Each is scaled by itself, so in the distance a column of three or more words weighs as much as that many of
        numbers, and one of two words as much as one. 0 and 1 stay as far apart as they are under a logarithm.
        """
        return columns(self.features, self.levels)

    def matrix(self) -> Values:
        """The deciding values, shape (n, d), in the order of `columns`."""
        return expand_many(self.columns, self.numeric, self.categorical)

    @property
    def transform(self) -> str:
        """The scorer's transform for this table, by `transform_for`."""
        numbers = [self.numeric[name] for name in self.features if name in self.numeric]
        return transform_for(np.column_stack(numbers)) if numbers else "identity"


def read_customer_table(path: Path, workspace: Workspace, asked: Columns) -> CustomerTable:
    """The customers in a CSV (.gz, .zst), XLSX or Parquet file.

    Raises UnreadableSource, with everything that is wrong with the deciding columns at once, and TooFewCustomers.
    """
    rows = read_rows(path, asked.choose, workspace, missing=asked.missing, numbers=asked.numbers, sheets=asked.sheets)
    return _table(rows, asked)


def transform_for(values: Values) -> str:
    """The transform under which numeric columns of shape (n, d) are to be clustered: `log1p` or `identity`.

    Distances in k-means are meant for columns that are about symmetric. Amounts and counts are not: a few customers
    have many times what most have, and a logarithm brings them near; but it draws a score or an age out of shape. So
    log1p is taken where nothing is negative, a column is highly skewed, and the columns are more symmetric with it
    than without: their mean absolute skewness is less. Skewness is the third standardised moment (g1 of Joanes and
    Gill 1998); over 1 is called high (Bulmer 1979).
    """
    if not values.size or np.min(values) < 0:
        return "identity"
    as_is, logarithm = _skewness(values), _skewness(np.log1p(values))
    skewed = np.max(as_is) > SKEWED and np.mean(np.abs(logarithm)) < np.mean(np.abs(as_is))
    return "log1p" if skewed else "identity"


def _skewness(values: Values) -> Values:
    from_mean = values - np.mean(values, axis=0)
    spread = np.std(values, axis=0)
    return np.asarray(np.mean((from_mean / np.where(spread > 0, spread, 1.0)) ** 3, axis=0), dtype=np.float64)


def shares(
    categorical: Mapping[str, Sequence[str | None]], most: int = MOST_SHARES
) -> dict[str, tuple[LevelShare, ...]]:
    """The commonest levels of each category among some customers, of equals the alphabetically first."""
    found = {}
    for name, words in categorical.items():
        counted = Counter(word for word in words if word is not None)
        known = counted.total()
        order = sorted(counted, key=lambda word: (-counted[word], word))
        found[name] = tuple(
            LevelShare(level=word, customers=counted[word], share=round(counted[word] / known, 6))
            for word in order[:most]
        )
    return found


@dataclass(frozen=True)
class _Column:
    """A column's values in one of two forms, and what is wrong with them.

    `numeric` has NaN and `words` None for a gap. `missing` are the rows (from 0) without a value; `unreadable` those
    with a value that a column of numbers cannot have, and that value. `form` is how numbers are written, None where
    plainly.
    """

    name: str
    numeric: Values | None
    words: tuple[str | None, ...]
    missing: tuple[int, ...]
    unreadable: tuple[tuple[int, str], ...]
    says: str = ""
    form: str | None = None


def _table(rows: TableRows, asked: Columns) -> CustomerTable:
    if rows.count < FEWEST_CUSTOMERS:
        raise TooFewCustomers(
            f"{rows.where} has {rows.count} customers, and segments of fewer than {FEWEST_CUSTOMERS} say nothing; "
            "take a table of more customers"
        )
    deciding, ids = len(asked.features), _ids(rows)
    fields = [field for field in rows.columns if field != ID]
    found = [_column(rows, field) for field in fields]
    _ask_of_sentinels(rows, found, asked.not_missing)
    deciders, describers = found[:deciding], found[deciding:]
    if faults := [fault for column in deciders for fault in _faults(column, rows.count)]:
        raise UnreadableSource(f"{rows.where}: {' '.join(faults)}")
    left_out = {column.name: reason for column in describers if (reason := _says_nothing(column))}
    if left_out and asked.describe is not None:
        raise UnreadableSource(f"{rows.where}: {' '.join(left_out.values())} Do not describe by it.")
    used = [*deciders, *(column for column in describers if column.name not in left_out)]
    levels = {column.name: _levels(column) for column in deciders if column.numeric is None}
    features = tuple(column.name for column in deciders)
    try:
        columns(features, levels)
    except ValueError as error:
        raise UnreadableSource(f"{rows.where}: {error}.") from error
    return CustomerTable(
        ids=ids,
        numeric={column.name: column.numeric for column in used if column.numeric is not None},
        categorical={column.name: column.words for column in used if column.numeric is None},
        features=features,
        levels=levels,
        fingerprint=(rows.fingerprint,),
        notes=(
            *rows.notes,
            *_notes(used, deciding, rows, ids),
            *(f"Left out: {said}" for said in left_out.values()),
        ),
        reading=TableReading(
            id=None if rows.numbered else rows.columns[ID],
            missing=rows.missing,
            numbers={column.name: column.form for column in used if column.form is not None},
        ),
    )


def _ids(rows: TableRows) -> tuple[str, ...]:
    name, written = rows.columns[ID], _fetched(rows, rows.text(ID)).to_pylist()
    if empty := [index for index, sent in enumerate(written) if sent is None]:
        raise UnreadableSource(
            f"{rows.where}: '{name}' is empty for {_customers(len(empty))} ({_places(empty)}); "
            "give every customer an id, or leave such rows out."
        )
    ids = []
    for index, sent in enumerate(written):
        try:
            ids.append(customer_id(sent))
        except ValueError as error:
            raise UnreadableSource(f"{rows.where}: '{name}' in row {index + 1:,}: {error}.") from error
    if len(set(ids)) < len(ids):
        raise UnreadableSource(f"{rows.where}: {_repeated(name, ids)}")
    return tuple(ids)


def _repeated(name: str, ids: Sequence[str]) -> str:
    again = next(one for one, count in Counter(ids).items() if count > 1)
    rows = [index for index, one in enumerate(ids) if one == again]
    return (
        f"'{name}' names only {len(set(ids)):,} customers in {len(ids):,} rows: '{again}' is in {_places(rows)}. "
        "A table of customers has one row for each; a table of purchases is read without --customers."
    )


def _column(rows: TableRows, field: str) -> _Column:
    """A column in the form most of its values have."""
    name, numbers = rows.columns[field], rows.numbers(field)
    read = rows.table.select("row", written=numbers.written, value=numbers.value)
    counted = read.aggregate(present=row.written.count(), numbers=row.value.count()).to_pyarrow().to_pylist()[0]
    if not counted["present"] or counted["numbers"] < NUMERIC * counted["present"]:
        words = tuple(_fetched(rows, rows.text(field)).to_pylist())
        return _Column(name, None, words, tuple(index for index, word in enumerate(words) if word is None), ())
    numeric = np.asarray(_fetched(rows, numbers.value).to_numpy(zero_copy_only=False), dtype=np.float64)
    gaps = read.filter(row.value.isnull()).order_by("row").to_pyarrow().to_pylist()
    missing = tuple(one["row"] for one in gaps if one["written"] is None)
    unreadable = tuple((one["row"], one["written"]) for one in gaps if one["written"] is not None)
    return _Column(name, numeric, (), missing, unreadable, numbers.says, numbers.form)


def _ask_of_sentinels(rows: TableRows, found: Sequence[_Column], not_missing: Sequence[str]) -> None:
    """Raises UnreadableSource where numbers look like a sign for a missing value, and nobody said what they are."""
    known = missing_numbers(not_missing)
    told = []
    for column in found:
        if column.numeric is None:
            continue
        values = column.numeric[~np.isnan(column.numeric)]
        for sentinel in sentinels(values):
            if sentinel not in known:
                at = np.flatnonzero(column.numeric == sentinel).tolist()
                told.append(sentinel_question(column.name, sentinel, f"{_customers(len(at))} ({_places(at)})"))
    if told:
        raise UnreadableSource(f"{rows.where}: {' '.join(told)}")


def _fetched(rows: TableRows, value: Any) -> Any:
    """A value of each row, in their order, as one Arrow array."""
    return rows.table.select("row", value=value).order_by("row").to_pyarrow()["value"].combine_chunks()


def _faults(column: _Column, count: int) -> list[str]:
    """Why a column cannot decide, each a sentence with what to do."""
    if column.missing:
        return [
            f"'{column.name}' decides the segment and has no value for {len(column.missing):,} of {count:,} customers "
            f"({_places(column.missing)}). Fill it in, leave these customers out, or do not let the column decide."
        ]
    if column.unreadable:
        shown = ", ".join(f"'{value}' in row {index + 1}" for index, value in column.unreadable[:SHOWN])
        return [
            f"'{column.name}' decides the segment and is no number between -1e12 and 1e12 for "
            f"{_customers(len(column.unreadable))}: {shown}. Correct it, or leave these customers out."
        ]
    if column.numeric is not None:
        few, most = np.quantile(column.numeric, ALL_BUT_FEW)
        alike = f"'{column.name}' is {few:g} for all customers or all but a few, so it cannot decide; leave it out."
        return [alike] if few == most else []
    return _faults_of_words(column)


def _faults_of_words(column: _Column) -> list[str]:
    levels = _levels(column)
    if len(levels) == 1:
        return [f"'{column.name}' is '{levels[0]}' for all customers, so it cannot decide; leave it out."]
    if len(levels) > MOST_LEVELS:
        shown = ", ".join(f"'{level}'" for level in levels[-SHOWN:])
        return [
            f"'{column.name}' has {len(levels):,} different values that are not all numbers, such as {shown}. What "
            f"decides holds numbers, or at most {MOST_LEVELS} different words: correct it, or put values together."
        ]
    spellings = Counter(level.casefold() for level in levels)
    alike = [f"'{level}'" for level in levels if spellings[level.casefold()] > 1]
    return [f"'{column.name}' has {' and '.join(alike)}, which look the same; write each one way."] if alike else []


def _levels(column: _Column) -> tuple[str, ...]:
    return tuple(sorted({word for word in column.words if word is not None}))


def _says_nothing(column: _Column) -> str | None:
    """Why a column describes no segment, in a sentence; None where it does."""
    if column.numeric is not None:
        return None
    known = [word for word in column.words if word is not None]
    different = len(set(known))
    if not known:
        return f"'{column.name}' has no values."
    if different * ALIKE > len(known):
        return f"'{column.name}' has {different:,} different values for {len(known):,} customers, as names or dates do."
    return None


def _notes(used: Sequence[_Column], deciding: int, rows: TableRows, ids: Sequence[str]) -> list[str]:
    by = "numbered by row, 1 and up, which holds for this file only" if rows.numbered else f"by '{rows.columns[ID]}'"
    decide, only_describe = (", ".join(f"'{one.name}'" for one in part) for part in (used[:deciding], used[deciding:]))
    notes = [
        f"{rows.where}: customers {by}; {decide} decide{'s' * (deciding == 1)} the segment; "
        f"{only_describe or 'nothing'} only describe{'s' * (len(used) - deciding < 2)}.",
        *(
            [f"{_list(rows.missing)} stand{'s' * (len(rows.missing) == 1)} for a missing value."]
            if rows.missing
            else []
        ),
        *_note_of_case(rows.columns[ID], ids),
        *(column.says for column in used if column.says),
    ]
    for column in used[:deciding]:
        if column.numeric is None:
            counted = Counter(column.words)
            rare = [f"'{level}' ({counted[level]})" for level in _levels(column) if counted[level] < RARE * rows.count]
            if rare:
                notes.append(
                    f"'{column.name}' decides, and fewer than {RARE:.0%} of customers have {', '.join(rare)}: they lie "
                    "far from all others and may become a segment; put rare values together."
                )
    for column in used[deciding:]:
        if column.missing:
            notes.append(f"'{column.name}' has no value for {_customers(len(column.missing))}.")
        if column.unreadable:
            index, value = column.unreadable[0]
            notes.append(
                f"'{column.name}' is no number for {_customers(len(column.unreadable))}, who count as having none; "
                f"the first is '{value}' in row {index + 1}."
            )
    return notes


def _note_of_case(name: str, ids: Sequence[str]) -> list[str]:
    """A note on ids that differ in upper and lower case only: by their rows, since ids may be e-mail addresses."""
    rows = defaultdict(list)
    for index, one in enumerate(ids):
        rows[one.casefold()].append(index)
    alike = [indices for indices in rows.values() if len(indices) > 1]
    if not alike:
        return []
    return [
        f"'{name}' has {len(alike):,} id{'s' * (len(alike) > 1)} in more than one spelling of upper and lower case, "
        f"such as in {_places(alike[0])}: each counts as a customer. Write an id one way if it is one customer."
    ]


def _list(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _customers(count: int) -> str:
    return f"{count:,} customer{'s' * (count != 1)}"


def _places(rows: Sequence[int]) -> str:
    """`rows 3, 17 and 20`; counted from 1, under the header."""
    told = [f"{index + 1:,}" for index in rows[:SHOWN]]
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    return f"row{'s' * (len(rows) > 1)} {', '.join(told)}{more}"
