"""Assign a whole file without HTTP: the same decisions, the same store, in chunks of bounded memory."""

import asyncio
import csv
import gzip
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow.parquet

from models.features import MAIN_COUNTRY
from service.app import assemble
from service.assigned import Assigned, Case
from service.assigning import answer_json, assign_many, case_of
from service.errors import InvalidRequest
from service.served_model import ServedModel
from service.settings import Settings
from service.state import Service
from service.store.database import upgrade
from service.store.errors import StoreUnavailable

CHUNK = 10_000
WRITTEN = (
    "customer_id", "as_of", "segment_id", "segment", "confidence", "runner_up", "decays_on", "becomes",
    "next_segment_orders", "reasons", "goal", "action", "products", "held_out", "model_version", "assignment_id",
    "problem",
)  # fmt: skip
ID_NAMES = ("customerid", "customer", "clientid", "client", "userid", "id")


class ScoringRefused(OSError):
    """A file cannot be scored; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ScoreOrder:
    """What to score and where to write it. `as_of` None is the end of the file's last day, or each row's own."""

    file: str
    out: Path
    as_of: str | None
    store: bool
    columns: Mapping[str, str]
    date_format: str | None


def score(order: ScoreOrder, settings: Settings, now: datetime, progress: Callable[[int], None]) -> int:
    """Assign every customer in the file; returns how many rows were written.

    A row that cannot be assigned says so in the column `problem`; the others are not held up. The suppression list is
    read before each chunk, stored or not. With `store`, a chunk is committed before it is written. The output appears
    whole or not at all.
    """
    if not order.out.parent.is_dir() or _form(order.out) is None:
        raise ScoringRefused(f"cannot write {order.out}: name a .csv, .csv.gz or .ndjson file in a folder that exists")
    service = assemble(settings, lambda: now)
    try:
        served = service.live.load(service.live.registry.active())
        with tempfile.TemporaryDirectory() as folder:
            rows = _customers(order, served, Path(folder))
            return asyncio.run(_score(rows, order, served, service, progress))
    finally:
        service.engine.dispose()


async def _score(
    rows: Iterator[dict[str, Any]], order: ScoreOrder, served: ServedModel, service: Service,
    progress: Callable[[int], None],
) -> int:  # fmt: skip
    if order.store or service.engine.dialect.name == "sqlite":
        await asyncio.to_thread(upgrade, service.engine)
    if order.store:
        service.writer.start()
    partial = order.out.with_name(f".{order.out.name}.partial")
    written = 0
    try:
        with _open(partial, order.out) as file:
            table = _writer(file, order.out)
            while chunk := list(islice(rows, CHUNK)):
                await asyncio.to_thread(_read_suppressed, service)
                decided = _decide(chunk, served, service)
                if order.store:
                    await service.writer.commit([one.row for one in decided if isinstance(one, Assigned)])
                table([_line(sent, one, served, order.store) for sent, one in zip(chunk, decided, strict=True)])
                written += len(chunk)
                progress(len(chunk))
        partial.replace(order.out)
    finally:
        partial.unlink(missing_ok=True)
        if order.store:
            await service.writer.close()
    return written


def _read_suppressed(service: Service) -> None:
    try:
        service.suppressed.refresh()
    except StoreUnavailable as error:
        raise ScoringRefused(
            f"the suppression list cannot be read, so it is not known who may be scored ({error.report}) "
            "Have SEGMENTATION_DATABASE_URL name the service's database, and run: python -m service db upgrade"
        ) from error


def _decide(chunk: Sequence[dict[str, Any]], served: ServedModel, service: Service) -> list[Assigned | Exception]:
    now = service.clock()
    cases = service.suppressed.admit_many([_case(sent, served, now) for sent in chunk])
    answers = iter(assign_many([case for case in cases if not isinstance(case, Exception)], served, service.ids, now))
    return [case if isinstance(case, Exception) else next(answers) for case in cases]


def _case(sent: dict[str, Any], served: ServedModel, now: datetime) -> Case | InvalidRequest:
    try:
        return case_of(served.strict.validate(sent), served, now)
    except InvalidRequest as error:
        return error


def _customers(order: ScoreOrder, served: ServedModel, folder: Path) -> Iterator[dict[str, Any]]:
    """One request per customer, as `POST /segment` would take it. Transactions are made features first."""
    path, model = Path(order.file), served.model
    if not _has_features(path, served):
        if model.columns:
            raise ScoringRefused(_not_the_table(path, served))
        path = _features_of(order, folder)
    for frame in _frames(path, _id_column(order, served), _in_words(served)):
        yield from _requests(frame, order, served)


def _has_features(path: Path, served: ServedModel) -> bool:
    if path.is_dir() or not path.exists():
        return False
    return set(served.model.deciding) <= set(_columns(path))


def _columns(path: Path) -> list[str]:
    try:
        return list(map(str, next(iter(_frames(path))).columns))
    except (OSError, ValueError, StopIteration):
        return []


def _not_the_table(path: Path, served: ServedModel) -> str:
    """What is wrong with a file that lacks columns which the model, made of a table of customers, decides by."""
    if not path.is_file():
        return f"{path} is no file; name one CSV, XLSX or Parquet file with one row per customer"
    known = _columns(path)
    lacking = ", ".join(f"'{name}'" for name in served.model.deciding if name not in known)
    return (
        f"{path.name} has no column {lacking}, by which the active model decides; its columns are "
        f"{', '.join(known) or 'none'}. Name them as in the table that the model was made of, with commas between."
    )


def _id_column(order: ScoreOrder, served: ServedModel) -> str | None:
    """The id's column where it was named: here, or when a table of customers was trained on."""
    named = served.model.manifest.parameters.get("id") if served.model.columns else None
    return order.columns.get("customer") or (str(named) if named else None)


def _in_words(served: ServedModel) -> list[str]:
    """The features in words; they are texts, whatever they look like."""
    if not served.model.columns:
        return [MAIN_COUNTRY]
    return [name for name in served.model.described_by if name not in served.model.manifest.ranges]


def _features_of(order: ScoreOrder, folder: Path) -> Path:
    """The features of a file of transactions, by the training command in a process of its own.

    The reading of shops' exports and the engine live there; this process, which knows the database, stays small.
    """
    out = folder / "features.parquet"
    command = [sys.executable, "-m", "training", "features", order.file, "--out", str(out)]
    for field, name in order.columns.items():
        command += ["--column", f"{field}={name}"]
    for option, value in (("--date-format", order.date_format), ("--as-of", order.as_of)):
        command += [option, value] if value else []
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ScoringRefused(done.stderr.strip().removeprefix("features: "))
    sys.stderr.write(done.stderr.replace("features: the check", "score: the check"))  # which failed, as a warning
    return out


def _frames(path: Path, customer: str | None = None, words: Sequence[str] = ()) -> Iterator[pd.DataFrame]:
    if path.suffix == ".parquet":
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(CHUNK):
                yield batch.to_pandas()
    elif path.suffix == ".xlsx":
        yield pd.read_excel(path, engine="calamine")
    else:
        texts = dict.fromkeys([*_id_columns(path, customer), *words], "string")
        with pd.read_csv(path, chunksize=CHUNK, dtype=texts) as chunks:
            yield from chunks


def _id_columns(path: Path, customer: str | None) -> list[str]:
    header = pd.read_csv(path, nrows=0).columns
    return [name for name in header if name == customer or _plain(name) in ID_NAMES]


def _requests(frame: pd.DataFrame, order: ScoreOrder, served: ServedModel) -> Iterator[dict[str, Any]]:
    wanted = _id_column(order, served)
    ids = [name for name in frame.columns if (name == wanted if wanted else _plain(name) in ID_NAMES)]
    if not ids:
        raise ScoringRefused(
            f"{order.file} has no column with the customer's id among {', '.join(map(str, frame.columns))}; "
            "name it with --column customer=NAME"
        )
    words = _in_words(served)
    known = [name for name in frame.columns if name in {*served.model.described_by, *words}]
    for row in frame.to_dict("records"):
        features = {name: row[name] for name in known if not pd.isna(row[name])}
        sent = {name: str(value).strip() if name in words else _number(value) for name, value in features.items()}
        as_of = order.as_of or row.get("as_of")
        customer = row[ids[0]]
        yield {
            "customer_id": None if pd.isna(customer) else customer,
            "as_of": None if as_of is None or pd.isna(as_of) else as_of,
            "features": sent,
        }


def _number(value: Any) -> Any:
    """One cell that is no number makes its whole column text: the others are read as what they are."""
    try:
        return float(value)
    except ValueError:
        return value


def _line(sent: Mapping[str, Any], one: Assigned | Exception, served: ServedModel, stored: bool) -> dict[str, Any]:
    if isinstance(one, Exception):
        return {"customer_id": sent["customer_id"], "problem": str(one)}
    answer = json.loads(answer_json(one, served))
    next_segment = answer["next_segment"] or {"by_orders": None}
    return {
        "customer_id": answer["customer_id"],
        "as_of": answer["as_of"],
        "segment_id": answer["segment"]["id"],
        "segment": answer["segment"]["name"],
        "confidence": answer["confidence"],
        "runner_up": answer["runner_up"]["name"],
        "decays_on": answer["decays_on"],
        "becomes": answer["becomes"] and answer["becomes"]["name"],
        "next_segment_orders": next_segment["by_orders"] and next_segment["by_orders"]["orders"],
        "reasons": "; ".join(reason["says"].partition(";")[0] for reason in answer["reasons"]),
        "goal": answer["recommendation"]["goal"],
        "action": answer["recommendation"]["action"],
        "products": " ".join(answer["recommendation"]["products"]),
        "held_out": answer["recommendation"]["held_out"],
        "model_version": answer["model_version"],
        "assignment_id": answer["assignment_id"] if stored else None,
    }


def _form(out: Path) -> str | None:
    return next((form for form in (".csv", ".csv.gz", ".ndjson") if out.name.endswith(form)), None)


def _open(partial: Path, out: Path) -> IO[str]:
    if _form(out) == ".csv.gz":
        return io.TextIOWrapper(gzip.GzipFile(partial, "wb", mtime=0), encoding="utf-8", newline="")
    return partial.open("w", encoding="utf-8", newline="")


def _writer(file: IO[str], out: Path) -> Callable[[Sequence[dict[str, Any]]], None]:
    if _form(out) == ".ndjson":
        return lambda lines: file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    table = csv.DictWriter(file, WRITTEN)
    table.writeheader()
    return table.writerows


def _plain(name: object) -> str:
    return str(name).lower().replace("_", "").replace(" ", "").replace("-", "")
