"""Which mined negatives to have judged: strata, labels a stratum, and the draw.

The strata are sampler x rank bin, the number of labels in each follows Neyman (1934): most where much weight meets
uncertainty. Within a stratum pairs are drawn at random without replacement, so every pair's chance to be drawn is
known: that is what makes an estimate from the labels unbiased, whatever judge or guess helped to allocate them.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np

from negbench.errors import InputError
from negbench.evaluation.false_negatives.calibration import filled
from negbench.noise import Noise
from negbench.types import Float64, Int32, Int64, UInt64

BINS: Final = (0, 4, 16, 64, 256)
"""Zero-based ranks at which a bin begins; a filled negative, of rank -1, is in a bin of its own."""
LEAST: Final = 2
"""Labels that every stratum gets, unless it has fewer pairs: one tells nothing about its spread."""


def strata(samplers: Int32, ranks: Int32) -> Int32:
    """Number the strata of N pairs, from 0: the sampler [N] that drew a pair and the bin of its rank [N]."""
    bins = np.searchsorted(BINS, ranks, side="right")
    cells = samplers.astype(np.int64) * (len(BINS) + 1) + bins
    found: Int32 = np.unique(cells, return_inverse=True)[1].astype(np.int32)
    return found


def neyman(strata: Int32, weights: Float64, chance: Float64, budget: int) -> Int64:
    """Return how many labels each stratum gets: int64 [strata], adding up to ``budget`` or to all pairs.

    ``weights`` [N] is what a pair counts in the rate and ``chance`` [N] a guess of its probability to be relevant,
    from a judge or the same for all; a wrong guess costs precision, never validity. Raises InputError where the
    budget has no two labels a stratum.
    """
    sizes = np.bincount(strata)
    least = np.minimum(sizes, LEAST)
    if budget < least.sum():
        raise InputError(
            f"{budget} labels are too few for {len(sizes)} strata (sampler x rank bin): ask for {least.sum()} or more, "
            "or audit fewer samplers"
        )
    need = np.maximum(_spread(strata, weights, chance) * sizes, 1e-12)
    wanted = min(budget, int(sizes.sum()))
    low, high = 0.0, wanted / need.min()  # n = scale x need between the bounds: the scale at which they add up
    for _ in range(200):
        middle = (low + high) / 2
        short_of = np.clip(middle * need, least, sizes).sum() < wanted
        low, high = (middle, high) if short_of else (low, middle)
    found = np.clip(high * need, least, sizes)
    whole: Int64 = np.floor(found + 1e-9).astype(np.int64)
    room = np.flatnonzero(whole < sizes)
    nearest = room[np.argsort((whole - found)[room], kind="stable")]
    whole[nearest[: wanted - int(whole.sum())]] += 1
    return whole


def _spread(strata: Int32, weights: Float64, chance: Float64) -> Float64:
    """Return for each stratum the standard deviation of weight x label that the guesses lead one to expect."""
    sizes = np.bincount(strata)
    p = np.clip(chance, 0.01, 0.99)
    second = np.bincount(strata, weights**2 * p) / sizes
    first = np.bincount(strata, weights * p) / sizes
    return np.sqrt(np.maximum(second - first**2, 0.0))


def guessed(judge: Float64) -> Float64:
    """Guess each pair's chance [N] to be relevant from a judge's scores, of which only the order is believed.

    5 % at the mean score, and where there is none (NaN); 18 % a standard deviation above it: so that labels go where
    the judge sees something.
    """
    scores = filled(judge)
    spread = scores.std()
    standard = (scores - scores.mean()) / spread if spread > 0 else np.zeros_like(scores)
    return 1 / (1 + np.exp(3 - 1.5 * standard))


def draw(strata: Int32, labels: Int64, keys: UInt64, seed: int) -> Float64:
    """Draw ``labels`` [strata] pairs of each stratum; return a drawn pair's probability to be drawn, 0 for others.

    ``keys`` [N] are stable hashes of the pairs: who is drawn does not depend on their order.
    """
    sizes = np.bincount(strata)
    luck = Noise(seed, "audit").bits(keys)
    order = np.lexsort((luck, strata))
    place = np.empty(len(strata), np.int64)
    place[order] = np.arange(len(strata)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.where(place < labels[strata], (labels / sizes)[strata], 0.0)


def labels_needed(strata: Int32, weights: Float64, chance: Float64, half_width: float) -> int:
    """Return how many labels give an interval of about +- ``half_width`` (a share), by Neyman's allocation.

    For the very queries at hand and without a judge's help: a good judge needs fewer, queries like these more.
    All pairs are returned where fewer will not do.
    """
    sizes = np.bincount(strata)
    total = weights.sum()
    spread = _spread(strata, weights, chance) * sizes / total
    wanted = (half_width / NormalDist().inv_cdf(0.975)) ** 2
    # variance = (sum of N s)^2 / n - sum of N s^2, the second term being what a finite number of pairs saves
    finite = float((spread**2 / np.maximum(sizes, 1)).sum())
    n = int(np.ceil(spread.sum() ** 2 / (wanted + finite)))
    return int(min(max(n, np.minimum(sizes, LEAST).sum()), len(strata)))
