"""Who moved between segments since the model before, and why."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.model import SegmentationModel
from models.movement import Flow, Movements
from training.errors import UnreadableSource

Ids = NDArray[np.int64]
WHY = ("stayed", "customer changed", "model changed", "both")


@dataclass(frozen=True, slots=True)
class Journeys:
    """The n customers known to both models, in the order of their ids, and their segments (n,) each.

    `before` is where the model before had them then, `between` where it has them by what is known now, `now` where the
    new model has them. `new` and `gone` count those known to one model only.
    """

    ids: Sequence[str]
    before: Ids
    between: Ids
    now: Ids
    new: int
    gone: int

    @classmethod
    def of(cls, ids_then: Sequence[str], before: Ids, ids_now: Sequence[str], between: Ids, now: Ids) -> "Journeys":
        """`before` belongs to the customers known then; `between` and `now` to those known now.

        Raises ValueError where shapes differ or an id comes twice.
        """
        n, m = len(ids_then), len(ids_now)
        if before.shape != (n,) or between.shape != (m,) or now.shape != (m,):
            raise ValueError(f"the segments do not fit {n:,} customers then and {m:,} now")
        if len(set(ids_then)) < n or len(set(ids_now)) < m:
            raise ValueError("a customer's id comes twice; each customer has one place at a moment")
        there = {one: index for index, one in enumerate(ids_then)}
        here = sorted((one, index) for index, one in enumerate(ids_now) if one in there)
        rows_then = np.array([there[one] for one, _ in here], dtype=np.intp)
        rows_now = np.array([index for _, index in here], dtype=np.intp)
        return cls(
            ids=[one for one, _ in here],
            before=before[rows_then],
            between=between[rows_now],
            now=now[rows_now],
            new=len(ids_now) - len(here),
            gone=len(ids_then) - len(here),
        )

    @property
    def why(self) -> NDArray[np.intp]:
        """Per customer an index into WHY."""
        moved, changed = self.before != self.now, self.before != self.between
        redrawn = self.between != self.now
        return np.where(~moved, 0, np.where(~redrawn, 1, np.where(~changed, 2, 3))).astype(np.intp)


def movements(previous: SegmentationModel, journeys: Journeys) -> Movements:
    """The counts, without a single customer's id: they go into the manifest, and ids are personal data."""
    why = journeys.why
    counts = np.bincount(why, minlength=len(WHY)).tolist()
    return Movements(
        previous=previous.version,
        previous_as_of=previous.manifest.as_of,
        unavailable=None,
        known=len(why),
        stayed=counts[0],
        moved_back=int(np.count_nonzero((why == 0) & (journeys.between != journeys.before))),
        moved=len(why) - counts[0],
        customer_changed=counts[1],
        model_changed=counts[2],
        both=counts[3],
        new=journeys.new,
        gone=journeys.gone,
        flows=tuple(sorted(_flows(journeys, why), key=lambda one: (-one.customers, one.from_id, one.to_id))),
    )


def unavailable(previous: SegmentationModel, reason: str) -> Movements:
    """A report that says why there is none."""
    return Movements(
        previous=previous.version, previous_as_of=previous.manifest.as_of,
        unavailable=f"Who moved since model {previous.version} cannot be told: {reason}.", known=0, stayed=0,
        moved_back=0, moved=0, customer_changed=0, model_changed=0, both=0, new=0, gone=0, flows=(),
    )  # fmt: skip


def write_movers(out: Path, journeys: Journeys, names: Mapping[int, str]) -> None:
    """One row per customer who moved, in the order of their ids; the file appears whole or not at all.

    Raises UnreadableSource where it cannot be written.
    """
    if not out.parent.is_dir():
        raise UnreadableSource(f"cannot write {out}: its folder does not exist")
    partial = out.with_name(f".{out.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["customer_id", "from_segment_id", "from_segment", "to_segment_id", "to_segment", "why"])
            for one, before, now, why in zip(
                journeys.ids, journeys.before.tolist(), journeys.now.tolist(), journeys.why.tolist(), strict=True
            ):
                if why:
                    writer.writerow([one, before, names.get(before, ""), now, names.get(now, ""), WHY[why]])
        partial.replace(out)
    except OSError as error:
        raise UnreadableSource(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _flows(journeys: Journeys, why: NDArray[np.intp]) -> Iterator[Flow]:
    moved = why > 0
    pairs = np.unique(np.column_stack([journeys.before[moved], journeys.now[moved]]), axis=0)
    for before, now in pairs.tolist():
        reasons = why[(journeys.before == before) & (journeys.now == now)]
        customer, model, both = np.bincount(reasons, minlength=len(WHY)).tolist()[1:]
        yield Flow(
            from_id=before, to_id=now, customers=len(reasons), customer_changed=customer, model_changed=model, both=both
        )
