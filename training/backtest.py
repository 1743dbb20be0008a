"""The back-test: what segments made at a cut-off tell of the days after it, judged on other customers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score

from models.evidence import Backtest, Estimate, Score
from training.history import Snapshot

Values = NDArray[np.float64]
Labels = NDArray[np.intp]

FOLDS = 5
RESAMPLES = 200
MOST_BOOSTED = 20_000  # customers the boosted trees learn from
TREES = {"learning_rate": 0.05, "max_iter": 100, "max_leaf_nodes": 8, "min_samples_leaf": 20, "early_stopping": False}


@dataclass(frozen=True, slots=True)
class Foretold:
    """What is foretold of n customers by others: the chance to buy again and the log revenue, shape (n,) each."""

    bought: Values
    log_revenue: Values


class Trial:
    """One cut-off, with the folds of its customers: everything judged by it is judged alike.

    Raises ValueError where all or none of the customers bought again: then there is nothing to foretell.
    """

    def __init__(self, snapshot: Snapshot, horizon: int, seed: int) -> None:
        if not 0 < int(np.count_nonzero(snapshot.bought)) < len(snapshot.bought):
            raise ValueError("all customers or none bought again, so there is nothing to foretell")
        self.snapshot = snapshot
        self.horizon = horizon
        self._seed = seed
        n = len(snapshot.revenue)
        random = np.random.default_rng(seed)
        self._fold = random.permutation(n) % FOLDS
        self._resamples = random.integers(0, n, (RESAMPLES, n))

    def by_segments(self, labels: Labels) -> Foretold:
        """Each customer is foretold the mean of those customers of the same segment who are in other folds."""
        return Foretold(
            self._means(labels, self.snapshot.bought.astype(np.float64)), self._means(labels, self.snapshot.log_revenue)
        )

    def by_boosting(self) -> Foretold:
        """Gradient boosted trees on every feature there is, learned in other folds (Friedman 2001)."""
        features = np.column_stack(list(self.snapshot.customers.features.values()))
        bought, log_revenue = (np.empty(len(features)) for _ in range(2))
        for fold in range(FOLDS):
            inside = self._fold == fold
            learn = np.flatnonzero(~inside)[:MOST_BOOSTED]
            chance = HistGradientBoostingClassifier(random_state=self._seed, **TREES)
            amount = HistGradientBoostingRegressor(random_state=self._seed, **TREES)
            chance.fit(features[learn], self.snapshot.bought[learn])
            amount.fit(features[learn], self.snapshot.log_revenue[learn])
            bought[inside] = chance.predict_proba(features[inside])[:, 1]
            log_revenue[inside] = amount.predict(features[inside])
        return Foretold(bought, log_revenue)

    def auc(self, foretold: Foretold) -> float:
        """Area under the ROC curve of buying again."""
        return float(roc_auc_score(self.snapshot.bought, foretold.bought))

    def r_squared(self, foretold: Foretold) -> float:
        """The share of the variance of log revenue that was foretold; below zero where a constant does better."""
        return _r_squared(self.snapshot.log_revenue, foretold.log_revenue)

    def kendall(self, labels: Labels) -> float | None:
        """Kendall's tau-b of the segments' order by revenue per customer before the cut-off with that after it."""
        before, after = (
            [float(values[labels == one].mean()) for one in np.unique(labels)]
            for values in (self.snapshot.customers.features["monetary"], self.snapshot.revenue)
        )
        tau = float(kendalltau(before, after).statistic)
        return round(tau, 4) if np.isfinite(tau) else None

    def score(self, method: str, foretold: Foretold, labels: Labels | None = None) -> Score:
        """The figures with their intervals."""
        return Score(
            method=method,
            segments=None if labels is None else len(np.unique(labels)),
            auc=self._estimate(lambda rows: _auc(self.snapshot.bought[rows], foretold.bought[rows])),
            r_squared=self._estimate(
                lambda rows: _r_squared(self.snapshot.log_revenue[rows], foretold.log_revenue[rows])
            ),
            kendall=None if labels is None else self.kendall(labels),
        )

    def difference(self, one: Foretold, other: Foretold) -> tuple[float, float]:
        """By how much R² of one is above the other's, and the standard error of that, over the same resamples."""
        actual = self.snapshot.log_revenue
        found = [
            _r_squared(actual[rows], one.log_revenue[rows]) - _r_squared(actual[rows], other.log_revenue[rows])
            for rows in self._resamples
        ]
        return self.r_squared(one) - self.r_squared(other), float(np.std(found, ddof=1))

    def report(self, method: str, labels: Labels) -> Backtest:
        """The chosen segments beside the quintile groups and the limit, and whether they tell more than chance."""
        model = self.score(method, self.by_segments(labels), labels)
        quintiles = rfm_quintiles(self.snapshot.customers.features)
        beyond = model.auc.low > 0.5 and model.r_squared.low > 0.0
        return Backtest(
            cut_off=self.snapshot.at,
            horizon=self.horizon,
            customers=len(labels),
            bought_share=round(float(self.snapshot.bought.mean()), 4),
            model=model,
            baseline=self.score("RFM quintiles, 11 groups", self.by_segments(quintiles), quintiles),
            limit=self.score("boosted trees on all features", self.by_boosting()),
            beyond_chance=beyond,
            says=_words(self.snapshot, self.horizon, model, beyond),
        )

    def _means(self, labels: Labels, outcome: Values) -> Values:
        k = int(np.max(labels)) + 1
        foretold = np.empty(len(labels))
        for fold in range(FOLDS):
            inside = self._fold == fold
            known, values = labels[~inside], outcome[~inside]
            counts = np.bincount(known, minlength=k)
            sums = np.bincount(known, values, minlength=k)
            means = np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())
            foretold[inside] = means[labels[inside]]
        return foretold

    def _estimate(self, measure: Callable[[NDArray[np.int64]], float]) -> Estimate:
        found = [measure(rows) for rows in self._resamples]
        low, high = np.nanquantile(found, (0.025, 0.975))
        everyone = np.arange(len(self._fold))
        return Estimate(value=round(measure(everyone), 4), low=round(float(low), 4), high=round(float(high), 4))


# The groups of RFM marketing by quintiles of recency (5 is latest) and of frequency and monetary taken together, as
# common tools ship them: the first row that fits. (R from, R to, FM from, FM to)
QUINTILE_GROUPS: Mapping[str, tuple[int, int, int, int]] = {
    "Champions": (5, 5, 4, 5),
    "Loyal": (3, 4, 4, 5),
    "Potential loyalist": (4, 5, 3, 3),
    "New": (5, 5, 1, 1),
    "Promising": (4, 5, 1, 2),
    "Needs attention": (3, 3, 3, 3),
    "About to sleep": (3, 3, 1, 2),
    "Can't lose them": (1, 1, 5, 5),
    "At risk": (1, 2, 3, 5),
    "Hibernating": (2, 2, 1, 2),
    "Lost": (1, 1, 1, 2),
}


def rfm_quintiles(features: Mapping[str, Values]) -> Labels:
    """The QUINTILE_GROUPS of n customers, as indices."""
    recent = _quintile(-features["recency"])
    both = _quintile(rankdata(features["frequency"]) + rankdata(features["monetary"]))
    group = np.full(len(recent), -1, dtype=np.intp)
    for index, (r_from, r_to, from_, to) in enumerate(QUINTILE_GROUPS.values()):
        fits = (recent >= r_from) & (recent <= r_to) & (both >= from_) & (both <= to) & (group < 0)
        group[fits] = index
    return np.unique(group, return_inverse=True)[1].astype(np.intp)


def _quintile(values: Values) -> NDArray[np.int64]:
    return np.ceil(5 * rankdata(values) / len(values)).astype(np.int64)


def _auc(bought: NDArray[np.bool_], chance: Values) -> float:
    """By ranks (Mann and Whitney 1947), which is quick enough for hundreds of resamples."""
    n, positive = len(bought), int(np.count_nonzero(bought))
    if positive in (0, n):
        return float("nan")
    above = float(rankdata(chance)[bought].sum()) - positive * (positive + 1) / 2
    return above / (positive * (n - positive))


def _r_squared(actual: Values, foretold: Values) -> float:
    spread = float(np.square(actual - actual.mean()).sum())
    return 1.0 - float(np.square(actual - foretold).sum()) / spread if spread else float("nan")


def _words(snapshot: Snapshot, horizon: int, model: Score, beyond: bool) -> str:
    share = f"{float(snapshot.bought.mean()):.0%} of {len(snapshot.revenue):,} customers"
    told, low, high = (_per_cent(one) for one in (model.r_squared.value, model.r_squared.low, model.r_squared.high))
    found = (
        f"In the {horizon} days after {snapshot.at:%Y-%m-%d} {share} bought again. The segments tell who did with an "
        f"AUC of {model.auc.value:.2f} ({model.auc.low:.2f} to {model.auc.high:.2f}; 0.50 is chance) and explain "
        f"{told} ({low} to {high}) of the log revenue"
    )
    return f"{found}." if beyond else f"{found}: they predict nothing beyond chance."


def _per_cent(share: float) -> str:
    return f"{round(share, 2) + 0.0:.0%}"  # + 0.0: no sign before a zero
