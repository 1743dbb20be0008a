"""The value axis: the direction in a shop's own features along which customers' later purchases grow.

Learned from earlier cut-offs, where what came after is known: a ridge regression (Hoerl and Kennard 1970) of later log
revenue on the scaled log features, their squares and products, under conditions that no shopkeeper would give up:
none of the customers it is learned from gains by waiting, or loses by a further order. In numbers it comes within a
few per cent of boosted trees (see docs/model.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear
from sklearn.preprocessing import PolynomialFeatures

from training.recipe import Recipe, scaling

Values = NDArray[np.float64]

# The penalty on the weights, as a share of the number of customers: none, but for a trace to keep the equations sound,
# along the direction every marketer starts from: more recent, more often, more. Little data then bends it little.
RIDGE, TRACE = 0.5, 0.001
START = {"recency": -1.0, "frequency": 1.0, "monetary": 1.0}
TAILS = 0.01
HELD = 300  # customers of each cut-off for whom the conditions are asked
WAITS = (1.0, 7.0, 30.0, 90.0)  # days


@dataclass(frozen=True, slots=True)
class Lesson:
    """One cut-off to learn from: n customers' ids, features in the order asked for (n, d), and later log revenue."""

    ids: Sequence[str]
    values: Values
    log_revenue: Values

    def of(self, chosen: NDArray[np.bool_]) -> "Lesson":
        """The lesson of some customers only."""
        ids = [one for one, keep in zip(self.ids, chosen.tolist(), strict=True) if keep]
        return Lesson(ids, self.values[chosen], self.log_revenue[chosen])


def learn_axis(lessons: Sequence[Lesson], features: Sequence[str], seed: int) -> Recipe:
    """The recipe whose axis predicts log revenue best over all lessons; features of each are scaled by themselves.

    `features` must have recency, frequency and monetary among them; a further one that time or an order changes can
    be the mean gap only.
    """
    rows, outcomes, conditions = [], [], []
    for lesson in lessons:
        scaler = scaling("log1p", TAILS, lesson.values)
        terms = _terms(scaler.transform(lesson.values))
        rows.append(terms - terms.mean(axis=0))
        outcomes.append(lesson.log_revenue - lesson.log_revenue.mean())
        held = np.random.default_rng(seed).choice(len(terms), min(HELD, len(terms)), replace=False)
        some = lesson.values[np.sort(held)]
        now = _terms(scaler.transform(some))
        for days in WAITS:
            conditions.append((now - _terms(scaler.transform(_after_waiting(some, features, days)))) / days)
        conditions.append(_terms(scaler.transform(_after_an_order(some, features))) - now)
    start = np.zeros(rows[0].shape[1])
    start[: len(features)] = [START.get(name, 0.0) for name in features]
    weights = _constrained_ridge(np.vstack(rows), np.concatenate(outcomes), start, np.vstack(conditions))
    return Recipe(_name(features), tuple(features), "log1p", TAILS, tuple(weights.tolist()))


def _name(features: Sequence[str]) -> str:
    rfm = ("recency", "frequency", "monetary")
    more = [one.replace("_", " ") for one in features if one not in rfm]
    return f"value axis (RFM{''.join(f', {one}' for one in more)})"


def _terms(scaled: Values) -> Values:
    return np.asarray(PolynomialFeatures(2, include_bias=False).fit_transform(scaled), dtype=np.float64)


def _after_waiting(values: Values, features: Sequence[str], days: float) -> Values:
    later, place = values.copy(), {name: index for index, name in enumerate(features)}
    later[:, place["recency"]] += days
    if "mean_gap" in place:  # of a single order it is the wait since then
        later[values[:, place["frequency"]] == 1.0, place["mean_gap"]] += days
    return later


def _after_an_order(values: Values, features: Sequence[str]) -> Values:
    """One more order now, of the customer's own average value and of products bought before."""
    after, place = values.copy(), {name: index for index, name in enumerate(features)}
    after[:, place["monetary"]] += np.maximum(values[:, place["monetary"]] / values[:, place["frequency"]], 0.0)
    after[:, place["frequency"]] += 1.0
    after[:, place["recency"]] = 0.0
    if "mean_gap" in place:
        orders = values[:, place["frequency"]]
        tenure = values[:, place["recency"]] + values[:, place["mean_gap"]] * (orders - 1.0)
        after[:, place["mean_gap"]] = tenure / orders
    return after


def _constrained_ridge(rows: Values, outcomes: Values, start: Values, conditions: Values) -> Values:
    """The weights w of least |rows w - outcomes|² + n (RIDGE |w across start|² + TRACE |w|²) with conditions · w ≥ 0.

    With the Cholesky factor of the normal matrix this is a least-distance problem, solved through its dual as
    non-negative least squares (Lawson and Hanson 1974, chapter 23; Stark and Parker 1995).
    """
    n, t = rows.shape
    along = start / np.linalg.norm(start)
    penalty = RIDGE * (np.eye(t) - np.outer(along, along)) + TRACE * np.eye(t)
    root = np.linalg.cholesky(rows.T @ rows + n * penalty)
    free = np.linalg.solve(root, rows.T @ outcomes)
    dual = np.linalg.solve(root, conditions.T)
    lengths = np.linalg.norm(dual, axis=0)
    asked = lengths > 1e-9 * np.max(lengths)  # of who is clipped before and after, nothing is asked
    if not np.any(asked):
        return np.asarray(np.linalg.solve(root.T, free), dtype=np.float64)
    dual = dual[:, asked] / lengths[asked]
    # not scipy.optimize.nnls, which of many nearly equal columns sometimes takes the wrong ones (SciPy 1.17)
    solved = lsq_linear(dual, -free, bounds=(0.0, np.inf), method="bvls", tol=1e-14, max_iter=10 * dual.shape[1])
    return np.asarray(np.linalg.solve(root.T, free + dual @ solved.x), dtype=np.float64)
