"""Segments made: the chosen recipe fitted to the customers, how stable it is and how sure each place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from models.evidence import Backtest, CalibrationBin, Selection, StabilityRecord
from models.scorer import Scorer
from models.scorer_arrays import Membership, ScorerArrays
from training.algorithms import compare
from training.backtest import Trial
from training.options import Option
from training.recipe import Recipe, arrays_of, fit_recipe
from training.refits import Refits, numbering
from training.selection import Progress, halves_agreement, refit_of, select

Values = NDArray[np.float64]
Labels = NDArray[np.intp]

FIT_SAMPLE = 50_000  # k-means on a uniform sample of this size finds the same centres to within sampling error
REFIT_SAMPLE = 10_000
REFITS = 50
FRESH_REFITS = 20  # that nothing was learned from, to try the memberships on
UNKNOWN = Membership(distance=(0.0,), kept=(1.0,), to_runner_up=1.0)


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A fitted pipeline, the cluster of each of the n customers (n,), and what speaks for it.

    `arrays` have the clusters' indices for segment ids: which segments they are is not known yet. `labels_then` are
    the clusters of the back-test's customers by the same way as it was at the cut-off, numbered as those now.
    """

    option: Option
    k: int
    pipeline: Pipeline
    labels: Labels
    arrays: ScorerArrays
    selection: Selection
    backtest: Backtest | None
    labels_then: Labels | None
    calibration: tuple[CalibrationBin, ...]
    refits: Refits
    halves: float

    @property
    def recipe(self) -> Recipe:
        return self.option.recipe

    def stability(self, segment_ids: Sequence[int]) -> StabilityRecord:
        """How stable the segments are, by their ids."""
        return self.refits.stability(segment_ids, self.halves)


def make_segments(
    options: Sequence[Option], ks: Sequence[int], trial: Trial | None, seed: int, progress: Progress
) -> Segmentation:
    """Choose among the options and fit the chosen one. Raises TooFewCustomers."""
    choice = select(options, ks, trial, seed, progress)
    option, k = choice.option, choice.k
    progress("comparing other algorithms")
    plain = [one for one in options if not one.learned][:1]
    compared = compare([option, *(one for one in plain if one is not option)], k, trial, seed)
    progress("refitting on resamples")
    sample = sampled(option.values, FIT_SAMPLE, seed)
    pipeline = fit_recipe(option.recipe, sample, k, seed)
    labels = pipeline.predict(option.values).astype(np.intp)
    arrays, refits, calibration = _sure(option, pipeline, sample, k, seed)
    labels_then = _then(option, labels, k, trial, seed)
    return Segmentation(
        option=option,
        k=k,
        pipeline=pipeline,
        labels=labels,
        arrays=arrays,
        selection=choice.selection.model_copy(update={"compared": compared}),
        backtest=trial.report(option.name, labels_then) if trial and labels_then is not None else None,
        labels_then=labels_then,
        calibration=calibration,
        refits=refits,
        halves=halves_agreement(option, k, seed),
    )


def sampled(values: Values, most: int, seed: int) -> Values:
    """At most so many rows, drawn evenly and kept in their order."""
    if len(values) <= most:
        return values
    return values[np.sort(np.random.default_rng(seed).choice(len(values), most, replace=False))]


def _sure(
    option: Option, pipeline: Pipeline, fitted_to: Values, k: int, seed: int
) -> tuple[ScorerArrays, Refits, tuple[CalibrationBin, ...]]:
    """The arrays with memberships learned from some refits, and the memberships tried on others."""
    bare = arrays_of(pipeline, option.recipe, tuple(range(k)), UNKNOWN, fitted_to)
    values = sampled(option.values, REFIT_SAMPLE, seed)
    placed = Scorer(bare).place_many(values)
    refit = refit_of(option.recipe, values, k)
    refits = Refits.of(placed.nearest, k, refit, REFITS, seed)
    arrays = bare.model_copy(update={"membership": refits.membership(placed.border, placed.second)})
    fresh = Refits.of(placed.nearest, k, refit, FRESH_REFITS, seed + 1)
    return arrays, refits, fresh.calibration(Scorer(arrays).place_many(values).confidence)


def _then(option: Option, labels: Labels, k: int, trial: Trial | None, seed: int) -> Labels | None:
    """The clusters at the cut-off, numbered as the clusters now that most of the same customers would be in."""
    if trial is None or option.then is None:
        return None
    customers = trial.snapshot.customers.matrix(option.then.features)
    pipeline = fit_recipe(option.then, sampled(customers, FIT_SAMPLE, seed), k, seed)
    placed_now = pipeline.predict(option.values).astype(np.intp)
    number = numbering(labels, placed_now, k)
    return np.asarray(number[pipeline.predict(customers)], dtype=np.intp)
