"""Means over queries and seeds: intervals, paired differences, equivalence, and what could have been detected.

A score belongs to a query and a seed, and both were sampled: with other queries or other seeds the mean would be
another. Values [S, Q] are taken for a mean plus an effect of the seed, one of the query and a rest (two crossed random
effects), with mean squares MS_S, MS_Q and MS_R of the analysis of variance (Brennan 2001, Generalizability Theory,
chapter 3). The variance of the mean is the sum of two parts, with fewer levels in S (else the two change places):

    of seeds    A = MS_S / (S Q)                 the seeds' effect and the rest, S - 1 degrees of freedom
    of queries  B = max(MS_Q - MS_R, 0) / (S Q)  the queries' effect, Q - 1 degrees of freedom

Each part is multiplied by its own quantile of Student's t (Banerjee 1961, Sankhya A 23(4), 359-378), and at level
1 - alpha the interval is

    mean -+ sqrt(t(1 - alpha / 2, S - 1)^2 A + t(1 - alpha / 2, Q - 1)^2 B)

It covers at least what it says, at every level and for any number of seeds: with Z standard normal and C_i / f_i the
parts over their expectations, P(Z^2 <= sum w_i t_i^2 C_i / f_i), where the w_i are the shares of the variance, is at
least sum w_i P(Z^2 <= t_i^2 C_i / f_i) = 1 - alpha, since the distribution function of Z^2 is concave. (B is a
difference of mean squares, hence close to this with tens of queries rather than exact.) Degrees of freedom by
Satterthwaite's formula do not: where two or three seeds agree by luck, A is small, they jump to those of the queries,
and a difference is found that is none. With one seed this is the ordinary t interval over queries, with one query that
over seeds. ``results/significance`` has the simulations.

A bootstrap that draws queries and seeds with replacement would count the rest three times (Owen 2007, The pigeonhole
bootstrap, Annals of Applied Statistics 1(2), 386-411). In a difference of two methods most is rest, and the interval
would be up to 1.7 times too wide; with few seeds it is also too narrow for what seeds do. So no bootstrap here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from negbench.types import Float64

LEVEL = 0.95
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its confidence interval; NaN where there is too little data.

    ``parts``: the parts of the mean's variance, each with its degrees of freedom; none where nothing varies.
    ``seeds``: how many seeds it is over.
    """

    mean: float
    low: float
    high: float
    parts: tuple[tuple[float, float], ...]
    seeds: int

    @property
    def half(self) -> float:
        """Half the width of the confidence interval, in the estimate's unit."""
        return (self.high - self.low) / 2

    @property
    def tested(self) -> bool:
        """Whether differences are tested at all: with one seed an effect cannot be told from chance."""
        return self.seeds > 1

    @property
    def error(self) -> float:
        """The standard error of the mean; NaN where it is not known."""
        return math.sqrt(sum(variance for variance, _ in self.parts)) if self.low == self.low else _NAN


def estimate(values: Float64, level: float = LEVEL) -> Estimate:
    """Estimate the mean of ``values`` [S, Q], a row a seed and a column a query.

    Queries with a NaN in any seed are left out. One value has no interval; values that are all the same have one of
    no width, which says nothing of what other queries would give.
    """
    values = values[:, ~np.isnan(values).any(axis=0)]
    seeds = len(values)
    if values.size == 0:
        return Estimate(_NAN, _NAN, _NAN, (), seeds)
    mean = float(values.mean())
    if values.size == 1:
        return Estimate(mean, _NAN, _NAN, (), seeds)
    parts = _parts(values)
    half = _half(parts, (1 - level) / 2)
    return Estimate(mean, mean - half, mean + half, parts, seeds)


def estimate_mean(tables: Sequence[Float64], level: float = LEVEL) -> Estimate:
    """Estimate the mean over C collections of the means of ``tables``, each [S, Q_c] with the same S seeds in order.

    Every collection counts the same. The variance is again the sum of a part of the seeds and parts of the queries:

        of seeds         the variance between seeds of the mean over collections, by S: what a seed does to all of them
                         counts in full, as where they start from the same weights; S - 1 degrees of freedom
        of collection c  B of that collection by C squared, Q_c - 1 degrees of freedom

    The collections themselves are not taken for a sample: the interval is about these, not about others. Queries with a
    NaN in any seed are left out.
    """
    kept = [values[:, ~np.isnan(values).any(axis=0)] for values in tables]
    seeds, count = len(kept[0]), len(kept)
    if any(values.size == 0 for values in kept):
        return Estimate(_NAN, _NAN, _NAN, (), seeds)
    by_seed = np.mean([values.mean(axis=1) for values in kept], axis=0)
    mean = float(by_seed.mean())
    if seeds == 1 and any(values.size == 1 for values in kept):
        return Estimate(mean, _NAN, _NAN, (), seeds)
    parts = [(float(by_seed.var(ddof=1)) / seeds, seeds - 1.0)] if seeds > 1 else []
    parts += [(_of_queries(values) / count**2, values.shape[1] - 1.0) for values in kept if values.shape[1] > 1]
    found = tuple((part, freedom) for part, freedom in parts if part > 0)
    half = _half(found, (1 - level) / 2)
    return Estimate(mean, mean - half, mean + half, found, seeds)


def _of_queries(values: Float64) -> float:
    """Return the part of the variance of the mean of ``values`` [S, Q] that is the queries' effect, B above."""
    seeds, queries = values.shape
    between = float(values.mean(axis=0).var(ddof=1)) / int(queries)
    if seeds == 1:
        return between
    left = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    rest = float((left**2).sum()) / ((seeds - 1) * (queries - 1)) / values.size
    return float(max(between - rest, 0.0))


def _parts(values: Float64) -> tuple[tuple[float, float], ...]:
    """Return the parts of the variance of the mean of ``values`` [S, Q] that are not 0, with their freedom."""
    margins = sorted((values.mean(axis=1), values.mean(axis=0)), key=len)
    few, many = (float(margin.var(ddof=1)) / len(margin) if len(margin) > 1 else 0.0 for margin in margins)
    freedom = [len(margin) - 1 for margin in margins]
    if freedom[0] > 0:
        left = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
        many = max(many - float((left**2).sum()) / (freedom[0] * freedom[1]) / values.size, 0.0)
    return tuple((part, float(df)) for part, df in zip((few, many), freedom, strict=True) if part > 0)


def _half(parts: Sequence[tuple[float, float]], tail: float) -> float:
    """Return how far from the mean an interval reaches that leaves ``tail`` outside at each end."""
    return math.sqrt(sum(_quantile(tail, freedom) ** 2 * variance for variance, freedom in parts))


def _tail(parts: Sequence[tuple[float, float]], distance: float) -> float:
    """Return the tail, in [0, 0.5], whose interval reaches just so far: the inverse of ``_half``."""
    from scipy.optimize import brentq
    from scipy.special import stdtr  # reports import this file: no slow import at the top

    if distance <= 0:
        return 0.5
    if _half(parts, _LEAST) <= distance:
        return _LEAST
    # The tail lies between those of the parts' own distributions at this distance; its logarithm is nearly straight.
    error = math.sqrt(sum(variance for variance, _ in parts))
    tails = [max(float(stdtr(freedom, -distance / error)), _LEAST) for _, freedom in parts]
    if min(tails) == max(tails):
        return tails[0]
    ends = np.log(min(tails)) - 1e-9, np.log(max(tails)) + 1e-9
    return float(np.exp(brentq(lambda tail: _half(parts, float(np.exp(tail))) - distance, *ends)))


_LEAST = 1e-100
"""Smallest tail probability that counts as more than 0."""


def p_value(found: Estimate, against: float = 0.0) -> float:
    """Return the two-sided p value of the mean being ``against``; 1 where there is no telling."""
    if not found.error > 0:
        return 1.0
    return 2 * _tail(found.parts, abs(found.mean - against))


def equivalence(found: Estimate, margin: float) -> float:
    """Return the p value of the mean lying outside of ``margin`` on either side (two one-sided tests).

    Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15(6), 657-680. 1 where there is no telling.
    """
    if not found.error > 0:
        return 1.0
    room = margin - abs(found.mean)
    return _tail(found.parts, room) if room > 0 else 1 - _tail(found.parts, -room)


def detectable(found: Estimate, power: float = 0.8, level: float = LEVEL) -> float:
    """Return the least true difference that a two-sided test with these variances would find with ``power``."""
    if not found.error > 0:
        return _NAN
    from scipy.optimize import brentq
    from scipy.special import ndtr

    # The noncentral distribution by quantiles of the reach: scipy's own gives NaN for large effects. The quantiles of
    # two parts are paired as the points of a lattice are, so that they are independent.
    squares: Float64 = np.zeros(_POINTS, np.float64)
    for (variance, freedom), step in zip(found.parts, (1 / _POINTS, _GOLDEN), strict=False):
        squares = squares + _quantile((1 - level) / 2, freedom) ** 2 * variance * _chances(freedom, step)
    reach = np.sqrt(squares) / found.error

    def missing(effect: float) -> float:
        return float((ndtr(effect - reach) + ndtr(-effect - reach)).mean()) - power

    return float(brentq(missing, 0.0, float(reach.max()) + 10)) * found.error


_POINTS = 4000
_GOLDEN = (5**0.5 - 1) / 2


@lru_cache(maxsize=16)  # a table asks for the same few
def _chances(freedom: float, step: float) -> Float64:
    """Return quantiles [_POINTS] of a variance over its expectation, in the order that ``step`` gives."""
    from scipy.special import gammaincinv

    shares = (np.arange(_POINTS) + 0.5) * step % 1
    return np.asarray(2 * gammaincinv(freedom / 2, shares) / freedom, np.float64)


def holm(values: Sequence[float]) -> list[float]:
    """Return p values adjusted for the family that they form (Holm 1979, Scandinavian Journal of Statistics 6(2))."""
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    raised = np.asarray(values, np.float64)[order] * np.arange(len(values), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(value) for value in adjusted]


@dataclass(frozen=True, slots=True)
class Decision:
    """Two p values of a difference, each adjusted by Holm: of being 0, and of reaching the margin on either side."""

    differs: float
    same: float


def decide(family: Sequence[Estimate], margin: float) -> list[Decision]:
    """Test every difference of a ``family`` for being 0, and for being ``margin`` or more; of tested ones alone.

    Where ``differs`` below 0.05 is called a difference, at most 5 % of families call so one that is 0; where ``same``
    below 0.05 is called none, at most 5 % call so one that reaches ``margin``.
    """
    if any(not difference.tested for difference in family):
        raise ValueError("a difference over one seed is not tested: nothing tells how much seeds differ")
    differs = holm([p_value(difference) for difference in family])
    same = holm([equivalence(difference, margin) for difference in family])
    return [Decision(*both) for both in zip(differs, same, strict=True)]


def _quantile(tail: float, freedom: float) -> float:
    """Return the quantile of Student's t at ``tail``, which is at most 0.5: so that small tails keep their digits."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, tail))
