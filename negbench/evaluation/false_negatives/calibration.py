"""From a judge's scores to probabilities, fitted on audited labels and never on those that it is later held against."""

from __future__ import annotations

from typing import Final

import numpy as np

from negbench.rng import CounterRNG
from negbench.types import Bool, Float64, Int32, UInt64

FOLDS: Final = 5
_SLOPE_PRIOR: Final = 1.0
"""Precision of the slope's normal prior around 0, per standard deviation of the score: few labels say little."""


def folds(queries: Int32, query_keys: UInt64 | None = None) -> Int32:
    """Return the fold [N] of each pair's query, in 0 ... FOLDS - 1, by a hash of its row or of its given key."""
    keys = queries.astype(np.uint64) if query_keys is None else query_keys
    return (CounterRNG(0, "calibration").bits(keys) % np.uint64(FOLDS)).astype(np.int32)


def filled(scores: Float64, strata: Int32 | None = None) -> Float64:
    """Return a judge's ``scores`` [N] without NaN: who has none is put at the mean of the scored ones in its stratum.

    That of all scored ones where its stratum has none, or there are no ``strata`` [N]. All NaN stay as they are.
    """
    scored = ~np.isnan(scores)
    if scored.all() or not scored.any():
        return scores
    with_mean: Float64 = np.where(scored, scores, scores[scored].mean())
    if strata is None:
        return with_mean
    n = np.bincount(strata[scored], minlength=int(strata.max()) + 1)
    mean = np.bincount(strata[scored], scores[scored], minlength=len(n)) / np.maximum(n, 1)
    return np.where(scored | (n == 0)[strata], with_mean, mean[strata])


def unscored(scores: Float64, weights: Float64) -> str:
    """Return what a note says of the pairs of positive weight [N] that have no score; nothing where all have one."""
    n = int((np.isnan(scores) & (weights > 0)).sum())
    return f"; {n} pairs without a score, put at the mean" if n else ""


NO_SCORE: Final = "not estimable: the judge gave none of the pairs a score"
"""What a note says where ``filled`` has nothing to fill in."""


def cross_fitted(scores: Float64, labels: Float64, asked: Bool, fold: Int32) -> Float64:
    """Return P(relevant | score) [N] by logistic regression, each fold's from the labels of the other folds.

    ``scores`` [N] are the judge's, ``labels`` [N] are 0 or 1 where ``asked`` [N]. Platt (1999), with a prior on the
    slope in place of his on the targets, so that a handful of labels cannot make a steep curve.
    """
    spread = scores.std()
    standard = (scores - scores.mean()) / spread if spread > 0 else np.zeros_like(scores)
    calibrated = np.empty(len(scores))
    for part in range(FOLDS):
        learn, apply = asked & (fold != part), fold == part
        intercept, slope = _platt(standard[learn], labels[learn])
        calibrated[apply] = 1 / (1 + np.exp(-(intercept + slope * standard[apply])))
    return calibrated


def _platt(scores: Float64, labels: Float64) -> tuple[float, float]:
    """Return intercept and slope by Newton's method; the intercept begins at, and stays near, a smoothed share."""
    share = (labels.sum() + 0.5) / (len(labels) + 1)
    parameters = np.array([np.log(share / (1 - share)), 0.0])
    design = np.stack([np.ones_like(scores), scores], axis=1)
    prior = np.array([1e-2, _SLOPE_PRIOR])
    centre = parameters.copy()
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ parameters))
        slope = design.T @ (labels - p) - prior * (parameters - centre)
        curve = (design * (p * (1 - p))[:, None]).T @ design + np.diag(prior)
        step = np.clip(np.linalg.solve(curve, slope), -2, 2)
        parameters += step
        if np.abs(step).max() < 1e-8:
            break
    return float(parameters[0]), float(parameters[1])
