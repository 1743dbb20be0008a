"""The customers of a file as the features that a model takes: what `python -m service score` reads, by the code that
reads a table of customers for `fit`.

    python -m training.scored_table FILE --manifest manifest.json --out features.parquet

Exit code 3 says that the file lacks columns by which the model decides.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
from ibis import _ as row

from models.manifest import Manifest
from models.table_reading import TableReading, missing_numbers
from training.errors import UnreadableSource
from training.sentinels import sentinel_question, sentinels_beyond
from training.table_columns import ID, NUMBERED, match_id, matching
from training.table_rows import TableRows, read_rows
from training.workspace import Workspace

ID_NAMES = ("customerid", "customer", "clientid", "client", "userid", "id")
AS_OF = "as_of"
OTHER_COLUMNS = 3  # exit code
MOST_DIFFERENT = 100  # values beyond those that the model knows: more are no signs for a missing one


class OtherColumns(UnreadableSource):
    """The file has not the columns by which the model decides."""


@dataclass(frozen=True)
class ScoredColumns:
    """Which columns are looked for: the id's under its name, or where it has none under those in use.

    `features` are all that the model knows, `deciding` those that it needs.
    """

    id: str | None
    features: Sequence[str]
    deciding: frozenset[str]

    def choose(self, names: Sequence[str], where: str) -> Mapping[str, str]:
        """The column of each field: ID, AS_OF, and one for each feature that is there, by its place in `features`."""
        found = {feature: matching(feature, names, where) for feature in self.features}
        if lacking := [f"'{name}'" for name in self.features if name in self.deciding and found[name] is None]:
            raise OtherColumns(
                f"{where} has no column {', '.join(lacking)}, by which the active model decides; its columns are "
                f"{', '.join(name for name in names if name)}. Name them as in the table that the model was made of."
            )
        fields = {f"c{at}": name for at, name in enumerate(found.values()) if name is not None}
        if AS_OF in names and AS_OF not in self.features:
            fields[AS_OF] = AS_OF
        id_column = self._id(names, where)
        return fields if id_column is None else {ID: id_column, **fields}

    def _id(self, names: Sequence[str], where: str) -> str | None:
        if self.id is not None:
            return match_id(self.id, names, where, "--column customer=")
        by_name = next((name for name in names if _plain(name) in ID_NAMES), None)
        if by_name is None:
            raise UnreadableSource(
                f"{where} has no column with the customer's id among {', '.join(names)}; name it with "
                f"--column customer=NAME, or number the customers with --column customer={NUMBERED}"
            )
        return by_name


def write_scored(
    path: Path, out: Path, manifest: Manifest, id_column: str | None, missing: Sequence[str],
    not_missing: Sequence[str], numbers: Mapping[str, str] = {},
) -> list[str]:  # fmt: skip
    """Write a row per customer, in the file's order, as Parquet; returns notes on what was not used.

    The columns are `customer_id`, `as_of`, and for each feature of the model, by its place, `value_0`: a number or a
    word, null where missing. Beside a number, `text_0` is what stands in its place and is none; of features that only
    describe, such a value is missing. Raises UnreadableSource, OtherColumns among it.
    """
    recorded = manifest.table or TableReading(id=None)
    deciding = frozenset(feature.name for feature in manifest.features if feature.clusters)
    named = manifest.parameters.get("id") if manifest.source == "customers" else None
    columns = ScoredColumns(id_column or (str(named) if named else None), manifest.scored_features, deciding)
    with Workspace() as workspace:
        known = tuple(dict.fromkeys((*recorded.missing, *missing)))
        rows = read_rows(path, columns.choose, workspace, missing=known, numbers=numbers)
        values = {"customer_id": rows.text(ID), "as_of": _as_of(rows)}
        notes, asked = [_note_of_left_out(rows)], []
        for at, feature in enumerate(manifest.scored_features):
            if feature not in manifest.ranges:
                values[f"value_{at}"] = rows.text(f"c{at}") if f"c{at}" in rows.columns else ibis.null("string")
                continue
            if f"c{at}" not in rows.columns:
                values[f"value_{at}"], values[f"text_{at}"] = ibis.null("float64"), ibis.null("string")
                continue
            read = rows.numbers(f"c{at}", recorded.numbers.get(feature))
            odd = read.value.isnull().ifelse(read.written, ibis.null("string"))
            if feature not in deciding:
                notes.append(_note_of_unreadable(rows, rows.columns[f"c{at}"], odd))
                odd = ibis.null("string")
            asked += _questions(rows, rows.columns[f"c{at}"], read.value, manifest.ranges[feature], not_missing)
            values[f"value_{at}"], values[f"text_{at}"] = read.value, odd
        if asked:
            raise UnreadableSource(f"{rows.where}: {' '.join(asked)}")
        rows.table.select("row", **values).order_by("row").drop("row").to_parquet(out)
        return [note for note in notes if note]


def _as_of(rows: TableRows) -> Any:
    if AS_OF not in rows.columns:
        return ibis.null("string")
    return rows.text(AS_OF)


def _note_of_left_out(rows: TableRows) -> str:
    count = rows.fingerprint.left_out
    return f"{rows.where}: {count:,} line{'s' * (count > 1)} left out, not having as many fields as the header." * (
        count > 0
    )


def _note_of_unreadable(rows: TableRows, name: str, odd: Any) -> str:
    found = rows.table.select("row", odd=odd).filter(row.odd.notnull())
    (counted,) = found.aggregate(count=row.count(), first=row.row.min()).to_pyarrow().to_pylist()
    if not counted["count"]:
        return ""
    return (
        f"{rows.where}: '{name}' is no number in {counted['count']:,} row{'s' * (counted['count'] > 1)} and counts as "
        f"missing there; the first is row {counted['first'] + 1:,}."
    )


def _questions(
    rows: TableRows, name: str, value: Any, known: tuple[float, float], not_missing: Sequence[str]
) -> list[str]:
    """What to ask of values that look like a sign for a missing one and that the model's table did not have."""
    low, high = known
    beyond = rows.table.select(value=value).filter((row.value < low) | (row.value > high))
    counted = beyond.group_by("value").aggregate(rows=row.count()).limit(MOST_DIFFERENT + 1).to_pyarrow().to_pylist()
    if len(counted) > MOST_DIFFERENT:
        return []
    found = sentinels_beyond(low, high, {one["value"]: one["rows"] for one in counted})
    count = {one["value"]: f"{one['rows']:,} row{'s' * (one['rows'] > 1)}" for one in counted}
    return [sentinel_question(name, one, count[one]) for one in found if one not in missing_numbers(not_missing)]


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace(" ", "").replace("-", "")


def main(arguments: Sequence[str]) -> int:
    """Write the table; 0 where that was done, with notes on standard output, else a sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m training.scored_table", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--manifest", type=Path, required=True, help="of the model that is to take the customers")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--id", help="the column of the customer's id, or row")
    parser.add_argument("--missing", action="append", default=[])
    parser.add_argument("--not-missing", action="append", default=[])
    parser.add_argument("--numbers", action="append", default=[], help="COLUMN=EXAMPLE")
    given = parser.parse_args(arguments)
    manifest = Manifest.model_validate_json(given.manifest.read_bytes())
    try:
        numbers = dict(one.rsplit("=", 1) for one in given.numbers)
        notes = write_scored(given.file, given.out, manifest, given.id, given.missing, given.not_missing, numbers)
    except UnreadableSource as error:
        sys.stderr.write(f"{error}\n")
        return OTHER_COLUMNS if isinstance(error, OtherColumns) else 1
    sys.stdout.writelines(f"{note}\n" for note in notes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
