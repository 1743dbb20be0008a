"""Which way of making segments, and how many: candidates are measured, and one is chosen by a written rule."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import davies_bouldin_score, silhouette_score
from sklearn.pipeline import Pipeline

from models.evidence import LEAST_EXPLAINED, Candidate, Selection
from training.backtest import Foretold, Trial
from training.errors import TooFewCustomers
from training.options import Option
from training.recipe import Recipe, cluster, fit_recipe, prepared
from training.refits import matched, mean_ari

Values = NDArray[np.float64]
Labels = NDArray[np.intp]
Progress = Callable[[str], None]

STABLE = 0.90
SMALLEST_SHARE = 0.03
MOST_SEGMENTS = 8
DEFAULT = 6  # segments along the value axis: the fewest that told about 90 % and more of what boosted trees do
ERRORS = 3.0  # standard errors by which a difference counts: about the 5 % level, where forty candidates are asked
REFITS = 20
SPLITS = 3
SAMPLE = 10_000  # customers that candidates are compared on
SILHOUETTE_SAMPLE = 2_000
REFIT_STARTS = 3
SOUND = (
    f"A candidate is sound with a mean adjusted Rand index of at least {STABLE:g} over {REFITS} bootstrap refits, no "
    f"segment under {SMALLEST_SHARE:.0%} of customers, and at most {MOST_SEGMENTS} segments: more are not acted on."
)
BY_BACKTEST = (
    f"There is an incumbent: the way of the model before or, where none was, {DEFAULT} segments along the value axis. "
    f"It is kept while it is sound and no sound candidate has a back-test R² of log revenue higher by over {ERRORS:g} "
    "standard errors of the difference, customer by customer: what is chosen anew with every fit is not stable. "
    "Otherwise the sound candidate with the fewest segments is taken that is within as much of the highest R²."
)
BY_CLARITY = (
    "There is no back-test to choose by: of the first way in the table that has sound candidates and learns no axis, "
    "the one with the highest silhouette is taken (silhouettes of different ways do not compare); the way of the model "
    "before is kept while it is sound."
)
NONE_SOUND = "Where none is sound, the most stable of those with no segment too small is taken."


@dataclass(frozen=True, slots=True)
class Choice:
    """The option and the number of segments that were chosen, and how."""

    option: Option
    k: int
    selection: Selection


@dataclass(frozen=True, slots=True)
class _Measured:
    option: Option
    candidate: Candidate
    foretold: Foretold | None


def select(options: Sequence[Option], ks: Sequence[int], trial: Trial | None, seed: int, progress: Progress) -> Choice:
    """Measure every option with every number of segments and choose by the rule.

    Raises TooFewCustomers where no option can make as many different segments.
    """
    measured: list[_Measured] = []
    for option in options:
        progress(f"trying {option.name}")
        measured += _measure_all(option, [k for k in ks if option.k in (None, k)], trial, seed)
    if not measured:
        raise TooFewCustomers(_too_much_alike(options, min(ks), seed))
    return _choose(measured, trial)


def _too_much_alike(options: Sequence[Option], fewest: int, seed: int) -> str:
    samples = [(option.recipe, _sample(option.values, seed)) for option in options]
    different = max(_different(prepared(recipe, values).transform(values)) for recipe, values in samples)
    advice = (
        f"ask for fewer with --segments 2-{different - 1}"
        if different > 2
        else "let more columns decide with --features, or train on purchases that differ more"
    )
    return (
        f"{len(options[0].values)} customers have too few different feature values to make {fewest} segments: they "
        f"differ in {different} ways only; {advice}"
    )


def _different(points: Values) -> int:
    return len(np.unique(points, axis=0))


def _measure_all(option: Option, ks: Sequence[int], trial: Trial | None, seed: int) -> list[_Measured]:
    values = _sample(option.values, seed)
    points = prepared(option.recipe, values).transform(values)
    distinct = _different(points)
    then = None
    if trial is not None and option.then is not None:
        customers = trial.snapshot.customers.matrix(option.then.features)
        then = (prepared(option.then, _sample(customers, seed)), customers)
    return [_measure(option, k, values, points, then, trial, seed) for k in ks if k < distinct]


def _measure(
    option: Option, k: int, values: Values, points: Values, then: tuple[Pipeline, Values] | None,
    trial: Trial | None, seed: int,
) -> _Measured:  # fmt: skip
    labels = cluster(option.recipe, points, k, seed).labels_.astype(np.intp)
    counts = np.bincount(labels, minlength=k)
    sample = min(len(points), SILHOUETTE_SAMPLE)
    labels_then, foretold = None, None
    if then is not None and trial is not None:
        steps, customers = then
        fitted = cluster(option.recipe, steps.transform(_sample(customers, seed)), k, seed)
        labels_then = fitted.predict(steps.transform(customers)).astype(np.intp)
        foretold = trial.by_segments(labels_then)
    several = len(np.unique(labels)) > 1
    candidate = Candidate(
        name=option.name,
        features=option.recipe.features,
        transform=option.recipe.transform,
        algorithm="k-means",
        k=k,
        auc=round(trial.auc(foretold), 4) if trial and foretold else None,
        r_squared=round(trial.r_squared(foretold), 4) if trial and foretold else None,
        kendall=trial.kendall(labels_then) if trial and labels_then is not None else None,
        stability=round(mean_ari(labels, refit_of(option.recipe, values, k), REFITS, seed), 4),
        silhouette=round(float(silhouette_score(points, labels, sample_size=sample, random_state=seed)), 4)
        if several
        else 0.0,
        davies_bouldin=round(float(davies_bouldin_score(points, labels)), 4) if several else 0.0,
        smallest_share=round(int(np.min(counts)) / len(labels), 4),
        excluded=None,
    )
    return _Measured(option, candidate, foretold)


def refit_of(recipe: Recipe, values: Values, k: int) -> Callable[[NDArray[np.int64], int], Labels]:
    """Refits of scaler and k-means to some rows of the values, each placing all of them."""

    def refit(rows: NDArray[np.int64], seed: int) -> Labels:
        return np.asarray(fit_recipe(recipe, values[rows], k, seed, REFIT_STARTS).predict(values), dtype=np.intp)

    return refit


def halves_agreement(option: Option, k: int, seed: int) -> float:
    """The share of customers placed alike by two fits on two halves of them, axis and all; the mean of some splits."""
    found = []
    for split in range(SPLITS):
        first, second = (_placed_by_half(option, k, seed, split, half) for half in (False, True))
        found.append(float(np.mean(matched(first, second, k) == first)))
    return round(float(np.mean(found)), 4)


def _placed_by_half(option: Option, k: int, seed: int, split: int, half: bool) -> Labels:
    recipe = option.recipe
    if option.lessons:
        recipe = option.relearned(lambda ids: _half(ids, seed, split) == half, seed)
    values = option.values[_half(option.ids, seed, split) == half]
    return np.asarray(fit_recipe(recipe, values, k, seed).predict(option.values), dtype=np.intp)


def _half(ids: Sequence[str], seed: int, split: int) -> NDArray[np.bool_]:
    """One half of the customers, the same at every cut-off."""
    # not a CRC: it is linear, and every salt would make the same halves
    salt = f"{seed} {split} "
    return np.array([hashlib.sha256((salt + one).encode()).digest()[0] & 1 for one in ids], dtype=np.bool_)


def _sample(values: Values, seed: int) -> Values:
    if len(values) <= SAMPLE:
        return values
    return values[np.sort(np.random.default_rng(seed).choice(len(values), SAMPLE, replace=False))]


def _choose(measured: Sequence[_Measured], trial: Trial | None) -> Choice:
    """By the rule. Where the best candidate foretells nothing beyond chance, there is nothing to choose by."""
    tested = [one for one in measured if one.foretold is not None]
    best_known = max(tested, key=_told, default=None)
    provable = trial is not None and best_known is not None and _beyond_chance(best_known, trial)
    flaws = [_flaw(one.candidate, provable, one.option.learned) for one in measured]
    sound = [one for one, flaw in zip(measured, flaws, strict=True) if flaw is None]
    asked = [one for one in measured if one.option.asked]
    if asked:
        chosen = max(asked, key=lambda one: one.candidate.silhouette)
        why = "were asked for"
    elif not sound:
        chosen = max(measured, key=lambda one: _least_unsound(one, provable))
        why = "are the most stable, though none is sound"
    elif provable and trial is not None:
        chosen, why = _most_telling(sound, trial)
    else:
        kept = [one for one in sound if one.option.k is not None]
        first = [one for one in sound if one.option is sound[0].option]
        chosen = kept[0] if kept else max(first, key=lambda one: one.candidate.silhouette)
        why = "are as the model before made them" if kept else "are the clearest of the sound ones"
    candidates = tuple(
        one.candidate.model_copy(update={"excluded": flaw}) for one, flaw in zip(measured, flaws, strict=True)
    )
    selection = Selection(
        rule=" ".join((SOUND, BY_BACKTEST if provable else BY_CLARITY, NONE_SOUND)),
        reason=_reason(chosen.candidate, why),
        chosen=list(measured).index(chosen),
        candidates=candidates,
        compared=(),
    )
    return Choice(chosen.option, chosen.candidate.k, selection)


def _least_unsound(one: _Measured, provable: bool) -> tuple[bool, bool, float]:
    """What was learned and cannot be shown to hold comes last, then what has a segment too small."""
    found = one.candidate
    return provable or not one.option.learned, found.smallest_share >= SMALLEST_SHARE, found.stability


def _most_telling(sound: Sequence[_Measured], trial: Trial) -> tuple[_Measured, str]:
    best = max(sound, key=_told)
    near = [one for one in sound if one is best or not _tells_more(best, one, trial)]
    incumbent = _incumbent(near)
    if incumbent is not None:
        chosen = incumbent
        before = "are made as by the model before" if incumbent.option.k is not None else "are the usual"
        why = f"{before}, and no others tell significantly more"
    else:
        fewest = min(one.candidate.k for one in near)
        chosen = max((one for one in near if one.candidate.k == fewest), key=_told)
        why = "are the fewest of those that tell about the most"
    return chosen, why + _of_limit(_told(chosen), trial.r_squared(trial.by_boosting()))


def _of_limit(r_squared: float, limit: float) -> str:
    """The share of the R² of boosted trees; left out where either is not positive, or theirs next to nothing."""
    if r_squared <= 0 or limit < LEAST_EXPLAINED:
        return ""
    return f", {r_squared / limit:.0%} of the R² of boosted trees ({limit:.3f})"


def _incumbent(among: Sequence[_Measured]) -> _Measured | None:
    """The way of the model before or, where no model was before, the usual number of segments along the value axis."""
    before = [one for one in among if one.option.k is not None]
    usual = [one for one in among if one.option.usual and one.candidate.k == DEFAULT]
    return next(iter(before or usual), None)


def _tells_more(best: _Measured, one: _Measured, trial: Trial) -> bool:
    if best.foretold is None or one.foretold is None:
        return one.foretold is None
    more, error = trial.difference(best.foretold, one.foretold)
    return more > ERRORS * error


def _told(one: _Measured) -> float:
    return -1.0 if one.candidate.r_squared is None else one.candidate.r_squared


def _beyond_chance(one: _Measured, trial: Trial) -> bool:
    if one.foretold is None:
        return False
    score = trial.score(one.candidate.name, one.foretold)
    return score.auc.low > 0.5 and score.r_squared.low > 0.0


def _flaw(one: Candidate, provable: bool, learned: bool) -> str | None:
    if learned and not provable:
        return "what it learned could not be shown to hold"
    if one.k > MOST_SEGMENTS:
        return f"more than {MOST_SEGMENTS} segments"
    if one.smallest_share < SMALLEST_SHARE:
        return f"smallest share {one.smallest_share:.1%} is under {SMALLEST_SHARE:.0%}"
    if one.stability < STABLE:
        return f"stability {one.stability:.3f} is under {STABLE:g}"
    return None


def _reason(one: Candidate, why: str) -> str:
    told = "" if one.r_squared is None else f", R² of later log revenue {one.r_squared:.3f}, AUC {one.auc:.3f}"
    return (
        f"{one.k} segments by {one.name} {why}: stability {one.stability:.2f}{told}, silhouette {one.silhouette:.2f}, "
        f"smallest share {one.smallest_share:.1%}."
    )
