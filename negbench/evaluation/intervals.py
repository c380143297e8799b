"""Confidence intervals for shares: of weighted units in clusters, and of per-query values.

The negatives of one query stand or fall together, so the query is what was sampled. The intervals are Korn and
Graubard's (1998, Survey Methodology 24(2), 193-201): Clopper and Pearson's exact one, with the number of trials
that would give a binomial share the variance seen between clusters. No hits give an interval that reaches above
0, as in the rule of three; a t interval falls far short of its level there.

They too cover less than they say (0.83 to 0.90 for 0.95 in simulations) where a few large clusters hold nearly
all hits: so few do not show how unequal clusters are.
"""

from __future__ import annotations

from negbench.types import Float64

_NAN = float("nan")


def proportion(hits: Float64, totals: Float64, level: float = 0.95) -> tuple[float, float, float]:
    """Return a share over clusters and its interval: (rate, low, high).

    ``hits`` and ``totals`` [n] are sums over the units of each cluster (a query's negatives); they may be
    fractional, as units carry weights. Scale weights to a mean of 1: the totals must add up to the number of
    units, which bounds the effective number. Clusters with a total of 0 are left out.

    The variance between clusters is that of a ratio, linearised. Where all clusters have the same share (none of
    the units is a hit, say) it tells nothing, and the effective number is the number of clusters. One cluster
    gives (rate, 0, 1), none NaNs.
    """
    counted = totals > 0
    hits, totals = hits[counted], totals[counted]
    clusters, units = len(totals), float(totals.sum())
    if clusters == 0:
        return _NAN, _NAN, _NAN
    rate = float(hits.sum()) / units
    if clusters == 1:
        return rate, 0.0, 1.0
    residuals = hits - rate * totals
    variance = clusters / (clusters - 1) * float(residuals @ residuals) / units**2
    return rate, *_korn_graubard(rate, variance, clusters, units, level)


def mean(values: Float64, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of ``values`` [n], one a cluster and each in [0, 1], and its interval: (mean, low, high).

    The effective number has no bound, since a value may stand for many units. Where all values are the same
    (all 0, say) their variance tells nothing, and it is n. One value gives (mean, 0, 1), none NaNs.
    """
    n = len(values)
    if n == 0:
        return _NAN, _NAN, _NAN
    rate = float(values.mean())
    if n == 1:
        return rate, 0.0, 1.0
    return rate, *_korn_graubard(rate, float(values.var(ddof=1)) / n, n, float("inf"), level)


def of_variance(rate: float, variance: float, clusters: int, most: float, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a rate in [0, 1] whose variance was estimated from ``clusters`` (2 or more).

    ``most`` bounds the effective number of trials, which else would be what the variance says. A variance of 0
    tells nothing: the number is then that of the clusters, or ``most`` where that is less.
    """
    return _korn_graubard(rate, variance, clusters, most, level)


def of_sample(rate: float, variance: float, degrees: int, most: float, level: float = 0.95) -> tuple[float, float]:
    """Return the mid-P interval of a rate in [0, 1], estimated from a sample of units that were drawn one by one.

    The effective number of trials is Korn and Graubard's, with the ``degrees`` of freedom of the variance (labels less
    strata) and at most ``most``, which it is where the variance is 0. Differs from theirs in the mid-P of Lancaster
    (1961; Berry and Armitage 1995, The Statistician 44, 417-423) instead of Clopper and Pearson's interval: that one
    allows for the steps of a binomial count, which a sum of unequal weights over strata does not have, and covers 97 to
    98 % at 10 to 20 hits. No hits in n trials give 1 - 0.05^(1/n): the rule of three.
    """
    return _mid_p(rate, _trials(rate, variance, degrees + 1, most, level), level)


def _korn_graubard(rate: float, variance: float, clusters: int, units: float, level: float) -> tuple[float, float]:
    return _clopper_pearson(rate, _trials(rate, variance, clusters, units, level), level)


def _trials(rate: float, variance: float, clusters: int, units: float, level: float) -> float:
    """Return the number of trials that would give a binomial share this variance, ``units`` at most."""
    from scipy.special import stdtrit  # listing the estimators imports this file: no slow import at the top

    binomial = rate * (1 - rate)
    if variance <= 1e-24 * binomial:  # zero but for rounding
        return min(float(clusters), units)
    tail = (1 - level) / 2
    # A variance from few clusters is itself uncertain: fewer trials, by the ratio of the t quantiles.
    adjustment = stdtrit(max(units, clusters) - 1, tail) / stdtrit(clusters - 1, tail)
    return min(units, float(adjustment) ** 2 * binomial / variance)


def _clopper_pearson(rate: float, size: float, level: float) -> tuple[float, float]:
    """Return the exact binomial interval; the beta distribution allows for a fractional number of trials."""
    from scipy.special import betaincinv

    tail, hits, misses = (1 - level) / 2, rate * size, (1 - rate) * size
    low = float(betaincinv(hits, misses + 1, tail)) if rate > 0 else 0.0
    high = float(betaincinv(hits + 1, misses, 1 - tail)) if rate < 1 else 1.0
    return low, high


def _mid_p(rate: float, size: float, level: float) -> tuple[float, float]:
    """Return the shares at which P(more hits) + P(as many hits) / 2 is each tail; trials may be fractional."""
    from scipy.optimize import brentq
    from scipy.special import betainc

    tail, hits, misses = (1 - level) / 2, rate * size, (1 - rate) * size

    def above(share: float) -> float:
        as_many_or_more = betainc(hits, misses + 1, share) if hits > 0 else 1.0
        more = betainc(hits + 1, misses, share) if misses > 0 else 0.0
        return float(as_many_or_more + more) / 2

    low = float(brentq(lambda share: above(share) - tail, 0, 1)) if rate > 0 else 0.0
    high = float(brentq(lambda share: above(share) - 1 + tail, 0, 1)) if rate < 1 else 1.0
    return low, high
