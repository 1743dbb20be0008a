"""The first steps of many courses along a value axis at once: the arithmetic of `models.axis_path` on arrays."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.axis import Axis
from models.course import Flags, Indices, Motion, Values, value_after
from models.scorer_arrays import ScorerArrays

SLACK = 1e-9  # of a step, by which a root is taken to lie earlier: rounding must not hide the step at which it lies
AskScorer = Callable[[Values], int]  # the index of the segment of one customer's values, shape (d,)


class Cut(NamedTuple):
    """The axis, cut into segments: the middles between neighbouring centres, shape (k - 1,), rising; the index of the
    segment in each of the k places between them; and how near to a middle a place is for the scorer to judge."""

    axis: Axis
    middles: Values
    order: Indices
    doubt: float


class Courses:
    """The motions of n customers along an axis of d features; arrays of shape (n, d)."""

    def __init__(self, arrays: ScorerArrays, motions: Sequence[Motion], done: Values) -> None:
        parts = np.empty((4, len(done), len(motions)))
        for feature, motion in enumerate(motions):
            for part, value in enumerate(motion):
                parts[part, :, feature] = value
        a, b, p, q = parts
        steady = q == 0
        parts[:3] = np.where(steady, parts[:3] / np.where(steady, p, 1.0), parts[:3])
        self.motions, self.done = parts, done
        self.moves = (b * p != a * q) & ((self.values(slice(None), np.ones(len(done))) < arrays.upper) | ~steady)
        # logs that differ by constants: then all follow the first that moves
        with np.errstate(over="ignore"):  # as good as at rest
            shift = np.where(self.moves, (1 + a) / np.where(b > 0, b, np.nan), np.nan)
        self.first = self.moves.argmax(axis=1)
        same = shift == np.take_along_axis(shift, self.first[:, None], axis=1)
        self.together: Flags = ~np.any(self.moves & ~(same & steady), axis=1)

    def values(self, rows: Indices | slice, t: Values) -> Values:
        """The values of some customers after their t steps: (len(rows), d)."""
        return np.asarray(value_after(self.motions[:, rows], (t - self.done[rows])[:, None]))


class Seen(NamedTuple):
    """Some customers at a step: their d features as scaled, shape (n, d), the index of their place between middles, who
    is too near to a border to go by the axis, and who was found, shape (n,) each."""

    scaled: Values
    place: Indices
    near: Flags
    found: Flags


class AxisSearch:
    """Looks for the first step of each course at which a wanted segment is entered."""

    def __init__(
        self, arrays: ScorerArrays, line: Cut, courses: Courses, wanted: Flags, last: Values, ask: AskScorer
    ) -> None:
        """`wanted` has shape (n, k), over the segments' indices; `last` (n,)."""
        self._arrays, self._line, self._courses, self._ask, self._last = arrays, line, courses, ask, last
        self._linear, self._products = np.array(line.axis.linear), np.array(line.axis.products)
        self._wanted = wanted[:, line.order]
        self._low, self._high = _alike(self._wanted, line.middles)
        self.steps = np.zeros(len(last), dtype=np.intp)
        self.placed = np.zeros(len(last), dtype=np.intp)

    def step_by_step(self, rows: Indices) -> None:
        """Look at every step of these customers."""
        t = 1.0
        while rows.size:
            rows = rows[~self._look(rows, np.full(rows.size, t)).found]
            t += 1
            rows = rows[t <= self._last[rows]]

    def in_closed_form(self, rows: Indices) -> None:
        """Go from crossing to crossing; what moves of these customers moves together."""
        t = np.ones(rows.size)
        while rows.size:
            seen = self._look(rows, t)
            certain = ~(seen.near | seen.found)
            done = self._courses.done[rows[certain]]
            since = self._crossing(rows[certain], t[certain] - done, seen.scaled[certain], seen.place[certain])
            t[certain] = np.maximum(t[certain] + 1, np.ceil((1 - SLACK) * since + done - SLACK))
            t[seen.near] += 1
            going_on = ~seen.found & (t <= self._last[rows])
            rows, t = rows[going_on], t[going_on]

    def _look(self, rows: Indices, t: Values) -> Seen:
        """Look at these customers at their step, and note who is in a wanted segment then."""
        values = self._courses.values(rows, t)
        scaled = self._scaled(values)
        at = np.sum(scaled * (self._linear + scaled @ self._products), axis=1)
        place = self._line.middles.searchsorted(at)
        near = np.minimum(np.abs(at - self._low[rows, place]), np.abs(self._high[rows, place] - at)) <= self._line.doubt
        placed = self._line.order[place]
        beside = np.min(np.abs(at[:, None] - self._line.middles), axis=1) <= self._line.doubt
        for one in np.flatnonzero(beside):
            placed[one] = self._ask(values[one])
        found = self._wanted[rows, self._position[placed]]
        self.steps[rows[found]], self.placed[rows[found]] = t[found], placed[found]
        return Seen(scaled, place, near & ~found, found)

    @property
    def _position(self) -> Indices:
        return np.argsort(self._line.order)

    def _scaled(self, values: Values) -> Values:
        clipped = np.clip(values, self._arrays.lower, self._arrays.upper)
        return (np.log1p(clipped) - self._arrays.mean) / self._arrays.scale

    def _crossing(self, rows: Indices, since: Values, scaled: Values, place: Indices) -> Values:
        """After how many steps the place first reaches the end of what is alike around it; infinite for never. `scaled`
        are the features after `since` steps, `place` where they are."""
        found = np.full(rows.size, np.inf)
        open_to = np.arange(rows.size)
        low, high = self._low[rows, place], self._high[rows, place]
        while open_to.size:
            some = rows[open_to]
            crossing, until = self._in_piece(some, since[open_to], scaled, low[open_to], high[open_to])
            found[open_to] = crossing
            since[open_to] = until
            open_to = open_to[np.isinf(crossing) & np.isfinite(until)]
            motions = self._courses.motions[:, rows[open_to]]
            scaled = self._scaled(np.asarray(value_after(motions, since[open_to][:, None])))
        return found

    def _in_piece(
        self, rows: Indices, since: Values, still: Values, low: Values, high: Values
    ) -> tuple[Values, Values]:
        """The same for as long as the same features move, and until when they do."""
        a, b, _, _ = self._courses.motions[:, rows]
        moves = self._courses.moves[rows]
        pace = np.where(moves, b, 1.0)
        with np.errstate(over="ignore"):
            enters = np.where(moves, (self._arrays.lower - a) / pace, -np.inf)
            leaves = np.where(moves, (self._arrays.upper - a) / pace, -np.inf)
        after = since[:, None]
        on = (enters <= after) & (after < leaves)
        until = np.min(np.where(on, leaves, np.where(after < enters, enters, np.inf)), axis=1)
        first = self._courses.first[rows][:, None]
        its_a, its_b = (np.take_along_axis(part, first, axis=1)[:, 0] for part in (a, pace))
        rate = np.where(on, 1 / np.array(self._arrays.scale), 0.0)
        start = np.where(on, (np.log(pace / its_b[:, None]) - self._arrays.mean) / self._arrays.scale, still)
        leaning = start @ self._products
        bend = np.sum(rate * (rate @ self._products), axis=1)
        pull = np.sum(rate * (self._linear + 2 * leaning), axis=1)
        level = np.sum(start * (self._linear + leaning), axis=1)
        resting = ~on.any(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # of those who rest, nothing is asked
            now, end = (np.log1p(its_a + its_b * moment) for moment in (since, until))
        root = np.minimum(_root(bend, pull, level - low, now), _root(bend, pull, level - high, now))
        reached = ~resting & (root <= end + SLACK)
        with np.errstate(over="ignore"):
            return np.where(reached, (np.expm1(np.where(reached, root, 0.0)) - its_a) / its_b, np.inf), until


def _alike(wanted: Flags, middles: Values) -> tuple[Values, Values]:
    """From where to where the places around each are alike in being wanted or not: shape (n, k) each."""
    low = np.broadcast_to(np.append(-np.inf, middles), wanted.shape).copy()
    high = np.broadcast_to(np.append(middles, np.inf), wanted.shape).copy()
    for index in range(1, wanted.shape[1]):
        low[:, index] = np.where(wanted[:, index] == wanted[:, index - 1], low[:, index - 1], low[:, index])
    for index in range(wanted.shape[1] - 2, -1, -1):
        high[:, index] = np.where(wanted[:, index] == wanted[:, index + 1], high[:, index + 1], high[:, index])
    return low, high


def _root(bend: Values, pull: Values, level: Values, now: Values) -> Values:
    """The least x > now with bend x² + pull x + level = 0; infinite where there is none."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # what is no number is no root
        square = pull * pull - 4 * bend * level
        # of the two ways to write a root, the one that subtracts nothing alike (Press et al., Numerical Recipes, 5.6)
        half = -(pull + np.copysign(np.sqrt(square), pull)) / 2
        roots: NDArray[np.float64] = np.stack([half / bend, level / half])
        return np.asarray(np.min(np.where(np.isfinite(roots) & (roots > now), roots, np.inf), axis=0))
