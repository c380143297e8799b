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


def _korn_graubard(rate: float, variance: float, clusters: int, units: float, level: float) -> tuple[float, float]:
    from scipy.special import stdtrit  # listing the estimators imports this file: no slow import at the top

    binomial = rate * (1 - rate)
    if variance <= 1e-24 * binomial:  # zero but for rounding
        size = min(float(clusters), units)
    else:
        tail = (1 - level) / 2
        # A variance from few clusters is itself uncertain: fewer trials, by the ratio of the t quantiles.
        adjustment = stdtrit(max(units, clusters) - 1, tail) / stdtrit(clusters - 1, tail)
        size = min(units, float(adjustment) ** 2 * binomial / variance)
    return _clopper_pearson(rate, size, level)


def _clopper_pearson(rate: float, size: float, level: float) -> tuple[float, float]:
    """Return the exact binomial interval; the beta distribution allows for a fractional number of trials."""
    from scipy.special import betaincinv

    tail, hits, misses = (1 - level) / 2, rate * size, (1 - rate) * size
    low = float(betaincinv(hits, misses + 1, tail)) if rate > 0 else 0.0
    high = float(betaincinv(hits + 1, misses, 1 - tail)) if rate < 1 else 1.0
    return low, high
