"""Means over queries and seeds: intervals, paired differences, equivalence, and what could have been detected.

A score belongs to a query and a seed, and both were sampled: with other queries or other seeds the mean would be
another. Values [S, Q] are taken for a mean plus an effect of the seed, one of the query and a rest (two crossed random
effects); the variance of the mean follows from the three (Brennan 2001, Generalizability Theory, chapter 3), and
Student's t with Satterthwaite's degrees of freedom gives the interval. With one seed this is the ordinary t interval
over queries, with one query that over seeds. In simulations a 95 % interval holds the truth in 0.93 to 0.98 of the
runs with three seeds or more, whichever effect is the largest; with two seeds in 0.90 where seeds differ most, since
two that happen to agree look like no difference.

A bootstrap that draws queries and seeds with replacement would count the rest three times (Owen 2007, The pigeonhole
bootstrap, Annals of Applied Statistics 1(2), 386-411). In a difference of two methods most is rest, and the interval
would be up to 1.7 times too wide; with few seeds it is also too narrow for what seeds do. So no bootstrap here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negbench.types import Float64

LEVEL = 0.95
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its standard error, degrees of freedom and interval; NaN where there is too little to tell."""

    mean: float
    error: float
    freedom: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def estimate(values: Float64, level: float = LEVEL) -> Estimate:
    """Estimate the mean of ``values`` [S, Q], a row a seed and a column a query.

    Queries with a NaN in any seed are left out. One value has no interval; values that are all the same have one of
    no width, which says nothing of what other queries would give.
    """
    values = values[:, ~np.isnan(values).any(axis=0)]
    if values.size == 0:
        return Estimate(_NAN, _NAN, _NAN, _NAN, _NAN)
    mean = float(values.mean())
    if values.size == 1:
        return Estimate(mean, _NAN, _NAN, _NAN, _NAN)
    variance, freedom = _variance(values)
    error = variance**0.5
    half = _quantile((1 + level) / 2, freedom) * error
    return Estimate(mean, error, freedom, mean - half, mean + half)


def _variance(values: Float64) -> tuple[float, float]:
    """Return the variance of the mean of ``values`` [S, Q] and its degrees of freedom."""
    seeds, queries = values.shape
    size = values.size
    by_seed, by_query, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    if seeds == 1:
        return float(by_query.var(ddof=1)) / queries, queries - 1
    if queries == 1:
        return float(by_seed.var(ddof=1)) / seeds, seeds - 1
    of_seeds = queries * float(by_seed.var(ddof=1)) / size
    of_queries = seeds * float(by_query.var(ddof=1)) / size
    left = values - by_seed[:, None] - by_query[None, :] + mean
    of_rest = float((left**2).sum()) / ((seeds - 1) * (queries - 1)) / size
    # An effect whose estimate is below zero is taken for none: never less than either margin alone says.
    variance = max(of_seeds + of_queries - of_rest, of_seeds, of_queries)
    if variance == 0:
        return 0.0, float(min(seeds, queries) - 1)
    # Without the rest's own share, which would only raise them.
    freedom = variance**2 / (of_seeds**2 / (seeds - 1) + of_queries**2 / (queries - 1))
    return variance, max(freedom, float(min(seeds, queries) - 1))


def p_value(found: Estimate, against: float = 0.0) -> float:
    """Return the two-sided p value of the mean being ``against``; 1 where there is no telling."""
    if not found.error > 0:
        return 1.0
    return float(2 * _tail(abs(found.mean - against) / found.error, found.freedom))


def equivalence(found: Estimate, margin: float) -> float:
    """Return the p value of the mean lying outside of ``margin`` on either side (two one-sided t tests).

    Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15(6), 657-680. 1 where there is no telling.
    """
    if not found.error > 0:
        return 1.0
    above, below = (margin + found.mean) / found.error, (margin - found.mean) / found.error
    return float(max(_tail(above, found.freedom), _tail(below, found.freedom)))


def detectable(found: Estimate, power: float = 0.8, level: float = LEVEL) -> float:
    """Return the least true difference that a two-sided test with this error would find with ``power``."""
    if not found.error > 0:
        return _NAN
    from scipy.optimize import brentq
    from scipy.special import gammaincinv, ndtr

    critical = _quantile((1 + level) / 2, found.freedom)
    # The noncentral t distribution by quantiles of the standard error: scipy's own gives NaN for large effects.
    shares = (np.arange(4000) + 0.5) / 4000
    errors = np.sqrt(2 * gammaincinv(found.freedom / 2, shares) / found.freedom)

    def missing(effect: float) -> float:
        return float((ndtr(effect - critical * errors) + ndtr(-effect - critical * errors)).mean()) - power

    return float(brentq(missing, 0.0, 3 * critical + 10)) * found.error


def holm(values: Sequence[float]) -> list[float]:
    """Return p values adjusted for the family that they form (Holm 1979, Scandinavian Journal of Statistics 6(2))."""
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    raised = np.asarray(values, np.float64)[order] * np.arange(len(values), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(value) for value in adjusted]


def _quantile(share: float, freedom: float) -> float:
    from scipy.special import stdtrit  # reports import this file: no slow import at the top

    return float(stdtrit(freedom, share))


def _tail(statistic: float, freedom: float) -> float:
    from scipy.special import stdtr

    return float(stdtr(freedom, -statistic))
