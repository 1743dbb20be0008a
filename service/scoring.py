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
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet

from models.features import LARGEST
from models.import_plan import ImportPlan
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
OTHER_COLUMNS = 3  # the exit code of training.scored_table for a file without the columns that decide


class ScoringRefused(OSError):
    """A file cannot be scored; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ScoreOrder:
    """What to score and where to write it. `as_of` None is the end of the file's last day, or each row's own.

    `missing` are values of a table that stand for a missing one, beside those that the model knows; `not_missing` are
    values that look so and do not. `numbers` gives for a column an example of how its numbers are written.
    """

    file: str
    out: Path
    as_of: str | None
    store: bool
    columns: Mapping[str, str]
    date_format: str | None
    missing: Sequence[str] = ()
    not_missing: Sequence[str] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)


def score(
    order: ScoreOrder, settings: Settings, now: datetime, progress: Callable[[int], None], note: Callable[[str], None]
) -> int:
    """Assign every customer in the file; returns how many rows were written. `note` gets what the reading has to say.

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
            rows = _customers(order, served, Path(folder), note)
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


def _customers(
    order: ScoreOrder, served: ServedModel, folder: Path, note: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """One request per customer, as `POST /segment` would take it. Transactions are made features first."""
    out = folder / "features.parquet"
    if Path(order.file).is_file() and _read_table(order, served, out, folder, note):
        return _requests(out, order, served, _by_place)
    if served.model.columns:
        raise ScoringRefused(f"{order.file} is no file; name one CSV, XLSX or Parquet file with one row per customer")
    if order.missing or order.not_missing:
        raise ScoringRefused(
            "--missing and --not-missing are for a table of customers with the model's features, and "
            f"{order.file} is none; leave them out"
        )
    _read_transactions(order, served, out, folder)
    return _requests(out, order, served, _by_name)


# Reading of shops' exports, and the engine for it, are in the training command: it runs in a process of its own, and
# this one, which knows the database, stays small.


def _read_table(order: ScoreOrder, served: ServedModel, out: Path, folder: Path, note: Callable[[str], None]) -> bool:
    """Whether the file is a table of customers with the model's features, which are then in `out`."""
    manifest = folder / "manifest.json"
    manifest.write_bytes(served.model.manifest.to_bytes())
    options = [
        *(f"--missing={value}" for value in order.missing),
        *(f"--not-missing={value}" for value in order.not_missing),
        *(f"--numbers={name}={example}" for name, example in order.numbers.items()),
        *([f"--id={order.columns['customer']}"] if "customer" in order.columns else []),
    ]
    command = ["training.scored_table", order.file, "--manifest", str(manifest), "--out", str(out), *options]
    done = _run(command)
    if done.returncode == OTHER_COLUMNS and not served.model.columns:
        return False
    if done.returncode:
        raise ScoringRefused(done.stderr.strip())
    for said in done.stdout.splitlines():
        note(said)
    return True


def _read_transactions(order: ScoreOrder, served: ServedModel, out: Path, folder: Path) -> None:
    """Read by the plan that the model was trained with, or at least with its conventions."""
    manifest, plan = served.model.manifest, folder / "plan.json"
    trained_with = manifest.plan or ImportPlan(columns={})
    plan.write_text(trained_with.model_copy(update={"conventions": manifest.conventions}).model_dump_json(), "utf-8")
    command = ["training", "features", order.file, "--out", str(out), "--plan", str(plan), "--plan-if-it-fits"]
    for meaning, name in order.columns.items():
        command += ["--column", f"{meaning}={name}"]
    for option, value in (("--date-format", order.date_format), ("--as-of", order.as_of)):
        command += [option, value] if value else []
    for name, example in order.numbers.items():
        command += ["--numbers", f"{name}={example}"]
    done = _run(command)
    if done.returncode:
        raise ScoringRefused(done.stderr.strip().removeprefix("features: "))
    sys.stderr.write(done.stderr.replace("features: the check", "score: the check"))  # which failed, as a warning


def _run(module: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603


def _requests(
    features: Path, order: ScoreOrder, served: ServedModel,
    features_of: Callable[[Mapping[str, Any], Sequence[str]], dict[str, Any]],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """The requests in a file that one of the training commands wrote."""
    known = served.model.manifest.scored_features
    with pyarrow.parquet.ParquetFile(features) as file:
        for batch in file.iter_batches(CHUNK):
            for row in batch.to_pylist():
                as_of = order.as_of or row["as_of"]
                yield {"customer_id": row["customer_id"], "as_of": as_of, "features": features_of(row, known)}


def _by_name(row: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in known if row.get(name) is not None}


def _by_place(row: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    features = {}
    for at, name in enumerate(known):
        value = row[f"value_{at}"]
        if value is None:
            value = _beyond_all(row.get(f"text_{at}"))
        if value is not None:
            features[name] = value
    return features


def _beyond_all(text: str | None) -> float | str | None:
    """A number that is too large to be one, or what stands in a number's place and is none: both are refused."""
    try:
        number = float(text) if text is not None else 0.0
    except ValueError:
        return text
    return text if abs(number) <= LARGEST else number


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
