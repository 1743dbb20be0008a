"""The study of a shop: its customers segmented, and what can be shown of the segments and what cannot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from training.backtest import Trial
from training.customers import Customers
from training.errors import TooFewCustomers
from training.history import FEWEST_DAYS, History
from training.options import PRESET_SEGMENTS, options_of, preset_of
from training.recipe import Recipe
from training.segmentation import Segmentation, make_segments
from training.selection import Progress

FEWEST_BUYERS = 50
THIN_BUYERS = 500
THIN_DAYS = 180
THIN_ORDERS = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What the analyst asks for: numbers of segments to try, a seed, and a preset by name or None.

    `before` is the recipe of the model before with its number of segments.
    """

    segments: Sequence[int]
    seed: int
    preset: str | None = None
    before: tuple[Recipe, int] | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """The segments, the trial they were judged by (None where history is too short), and what is to be said of them."""

    segmentation: Segmentation
    trial: Trial | None
    warnings: tuple[str, ...]
    unproved: tuple[str, ...]


def study(history: History, customers: Customers, wish: Wish, progress: Progress) -> Study:
    """Segment the customers known at `history.as_of`. Raises TooFewCustomers."""
    buyers = len(customers.known.ids)
    if buyers < FEWEST_BUYERS:
        raise TooFewCustomers(
            f"{buyers} customers have a purchase left after cleaning, and segments need at least {FEWEST_BUYERS}; "
            f"python -m training inspect --as-of {history.as_of.isoformat()} says what was left out up to then"
        )
    progress("looking at earlier months")
    trial, unproved = _trial(history, wish.seed)
    cut_off = trial.snapshot.at if trial else None
    options = options_of(customers, history, cut_off, wish.before, wish.seed)
    segments = wish.segments
    if wish.preset:
        asked = preset_of(wish.preset, customers, cut_off)
        options = [*options, replace(asked, k=PRESET_SEGMENTS if PRESET_SEGMENTS in segments else segments[0])]
    made = make_segments(options, segments, trial, wish.seed, progress)
    return Study(made, trial, thin(history, customers), unproved)


def thin(history: History, customers: Customers) -> tuple[str, ...]:
    """Warnings where the data is too thin for segments to be relied on."""
    buyers, days = len(customers.known.ids), (history.as_of - history.first_purchase()).days
    most = int(np.max(customers.known.summaries.orders))
    found = []
    if buyers < THIN_BUYERS:
        found.append(f"only {buyers} customers have bought; with fewer than {THIN_BUYERS} segments are a rough sketch")
    if days < THIN_DAYS:
        found.append(f"only {days} days of purchases; with fewer than {THIN_DAYS} hardly anyone's habits show")
    if most < THIN_ORDERS:
        found.append(f"nobody has {THIN_ORDERS} orders, so loyal customers cannot be told from others")
    return tuple(found)


def _trial(history: History, seed: int) -> tuple[Trial | None, tuple[str, ...]]:
    """The latest cut-off whose days after are over, or a sentence why nothing can be shown."""
    moments = history.cut_offs(history.as_of)
    if not moments:
        return None, (_too_short(history),)
    snapshot = history.snapshot(moments[0])
    try:
        trial = Trial(snapshot, history.horizon, seed)
    except ValueError as error:
        return None, (f"Nothing could be shown of later purchases, because {error}.",)
    if not _axis_can_be_tried(history, moments[0]):
        return trial, (
            f"No axis of value was learned: that needs {FEWEST_DAYS + 2 * history.horizon} days of history, of which "
            f"{(history.as_of - history.first_purchase()).days} are there.",
        )
    return trial, ()


def _axis_can_be_tried(history: History, cut_off: datetime) -> bool:
    return bool(history.cut_offs(cut_off))


def _too_short(history: History) -> str:
    days, needed = (history.as_of - history.first_purchase()).days, FEWEST_DAYS + history.horizon
    return (
        f"Whether the segments buy differently later could not be shown: the purchases go back {days} days, and a "
        f"back-test needs {needed}, {FEWEST_DAYS} to know customers by and {history.horizon} to follow them. The "
        "segments were chosen by how stable and how clear they are."
    )
