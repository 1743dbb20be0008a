"""Rules in words for segments: for each the box of a few thresholds, at figures people say, that fits it best."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.features import FEATURE
from models.rule import Condition, Rule, Rules, first_met, meets, words_of

Values = NDArray[np.float64]
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
Say = Callable[[Sequence[Condition]], str]
Box = Mapping[str, tuple[int, int]]  # per feature the first and the last of its grid's steps that are inside

# What one, two, three and four conditions must have gained in F1: a fourth must make a rule clearly better.
COST = (0.0, 0.01, 0.03, 0.06)
BEAM = 3
SWEEPS = 20  # a box settles in two to five
DROP_LOSS = 0.01  # F1 a rule may lose where a bound is left out
ROUND_LOSS = 0.015  # and in all, once its figures are the roundest that will do
DIGITS = (2, 3, 4)  # of a threshold: more than two only where two leave too few figures to choose from
ENOUGH_FIGURES = 20
MOST_FIGURES = 400
DECADES = 6  # of size, down from the largest value
WHOLE_UNITS = {"days", "days between orders", "orders", "products"}
FIND_SAMPLE = 20_000  # customers; beyond it a threshold moves by less than its rounding
HELD_OUT_PARTS = 3  # of PARTS
PARTS = 10
FEWEST_MEMBERS = 50  # of the smallest segment, so that those held out of it still say something
FOLDS = 5

METHOD = (
    "For each segment a beam search finds the conditions, at most three and a fourth only where it clearly helps, that "
    "pick out its members with the highest F1; thresholds are figures people say. The rules are asked in turn, "
    "the most precise first; the first one met places the customer, and who meets none goes where most such are. "
)
HELD_OUT = (
    "The figures are of {judged:,} customers the rules were not found on: {share:.0%} of each segment, drawn at random."
)
CROSS_FITTED = (
    "The rules shown were found on all {judged:,} customers, too few to hold some out; the figures are cross-fitted: "
    "each customer is judged by rules found the same way on the other {folds} of {all_folds} parts."
)


@dataclass(frozen=True, slots=True)
class Grid:
    """The g figures a feature's thresholds may be, rising, and how many of them each value is at or above.

    `digits` says how long each figure is to say; `steps` has shape (n,), from 0 to g, and g + 1, which is in no
    interval, where the value is missing.
    """

    figures: tuple[float, ...]
    digits: Values
    steps: NDArray[np.intp]

    def of(self, chosen: NDArray[np.intp]) -> "Grid":
        """The same figures for some of the customers."""
        return Grid(self.figures, self.digits, self.steps[chosen])

    @property
    def everything(self) -> tuple[int, int]:
        return (0, len(self.figures))


@dataclass(frozen=True, slots=True)
class Found:
    """Each segment's conditions in the order to ask them, and the segment of who meets none."""

    conditions: Mapping[int, tuple[Condition, ...]]
    otherwise: int


@dataclass(frozen=True, slots=True)
class Judged:
    """m customers: the segment the model gives each, the one the list gives, and which rules each meets (m,)."""

    truth: Ids
    placed: Ids
    met: Mapping[int, Mask]


def find_rules(features: Mapping[str, Values], segment_ids: Ids, seed: int, say_of_table: Say | None = None) -> Rules:
    """A short rule for each segment, judged on customers it was not found on.

    `features` has an array of shape (n,) for each feature a rule may use, in original units; `segment_ids`, shape
    (n,), says where the model places each customer. A rule is a box, searched for in the manner of PRIM (Friedman &
    Fisher 1999) and CN2 (Clark & Niblett 1989), so that it stands by itself: with as many rules, the leaves of a
    decision tree place fewer real customers as the model does (0.75 to 0.86 for 4 to 8 segments, boxes 0.84 to 0.89).
    `say_of_table` puts into words what the columns of a table of customers are: no name of them means what it does
    elsewhere.
    The split and the sample follow the order of the customers, so give them in the order of their ids. Raises
    ValueError where there is no customer or no feature, or shapes differ.
    """
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in features.items()}
    ids = np.asarray(segment_ids, dtype=np.int64)
    if not columns or not len(ids) or any(values.shape != ids.shape for values in columns.values()):
        raise ValueError(f"rules need one or more features of each of the {len(ids)} customers the segment ids are of")
    random = np.random.default_rng(seed)
    part = _parts(ids, random)
    grids = {name: _grid(values, say_of_table is None and _is_whole(name)) for name, values in columns.items()}

    def found(among: Mask) -> Found:
        chosen = np.flatnonzero(among)
        if len(chosen) > FIND_SAMPLE:
            chosen = np.sort(random.choice(chosen, FIND_SAMPLE, replace=False))
        return _find({name: grid.of(chosen) for name, grid in grids.items()}, ids[chosen])

    if np.min(np.unique(ids, return_counts=True)[1]) >= FEWEST_MEMBERS:
        held_out = part < HELD_OUT_PARTS
        shown = found(~held_out)
        judged = _judge([(shown, held_out)], columns, ids)
        judging = HELD_OUT.format(judged=len(judged.truth), share=HELD_OUT_PARTS / PARTS)
    else:
        shown = found(np.ones(len(ids), dtype=np.bool_))
        folds = [fold for fold in (part % FOLDS == index for index in range(FOLDS)) if np.any(fold)]
        judged = _judge([(found(~fold) if not np.all(fold) else shown, fold) for fold in folds], columns, ids)
        judging = CROSS_FITTED.format(judged=len(judged.truth), folds=FOLDS - 1, all_folds=FOLDS)
    return _rules(shown, judged, METHOD + judging, say_of_table or words_of)


def _parts(ids: Ids, random: np.random.Generator) -> NDArray[np.intp]:
    """A part from 0 to PARTS - 1 for each customer, at random, every segment spread evenly over the parts."""
    shuffled = random.permutation(len(ids))
    order = shuffled[np.argsort(ids[shuffled], kind="stable")]
    part = np.empty(len(ids), dtype=np.intp)
    part[order] = np.arange(len(ids)) % PARTS
    return part


def _judge(found: Sequence[tuple[Found, Mask]], columns: Mapping[str, Values], ids: Ids) -> Judged:
    """What the rules say of the customers they are paired with."""
    met: dict[int, list[Mask]] = {one: [] for one in np.unique(ids).tolist()}
    placed = []
    for rules, mask in found:
        some = {name: values[mask] for name, values in columns.items()}
        here = {one: meets(conditions, some) for one, conditions in rules.conditions.items()}
        placed.append(first_met(here, rules.otherwise))
        for one, masks in met.items():
            masks.append(here.get(one, np.zeros(int(np.count_nonzero(mask)), dtype=np.bool_)))
    truth = np.concatenate([ids[mask] for _, mask in found])
    return Judged(truth, np.concatenate(placed), {one: np.concatenate(masks) for one, masks in met.items()})


def _rules(found: Found, judged: Judged, method: str, say: Say) -> Rules:
    times = np.sum([judged.met[one] for one in found.conditions], axis=0)
    return Rules(
        rules=tuple(_rule(one, found.conditions[one], judged, say) for one in found.conditions),
        otherwise=found.otherwise,
        fidelity=_share(judged.placed == judged.truth),
        met_by_none=_share(times == 0),
        met_by_several=_share(times > 1),
        customers=len(judged.truth),
        method=method,
    )


def _rule(one: int, conditions: tuple[Condition, ...], judged: Judged, say: Say) -> Rule:
    met, member = judged.met[one], judged.truth == one
    return Rule(
        segment_id=one,
        conditions=conditions,
        words=say(conditions),
        members=int(np.count_nonzero(member)),
        precision=_share(member[met]) if np.any(met) else None,
        recall=_share(met[member]) if np.any(member) else None,
        fidelity=_share(met == member),
    )


def _share(mask: Mask) -> float:
    return round(float(np.mean(mask)), 4)


def _find(grids: Mapping[str, Grid], ids: Ids) -> Found:
    """A rule for each segment there is in `ids`, the most precise first."""
    boxes = {}
    for one in np.unique(ids).tolist():
        search = _Search(grids, ids == one)
        boxes[one] = search.said(search.best())
    met = {one: _inside(grids, box, len(ids)) for one, box in boxes.items()}
    order = sorted(boxes, key=lambda one: (-np.mean(ids[met[one]] == one) if np.any(met[one]) else 0.0, one))
    unmet = ids[~np.any(list(met.values()), axis=0)]
    present, times = np.unique(unmet if len(unmet) else ids, return_counts=True)
    return Found({one: _conditions(grids, boxes[one]) for one in order}, int(present[times.argmax()]))


def _conditions(grids: Mapping[str, Grid], box: Box) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            feature=name,
            low=grids[name].figures[first - 1] if first else None,
            high=grids[name].figures[last] if last < len(grids[name].figures) else None,
        )
        for name, (first, last) in box.items()
    )


def _inside(grids: Mapping[str, Grid], box: Box, n: int) -> Mask:
    mask = np.ones(n, dtype=np.bool_)
    for name, (first, last) in box.items():
        mask &= (grids[name].steps >= first) & (grids[name].steps <= last)
    return mask


@dataclass(frozen=True, slots=True)
class _Search:
    """The search for the box that tells members from others with the highest F1; `member` has shape (n,)."""

    grids: Mapping[str, Grid]
    member: Mask

    def best(self) -> Box:
        """The best box, less COST for each further feature: a beam search that adds feature by feature."""
        beam: list[tuple[float, Box]] = [(self._f1({}), {})]
        best, worth = beam[0][1], beam[0][0]
        for cost in COST[: len(self.grids)]:
            grown: list[tuple[float, Box]] = []
            for _, box in beam:
                for name in (name for name in self.grids if name not in box):
                    one = self._climbed(self._ordered({**box, name: self.grids[name].everything}))
                    if one not in grown:
                        grown.append(one)
            beam = sorted(grown, key=lambda one: -one[0])[:BEAM]
            if beam[0][0] - cost > worth:
                best, worth = beam[0][1], beam[0][0] - cost
        return best

    def said(self, box: Box) -> Box:
        """The box without bounds it can spare, its figures the roundest that cost next to no F1."""
        box = {name: interval for name, interval in box.items() if interval != self.grids[name].everything}
        whole = self._f1(box)
        box = self._spared(box, whole - DROP_LOSS)
        for name in box:
            for side in (0, 1):
                box = {**box, name: self._rounded(box, name, side, whole - ROUND_LOSS)}
        return self._spared(box, whole - ROUND_LOSS)  # a rounded bound may have come to say nothing

    def _spared(self, box: Box, least: float) -> Box:
        """The box without the bounds that matter least, as long as F1 stays at `least`."""
        while box:
            f1, without = max(((self._f1(one), one) for one in self._with_a_bound_less(box)), key=lambda one: one[0])
            if f1 < least:
                break
            box = without
        return box

    def _with_a_bound_less(self, box: Box) -> Iterator[Box]:
        for name, interval in box.items():
            for side, open_end in enumerate(self.grids[name].everything):
                if interval[side] != open_end:
                    opened = (open_end, interval[1]) if side == 0 else (interval[0], open_end)
                    rest = {other: one for other, one in box.items() if other != name}
                    yield rest if opened == self.grids[name].everything else self._ordered({**rest, name: opened})

    def _rounded(self, box: Box, name: str, side: int, least: float) -> tuple[int, int]:
        """The interval with one of its bounds at the roundest figure that keeps F1 at `least`.

        Of equally round ones the best, of equally good ones that in the middle of all that are: where segments lie
        apart, a bound halfway between them is the safest.
        """
        first, last = box[name]
        grid = self.grids[name]
        if (first, last)[side] == grid.everything[side]:
            return first, last
        table = self._table(box, name)
        # the figure below step s is s - 1, the one above it s
        f1 = table[1 : last + 1, last] if side == 0 else table[first, first:-1]
        figures = np.arange(last) if side == 0 else np.arange(first, len(grid.figures))
        middle = float(np.mean(figures[f1 == np.max(f1)]))
        good = np.flatnonzero(f1 >= least)
        chosen = good[np.lexsort((np.abs(figures[good] - middle), -f1[good], grid.digits[figures[good]]))[0]]
        return (int(figures[chosen]) + 1, last) if side == 0 else (first, int(figures[chosen]))

    def _ordered(self, box: Box) -> Box:
        return {name: box[name] for name in self.grids if name in box}

    def _climbed(self, box: Box) -> tuple[float, Box]:
        """The box with one feature after another given its best interval, the others held, until none moves."""
        f1, found = 0.0, dict(box)
        for _ in range(SWEEPS):
            before = dict(found)
            for name in found:
                table = self._table(found, name)
                first, last = (int(step) for step in np.unravel_index(np.argmax(table), table.shape))
                f1, found[name] = float(table[first, last]), (first, last)
            if found == before:
                break
        return f1, found

    def _f1(self, box: Box) -> float:
        inside = _inside(self.grids, box, len(self.member))
        both = int(np.count_nonzero(inside & self.member))
        return 2 * both / (int(np.count_nonzero(inside)) + int(np.count_nonzero(self.member)))

    def _table(self, box: Box, name: str) -> Values:
        """F1 for every interval of a feature, the others held: shape (g + 1, g + 1), by first and last step."""
        others = _inside(self.grids, {other: one for other, one in box.items() if other != name}, len(self.member))
        steps, size = self.grids[name].steps, len(self.grids[name].figures) + 1
        both, inside = (
            np.concatenate([[0], np.cumsum(np.bincount(steps[mask], minlength=size)[:size])])
            for mask in (others & self.member, others)
        )
        met = np.maximum(inside[None, 1:] - inside[:-1, None], 0)  # below the diagonal there is no interval
        f1 = 2.0 * (both[None, 1:] - both[:-1, None]) / (met + int(np.count_nonzero(self.member)))
        return np.asarray(f1, dtype=np.float64)


def _is_whole(name: str) -> bool:
    known = FEATURE.get(name)
    return known is not None and known.unit in WHOLE_UNITS


def _grid(values: Values, counted: bool) -> Grid:
    """The figures a threshold on these values, shape (n,), may be: of the fewest digits that give enough of them.

    Of what is `counted`, or has no fractions, they are whole.
    """
    told = values[np.isfinite(values)]
    figures: list[float] = []
    whole = counted or bool(np.all(told == np.round(told)))
    for digits in DIGITS if len(told) else ():
        figures = [one for one in _figures(told, digits) if not whole or one.is_integer()]
        if len(figures) >= ENOUGH_FIGURES:
            break
    figures = _one_each(figures, told)
    steps = np.searchsorted(np.array(figures), values, side="right")
    steps[np.isnan(values)] = len(figures) + 1
    return Grid(tuple(figures), np.array([_digits(one) for one in figures]), steps)


def _one_each(figures: Sequence[float], told: Values) -> list[float]:
    """Of figures with next to no values between them, which are as good as one, the roundest; of those the middle."""
    places = np.arange(len(figures))
    group = np.searchsorted(np.sort(told), np.array(figures)) * MOST_FIGURES // max(len(told), 1)
    middle = np.bincount(group, weights=places)[group] / np.bincount(group)[group] if len(figures) else group
    order = np.lexsort((np.abs(places - middle), np.array([_digits(one) for one in figures]), group))
    kept = order[np.unique(group[order], return_index=True)[1]]
    return [figures[place] for place in np.sort(kept).tolist()]


def _figures(told: Values, digits: int) -> list[float]:
    """All figures of so many significant digits that have values on both sides, rising."""
    sizes = np.abs(told[told != 0])
    if not len(sizes):
        return []
    # the smallest hundredth, and what is a millionth of the largest, is not worth a decade of figures each
    smallest, largest = (math.floor(math.log10(float(size))) for size in (np.quantile(sizes, 0.01), np.max(sizes)))
    smallest = max(smallest, largest - DECADES + 1)
    ticks = {
        float(f"{figure}e{decade - digits + 1}")
        for decade in range(smallest, largest + 1)
        for figure in range(10 ** (digits - 1), 10**digits)
    }
    lowest, highest = float(np.min(told)), float(np.max(told))
    return sorted(one for one in (*ticks, 0.0, *(-tick for tick in ticks)) if lowest < one <= highest)


def _digits(figure: float) -> float:
    """How many digits a person says: 1 for 0, 20, 25 or 3,000; 2 for 120; 3 for 125."""
    said = f"{abs(figure):.12g}".replace(".", "").strip("0")
    return 1.0 if len(said) == 2 and said.endswith("5") else float(max(len(said), 1))
