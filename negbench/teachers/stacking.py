"""A weighted sum of several scores as a probability of relevance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from negbench.types import Bool, Float32, Float64, Int64

PENALTY = 1.0
"""Half of it times the squared weight of each feature, in its standard deviations, is added to the sum of losses."""


def fitted(features: Float64, relevant: Bool, queries: Int64) -> Float64:
    """Return the intercept and the weights [F + 1] for ``features`` [n, F] of pairs that are ``relevant`` [n] or not.

    The weights order: they are those of a conditional logistic regression, in which each relevant pair competes with
    the irrelevant ones of its query, numbered in ``queries`` [n]. A logistic regression on the sum alone then sets its
    scale, which is positive, and the intercept. A small penalty keeps weights finite where the features
    tell all pairs apart.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, softmax

    deviations = features.std(axis=0)
    deviations = np.where(deviations > 0, deviations, 1.0)
    scaled = (features - features.mean(axis=0)) / deviations
    contests = [
        scaled[np.concatenate([[winner], np.flatnonzero((queries == queries[winner]) & ~relevant)])]
        for winner in np.flatnonzero(relevant)
    ]

    def order(weights: Float64) -> tuple[float, Float64]:
        value, slope = PENALTY / 2 * float(weights @ weights), PENALTY * weights
        for contest in contests:
            shares = softmax(contest @ weights)
            value -= float(np.log(shares[0]))
            slope = slope + shares @ contest - contest[0]
        return value, slope

    weights = minimize(order, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B").x
    total, labels = scaled @ weights, relevant.astype(np.float64)

    def level(line: Float64) -> tuple[float, Float64]:
        odds = line[0] + line[1] * total
        wrong = expit(odds) - labels
        value = float((np.logaddexp(0, odds) - labels * odds).sum() + PENALTY / 2 * (line[1] - 1) ** 2)
        return value, np.array([wrong.sum(), wrong @ total + PENALTY * (line[1] - 1)])

    intercept, scale = minimize(
        level, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(None, None), (1e-3, None)]
    ).x
    slopes = scale * weights / deviations
    return np.concatenate([[intercept - slopes @ features.mean(axis=0)], slopes])


def weighted(features: Float64, weights: Float64) -> Float32:
    """Return the probability [n] that ``weights`` [F + 1], intercept first, give to ``features`` [n, F]."""
    from scipy.special import expit

    return np.asarray(expit(weights[0] + features @ weights[1:]), np.float32)


def save(weights: Float64, folder: Path) -> None:
    """Write ``weights.json`` into ``folder``."""
    (folder / "weights.json").write_text(json.dumps(weights.tolist()) + "\n")


def load(folder: Path) -> Float64:
    """Return the weights that ``save`` wrote."""
    return np.array(json.loads((folder / "weights.json").read_text()), np.float64)
