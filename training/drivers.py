"""Which features matter: shuffle one among customers, and see how much is lost (permutation importance)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from models.driver import Driver, PurchaseDrivers, Ranking
from models.scorer import Scorer
from training.errors import TooFewCustomers

Values = NDArray[np.float64]
Predict = Callable[[Values], Values]
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]  # the customers to fit on, and those to judge

MOST_CUSTOMERS = 10_000
SHUFFLES = 5
FOLDS = 5
FEWEST_OF_EACH = 20  # customers who bought again, and who did not, for each of FOLDS to hold some
TOGETHER = 0.7  # rank correlation, either way, from which two features share what importance they have
# Small trees, slowly: on 3,364 real customers AUC 0.75 and R² 0.28, where the library's defaults reach 0.73 and 0.22.
BOOSTING = {
    "max_iter": 100,
    "learning_rate": 0.05,
    "max_leaf_nodes": 7,
    "min_samples_leaf": 20,
    "early_stopping": False,
    "random_state": 0,
}

SHARED = (
    f" Features that move together (rank correlation of {TOGETHER:g} or more, either way) share importance: while one "
    "is shuffled the other still tells much of the same, so each looks less important than the two are together."
)
SEGMENTATION_METHOD = (
    "Permutation importance (Breiman 2001). One feature's values at a time are shuffled among the customers, the "
    f"others left, and the model places everyone again. The importance is the mean over {SHUFFLES} shuffles." + SHARED
)
PURCHASE_METHOD = (
    "Permutation importance (Breiman 2001). Features are as of a cut-off, the outcome is of the time after it. A "
    f"gradient-boosted model is fitted on four fifths of the customers and judged on the rest, for each of {FOLDS} "
    f"fifths; there one feature's values at a time are shuffled, {SHUFFLES} times. The importance is the mean of what "
    f"is lost over all {FOLDS * SHUFFLES} shuffles. It says what the prediction leans on, not what would cause more "
    "purchases." + SHARED
)


def segmentation_drivers(scorer: Scorer, features: Mapping[str, Values], seed: int) -> Ranking:
    """The scorer's features by the share of customers whose segment changes when the feature is shuffled.

    `features` has an array of shape (n,) for each of the scorer's features, others are not looked at; where n is
    above MOST_CUSTOMERS, a uniform sample is used.
    """
    values = np.column_stack([np.asarray(features[name], dtype=np.float64) for name in scorer.features])
    random = np.random.default_rng(seed)
    values = values[_sample(len(values), random)]
    placed = scorer.place_many(values).nearest

    changes = [
        [float(np.mean(scorer.place_many(points).nearest != placed)) for points in _shuffled(values, feature, random)]
        for feature in range(len(scorer.features))
    ]
    return Ranking(
        drives="which segment a customer is in",
        measure="share of customers whose segment changes when the feature is shuffled among them",
        quality=None,
        customers=len(values),
        method=SEGMENTATION_METHOD,
        drivers=_ranked(scorer.features, changes, values),
    )


def purchase_drivers(
    features: Mapping[str, Values], bought: NDArray[np.bool_], revenue: Values, seed: int
) -> PurchaseDrivers:
    """The features by what a boosted model that predicts later purchases loses when the feature is shuffled.

    `features` has an array of shape (n,) for each feature at a cut-off (NaN where a customer lacks it); `bought` and
    `revenue`, shape (n,), tell of the days after it whether the customer bought and for how much (0 or more, in the
    data's currency; its log1p is predicted). Run it under `threadpool_limits(1)`: threads add up in another order.
    Raises ValueError where shapes differ or a revenue is below 0, TooFewCustomers where hardly anybody, or nearly
    everybody, bought again.
    """
    values = np.column_stack([np.asarray(one, dtype=np.float64) for one in features.values()])
    if bought.shape != (len(values),) or revenue.shape != bought.shape or not np.all(revenue >= 0):
        raise ValueError(
            f"later purchases of {len(values)} customers need `bought` and `revenue` for each, no revenue below 0; "
            f"got {len(bought)} and {len(revenue)}"
        )
    random = np.random.default_rng(seed)
    chosen = _sample(len(values), random)
    values, again, spent = values[chosen], bought[chosen].astype(np.bool_), np.log1p(revenue[chosen])
    rarer = min(int(np.count_nonzero(again)), int(np.count_nonzero(~again)))
    if rarer < FEWEST_OF_EACH:
        raise TooFewCustomers(
            f"{int(np.count_nonzero(again))} of {len(again)} customers bought again after the cut-off; to find what "
            f"drives that, at least {FEWEST_OF_EACH} who did and {FEWEST_OF_EACH} who did not are needed: move the "
            "cut-off, or give more customers"
        )
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(values, again))
    names = tuple(features)
    return PurchaseDrivers(
        bought=_ranking(BOUGHT, names, values, again.astype(np.float64), folds, random),
        revenue=_ranking(REVENUE, names, values, spent, folds, random),
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What is predicted: how a model of it is fitted to features and outcomes, and how its predictions are judged."""

    drives: str
    measure: str
    fit: Callable[[Values, Values], Predict]
    judge: Callable[[Values, Values], float]


def _classifier(values: Values, outcome: Values) -> Predict:
    model = HistGradientBoostingClassifier(**BOOSTING).fit(values, outcome)
    return lambda points: np.asarray(model.predict_proba(points)[:, 1], dtype=np.float64)


def _regressor(values: Values, outcome: Values) -> Predict:
    model = HistGradientBoostingRegressor(**BOOSTING).fit(values, outcome)
    return lambda points: np.asarray(model.predict(points), dtype=np.float64)


BOUGHT = _Outcome(
    "whether a customer buys again after the cut-off",
    "AUC lost when the feature is shuffled (0.5 is a guess, 1 foretells everybody)",
    _classifier,
    roc_auc_score,
)
REVENUE = _Outcome(
    "how much a customer spends after the cut-off",
    "R² of log(1 + revenue) lost when the feature is shuffled (0 is a guess, 1 foretells everybody)",
    _regressor,
    r2_score,
)


def _ranking(
    outcome: _Outcome, names: Sequence[str], values: Values, told: Values, folds: Sequence[Fold],
    random: np.random.Generator,
) -> Ranking:  # fmt: skip
    """Cross-fitted over the folds: every customer is judged by a model fitted without them."""
    qualities: list[float] = []
    losses: list[list[float]] = [[] for _ in names]
    for rest, held_out in folds:
        predict, truth = outcome.fit(values[rest], told[rest]), told[held_out]
        whole = float(outcome.judge(truth, predict(values[held_out])))
        qualities.append(whole)
        for feature, lost in enumerate(losses):
            points = np.concatenate(list(_shuffled(values[held_out], feature, random)))  # one call is far quicker
            lost.extend(whole - float(outcome.judge(truth, one)) for one in predict(points).reshape(SHUFFLES, -1))
    return Ranking(
        drives=outcome.drives,
        measure=outcome.measure,
        quality=round(float(np.mean(qualities)), 4),
        customers=len(values),
        method=PURCHASE_METHOD,
        drivers=_ranked(names, losses, values),
    )


def _shuffled(values: Values, feature: int, random: np.random.Generator) -> Iterator[Values]:
    """SHUFFLES copies of the values, shape (m, d), in which one feature went round at random."""
    for _ in range(SHUFFLES):
        points = values.copy()
        points[:, feature] = random.permutation(values[:, feature])
        yield points


def _ranked(names: Sequence[str], found: Sequence[Sequence[float]], values: Values) -> tuple[Driver, ...]:
    """One Driver per feature from what each shuffle of it cost, the dearest first."""
    together = np.abs(_rank_correlations(values)) >= TOGETHER
    drivers = [
        Driver(
            feature=name,
            importance=round(float(np.mean(found[index])), 4) + 0.0,  # never -0.0
            deviation=round(float(np.std(found[index], ddof=1)), 4),
            moves_with=tuple(other for at, other in enumerate(names) if at != index and together[index, at]),
        )
        for index, name in enumerate(names)
    ]
    return tuple(sorted(drivers, key=lambda driver: (-driver.importance, driver.feature)))


def _rank_correlations(values: Values) -> Values:
    """Spearman's (1904), shape (d, d), over the customers who have both; 0 where a feature is the same for all."""
    ranks = rankdata(values, axis=0, nan_policy="omit")
    told = np.maximum(np.count_nonzero(~np.isnan(ranks), axis=0), 1)
    centred = np.nan_to_num(ranks - np.nansum(ranks, axis=0) / told)
    length = np.sqrt(np.square(centred).sum(axis=0))
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return np.asarray(unit.T @ unit, dtype=np.float64)


def _sample(n: int, random: np.random.Generator) -> NDArray[np.intp]:
    if n <= MOST_CUSTOMERS:
        return np.arange(n)
    return np.sort(random.choice(n, MOST_CUSTOMERS, replace=False))
