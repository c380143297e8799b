"""Which mined negatives to have judged: a sample drawn by what each counts, the heaviest with certainty.

A pair's probability to be drawn is in proportion to its weight in the rate times the standard deviation that its
label is guessed to have in its stratum, sampler x rank bin: the allocation of least variance (Neyman 1934; for unequal
probabilities Saerndal, Swensson and Wretman 1992, Model Assisted Survey Sampling, 12.2). Weights are very unequal where
miners write a row for each labelled pair: drawn by weight, nearly every label counts the same, so that a handful of
heavy pairs can't decide the rate, and those too heavy for that are all asked about. The probabilities are known, which
makes an estimate from the labels unbiased, whatever judge or guess helped to choose them.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np

from negbench.evaluation.false_negatives.calibration import filled
from negbench.rng import CounterRNG
from negbench.types import Bool, Float64, Int32, UInt64

BINS: Final = (0, 4, 16, 64, 256)
"""Zero-based ranks at which a bin begins; a filled negative, of rank -1, is in a bin of its own."""


def strata(samplers: Int32, ranks: Int32) -> Int32:
    """Number the strata of N pairs, from 0: the sampler [N] that drew a pair and the bin of its rank [N]."""
    bins = np.searchsorted(BINS, ranks, side="right")
    cells = samplers.astype(np.int64) * (len(BINS) + 1) + bins
    numbers: Int32 = np.unique(cells, return_inverse=True)[1].astype(np.int32)
    return numbers


def spread(strata: Int32, chance: Float64) -> Float64:
    """Return the standard deviation [N] of a pair's label by the mean ``chance`` [N] to be relevant in its stratum.

    The chances are guesses: a wrong one costs precision, never validity. They are cut at 1 and 99 %.
    """
    mean = np.bincount(strata, np.clip(chance, 0.01, 0.99)) / np.maximum(np.bincount(strata), 1)
    deviation: Float64 = np.sqrt(mean * (1 - mean))[strata]
    return deviation


def probabilities(size: Float64, labels: int) -> Float64:
    """Return each pair's probability [N] to be drawn, in proportion to its ``size`` [N] > 0; they add up to ``labels``.

    Pairs that would get 1 or more are certain, and the others share what is left. All are 1 where ``labels`` >= N.
    """
    certain: Bool = np.full(len(size), labels >= len(size))
    while not certain.all():
        share = (labels - certain.sum()) * size / size[~certain].sum()
        more = ~certain & (share >= 1)
        if not more.any():
            return np.where(certain, 1.0, share)
        certain |= more
    return np.ones(len(size))


def guessed(judge: Float64) -> Float64:
    """Guess each pair's chance [N] to be relevant from a judge's scores, of which only the order is believed.

    5 % at the mean score, and where there is none (NaN); 18 % a standard deviation above it: so that labels go where
    the judge sees something.
    """
    scores = filled(judge)
    spread = scores.std()
    standard = (scores - scores.mean()) / spread if spread > 0 else np.zeros_like(scores)
    return 1 / (1 + np.exp(3 - 1.5 * standard))


def draw(probability: Float64, strata: Int32, keys: UInt64, seed: int) -> Float64:
    """Draw pairs with these probabilities [N]; return the probability of those that were drawn, 0 for others.

    Systematic sampling of a list that is sorted by stratum and shuffled within (Madow 1949; Hartley and Rao 1962,
    Annals of Mathematical Statistics 33, 350-374): the number drawn is fixed, over all and, to less than one, in each
    stratum. ``keys`` [N] are stable hashes of the pairs: who is drawn does not depend on their order.
    """
    open_ = np.flatnonzero(probability < 1)
    luck = CounterRNG(seed, "audit").bits(keys[open_])
    order = open_[np.lexsort((luck, strata[open_]))]
    ends = np.floor(np.cumsum(probability[order]) + float(CounterRNG(seed, "audit start").uniform(0)) + 1e-9)
    inclusion = np.where(probability < 1, 0.0, 1.0)
    drawn = order[np.diff(ends, prepend=0.0) > 0]
    inclusion[drawn] = probability[drawn]
    return inclusion


def labels_needed(size: Float64, weights: Float64, deviation: Float64, half_width: float) -> int:
    """Return how many labels give each of M rates an interval of about +- ``half_width`` (a share); N where none do.

    ``weights`` [M, N] is what a pair counts in each rate, ``deviation`` [N] the guessed standard deviation of its
    label. The variance is that which these lead one to expect, sum of (1 / probability - 1) x (weight x deviation)^2
    (Saerndal et al. 1992, 12.2): for the very pairs at hand and without a judge's help; a good judge needs fewer.
    """
    wanted = (half_width / NormalDist().inv_cdf(0.975)) ** 2
    square = (weights * deviation) ** 2
    low, high = 1, len(size)
    while low < high:
        middle = (low + high) // 2
        enough = float((square @ (1 / probabilities(size, middle) - 1)).max()) <= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def effective(weights: Float64) -> float:
    """Return how many units of equal weight are worth these ``weights`` [n]: (sum w)^2 / sum w^2; 0 for none.

    Kish 1965, Survey Sampling, 11.7: the variance of a mean grows as if there were so few.
    """
    square = float(weights @ weights)
    return float(weights.sum()) ** 2 / square if square > 0 else 0.0
