"""Rows of a table that are no rows of data: totals, headers that come again, and rows without a value."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import ibis

from models.customer.customer_id import SPACES
from training.errors import UnreadableSource
from training.reading.header import is_value
from training.reading.text_columns import trim
from training.workspace import Workspace

_LANGUAGES: dict[str, list[str]] = json.loads(files("training.reading").joinpath("total_words.json").read_text("utf-8"))
WORDS = frozenset(word.casefold() for words in _LANGUAGES.values() for word in words)
_WORD = "|".join(map(re.escape, sorted(WORDS, key=len, reverse=True)))
# `Total`, `Total:`, `Total (EUR)`, `Total 2024`, and the `1001 Total` of a spreadsheet's outline.
LABEL = rf"^(?:(?:{_WORD})(?:[\s:=.(].*)?|.*\s(?:{_WORD})\s*:?)$"
ONLY_LABEL = rf"^[\s:.]*(?:{_WORD})[\s:.]*$"
USUAL = 0.9  # a column that so many rows have filled, a row of data has filled too
LABELS_SHOWN = 3
# With a sign of currency, thousands grouped or not; a date is none.
_NUMBER = re.compile(r"[^\w@]*(\d{1,3}([.,'’\s]\d{3})+|\d+)([.,]\d+)?\s*([A-Za-z]{1,3}|[^\w\s])?")


@dataclass(frozen=True)
class Removed:
    """How many rows of each kind were taken out of a table; `labels` are the words that called rows totals."""

    totals: int = 0
    labels: tuple[str, ...] = ()
    headers: int = 0

    def notes(self, where: str) -> list[str]:
        """A sentence for each kind that occurred."""
        notes = []
        if self.totals:
            named = ", ".join(f"'{label}'" for label in self.labels[:LABELS_SHOWN])
            notes.append(f"{where}: {self.totals:,} total row{'s' * (self.totals > 1)} left out ({named}).")
        if self.headers:
            notes.append(f"{where}: the header is repeated {self.headers:,} times between the rows; left out.")
        return notes


def is_number(cell: str) -> bool:
    """Whether a cell holds a number and no date."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def label(cells: Sequence[str]) -> str:
    """The word for a total in a row's first filled cell, else empty; without numbers, which may be a customer's."""
    first = next((cell.strip() for cell in cells if cell.strip()), "")
    if not re.match(LABEL, first.casefold()):
        return ""
    return max((word for word in WORDS if word in first.casefold()), key=len)


def remove(table: Any, names: Sequence[str], where: str, workspace: Workspace) -> tuple[Any, Removed]:
    """A table of texts (`c0`, `c1` and so on) without such rows, and what was taken out.

    Rows without a value are not counted: exports have them between and below what they hold. Raises UnreadableSource
    for a header in which the columns come in a different order.
    """
    numbered = table.mutate(row=table.rowid())
    count = int(table.count().to_pyarrow().as_py())
    is_candidate = may_be_one(table, names) | (numbered.row == count - 1)
    candidates = numbered.filter(is_candidate).order_by("row").to_pyarrow().to_pylist()
    removed, out = _judged(table, candidates, names, where, count)
    if not out:
        return table, removed
    # Sorted, since DuckDB makes a join of a long list, and a join loses the order of the rows.
    kept = numbered.filter(~numbered.row.isin(out)).order_by("row").drop("row")
    return workspace.store("rows", kept), removed


def may_be_one(table: Any, names: Sequence[str]) -> Any:
    """Whether a row of texts may have to go. Hardly a row does, and hardly a row is asked for more than its letters.

    The last row may also be a total if its first cell says so and no other is empty.
    """
    texts = [table[column] for column in table.columns]
    # White space of ASCII sorts before "!", other white space is nearly never alone in a cell.
    perhaps_blank = [text.isnull() | (text < "!") | (text > "~") for text in texts]
    # Most first cells are numbers (":" comes behind the digits), which are no labels: the pattern takes long.
    no_number = perhaps_blank[0] | (texts[0] < "0") | (texts[0] >= ":") | texts[0].contains(" ")
    first = ibis.coalesce(*(trim(text, SPACES).nullif("") for text in texts), "").lower()
    is_label = ibis.ifelse(
        ibis.or_(*perhaps_blank), (first == "") | first.re_search(LABEL), texts[0].lower().re_search(ONLY_LABEL)
    )
    named = [text for text, name in zip(texts, names, strict=True) if name][:2]
    is_header = ibis.literal(True)
    for text in reversed(named):
        is_header = ibis.ifelse(ibis.or_(*(text == name for name in names if name)), is_header, False)
    return ibis.ifelse(no_number, is_label, False) | is_header


def _judged(
    table: Any, candidates: Sequence[dict[str, Any]], names: Sequence[str], where: str, count: int
) -> tuple[Removed, list[int]]:
    """What the candidates are, of a table of `count` rows, and the places of the rows to take out."""
    out, totals, headers, usual = [], [], 0, None
    for one in candidates:
        cells = [one[column] or "" for column in table.columns]
        if not any(cell.strip(SPACES) for cell in cells):
            out.append(one["row"])
        elif is_header(cells, names, where):
            headers += 1
            out.append(one["row"])
        elif word := label(cells):
            usual = _usual(table, candidates, count) if usual is None else usual
            if _is_total(cells, word, usual, last=one["row"] == count - 1):
                totals.append(word)
                out.append(one["row"])
    return Removed(len(totals), tuple(dict.fromkeys(totals)), headers), out


def is_header(cells: Sequence[str], names: Sequence[str], where: str) -> bool:
    """Whether a row is the header once more. Raises UnreadableSource if it is one, but not the same."""
    stripped = [cell.strip() for cell in cells]
    same = sum(bool(cell) and cell in names for cell in stripped)
    filled = sum(map(bool, stripped))
    if same < 2 or 2 * same < filled or any(map(is_value, filter(None, stripped))):
        return False
    if [*filter(None, stripped)] != [*filter(None, names)]:
        raise UnreadableSource(
            f"{where}: between the rows there is another header, {', '.join(map(repr, filter(None, stripped)))}. Two "
            f"exports with different columns were put together; give them as two files."
        )
    return True


def _is_total(cells: Sequence[str], word: str, usual: Sequence[int], *, last: bool) -> bool:
    """Whether a row that `word` calls a total is one: else there are only numbers, or nothing where rows have values.

    The last row may have a number in every column, if its first cell is nothing but the word.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not all(map(is_number, filled[1:])):
        return False
    gaps = any(not cells[at].strip() for at in usual)
    return gaps or (last and len(filled) > 1 and filled[0].strip(" :.").casefold() == word)


def _usual(table: Any, candidates: Sequence[dict[str, Any]], count: int) -> list[int]:
    """The places of the columns that nearly every row has filled, but for the candidates."""
    (found,) = table.aggregate(**{column: table[column].count() for column in table.columns}).to_pyarrow().to_pylist()
    filled = [found[column] - sum(one[column] is not None for one in candidates) for column in table.columns]
    return [at for at, rows in enumerate(filled) if rows >= USUAL * (count - len(candidates))]
