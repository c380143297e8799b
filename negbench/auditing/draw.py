"""Draw the pairs to label from all pairs of an audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from negbench.auditing.population import Population
from negbench.errors import InputError
from negbench.evaluation.false_negatives import design
from negbench.types import Bool, Float64, Int32

CERTAIN = -1
"""Stratum of pairs that need no label, since the document is a known positive of the query."""


@dataclass(frozen=True, slots=True)
class AuditSample:
    """Sample design: ``strata`` int32 [N], ``CERTAIN`` for known positives, and ``probability`` float64 [N] of
    inclusion.

    The probability of pairs that were not drawn is 0. The heaviest pairs have probability 1 and the last stratum.
    """

    strata: Int32
    probability: Float64


FEWEST = 3
"""Smallest number of labels. If all three are no, the interval still reaches up to 63 %."""

FEWEST_PLANNED = 10
"""Smallest number of labels for ``width``: the predicted variance is unreliable for fewer."""


def labels_needed(population: Population, method: int, half_width: float) -> int:
    """Predict the number of labels for an interval of +- ``half_width`` (a share) of a method's rate."""
    open_ = ~population.labelled & (population.weights[method] > 0)
    if not open_.any():
        return 0
    weights = population.weights[method, open_] / population.weights[method].sum()  # known positives add no width
    deviation = design.spread(_strata(population, open_), _chance(population)[open_])
    return design.labels_needed(weights * deviation, weights[None], deviation, half_width)


def draw(
    population: Population, labels: int | None, width: float | None, seed: int, judge: Float64 | None = None
) -> AuditSample:
    """Draw ``labels`` pairs, or with ``width`` as many as every method needs for an interval of +- that share.

    Raises InputError if all pairs are known positives, or for fewer than ``FEWEST`` labels.
    """
    chances = probabilities(population, labels, width, judge)
    drawn = design.draw(chances.probability, chances.strata, population.keys(), seed)
    return AuditSample(chances.strata, drawn)


def probabilities(
    population: Population, labels: int | None, width: float | None, judge: Float64 | None = None
) -> AuditSample:
    """Return every pair's stratum and inclusion probability, 0 for known positives; arguments as in ``draw``.

    All methods count equally, however many rows they have: a pair's size is the root of the sum of squares of its
    shares of the methods' weights, which minimises the sum of the methods' variances. Relevance is predicted from the
    ``judge`` scores [N], or from ranks without a judge; a pair without a score (NaN) gets the mean.
    """
    open_ = ~population.labelled
    if not open_.any():
        raise InputError(
            "every negative is a known positive of its query: there is nothing to label; audit without --labels"
        )
    if labels is not None and labels < FEWEST:
        raise InputError(f"--labels: {labels} labels are too few; expected at least {FEWEST}")
    strata = _strata(population, open_)
    deviation = design.spread(strata, (_chance(population) if judge is None else design.guessed(judge))[open_])
    weights = (population.weights / population.weights.sum(axis=1, keepdims=True))[:, open_]
    size = np.sqrt((weights**2).sum(axis=0)) * deviation
    if width is not None:
        labels = max(FEWEST_PLANNED, design.labels_needed(size, weights, deviation, width))
    assert labels is not None
    chosen = design.probabilities(size, labels)
    all_strata: Int32 = np.full(len(population), CERTAIN, np.int32)
    probability = np.zeros(len(population))
    all_strata[open_] = np.where(chosen < 1, strata, strata.max() + 1)
    probability[open_] = chosen
    return AuditSample(all_strata, probability)


def _first(population: Population) -> Int32:
    """Return for each pair [N] the first method that drew it, which decides its stratum."""
    first: Int32 = (population.weights > 0).argmax(axis=0).astype(np.int32)
    return first


def _strata(population: Population, among: Bool) -> Int32:
    first = _first(population)
    return design.strata(first[among], population.ranks[first, np.arange(len(population))][among])


def _chance(population: Population) -> Float64:
    """Predict each pair's probability of relevance [N]: 30 % at the first rank, halved at every fourfold rank.

    10 % if the rank is unknown. The prediction only affects the allocation of labels, never the estimate's validity.
    """
    ranks = population.ranks[_first(population), np.arange(len(population))].astype(np.float64)
    return np.where(ranks < 0, 0.1, 0.3 / np.sqrt(np.maximum(ranks, 0) + 1))
