"""Values by seed and query, what statements make of them, and their tests.

A rate is a ratio of sums over queries. Its sample holds the linearised values u = r + (h - r t) / mean(t), with hits h
and totals t of a query: their mean is the rate r and their variance that of r to first order, so that differences of
rates are paired by query as those of nDCG are. Products and ratios of samples are linearised alike (the delta method).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from negbench.evaluation import intervals, significance
from negbench.papers.statements import Comparison, Expression, Operation, Value
from negbench.types import Float64

FEWEST_SEEDS = 3
"""Seeds from which a claim about trained encoders is decided."""


@dataclass(frozen=True)
class Sample:
    """Values [S, Q] of a measure by seed and query.

    ``queries`` [Q] are ids; a measure of the whole has the one query ``""``. ``seeds`` [S] is None where nothing is
    drawn or trained. ``counts`` [2, S, Q] are the hits and totals of a rate that nothing was done to.
    """

    values: Float64
    queries: tuple[str, ...]
    seeds: tuple[int, ...] | None
    counts: Float64 | None = None

    @property
    def mean(self) -> float:
        """The mean over seeds and queries; NaN without values."""
        kept = self.values[:, ~np.isnan(self.values).any(axis=0)]
        return float(kept.mean()) if kept.size else math.nan


def rate(hits: Float64, totals: Float64, queries: tuple[str, ...], seeds: tuple[int, ...] | None) -> Sample:
    """Return the sample of a rate: ``hits`` and ``totals`` [S, Q] of each query and seed."""
    share = hits.sum() / totals.sum() if totals.sum() > 0 else math.nan
    values = share + (hits - share * totals) / totals.mean()
    return Sample(np.asarray(values, np.float64), queries, seeds, np.stack([hits, totals]))


def of(side: Expression, samples: dict[Value, Sample]) -> Sample | float:
    """Return the sample of an expression. Raises ValueError where two values are over different queries or seeds."""
    if isinstance(side, float):
        return side
    if isinstance(side, Value):
        return samples[side]
    left, right = of(side.left, samples), of(side.right, samples)
    if isinstance(left, Sample) and isinstance(right, Sample):
        left, right = _paired(left, right, side)
    return _combine(side.sign, left, right)


def _combine(sign: str, left: Sample | float, right: Sample | float) -> Sample:
    a, b = (side.values if isinstance(side, Sample) else np.float64(side) for side in (left, right))
    mean_a, mean_b = (side.mean if isinstance(side, Sample) else side for side in (left, right))
    if sign in "+-":
        values = a + b if sign == "+" else a - b
    elif sign == "*":
        values = mean_a * mean_b + mean_b * (a - mean_a) + mean_a * (b - mean_b)
    else:
        ratio = mean_a / mean_b if mean_b else math.nan
        values = ratio + ((a - mean_a) - ratio * (b - mean_b)) / (mean_b or math.nan)
    (shape,) = [side for side in (left, right) if isinstance(side, Sample)][:1]
    return replace(shape, values=np.asarray(values, np.float64), counts=None)


def _paired(left: Sample, right: Sample, side: Operation) -> tuple[Sample, Sample]:
    """Return both over the seeds that they share; a value without seeds is paired with all of the other's."""
    if left.queries != right.queries:
        _refuse(side, "are over different queries")
    if left.seeds is None or right.seeds is None:
        seeds = left.seeds if right.seeds is None else right.seeds
        left, right = (_spread(it, seeds) for it in (left, right))
    else:
        seeds = tuple(seed for seed in left.seeds if seed in right.seeds)
        if not seeds:
            _refuse(side, "share no seed")
        left, right = (_only(it, seeds) for it in (left, right))
    missing = np.isnan(left.values).any(axis=0) | np.isnan(right.values).any(axis=0)
    left, right = (replace(it, values=np.where(missing, np.nan, it.values)) for it in (left, right))
    return left, right


def _refuse(side: Operation, why: str) -> NoReturn:
    raise ValueError(f"{side.left} and {side.right} {why}, so they cannot be paired")


def _spread(sample: Sample, seeds: tuple[int, ...] | None) -> Sample:
    times = 1 if seeds is None or sample.seeds is not None else len(seeds)
    return replace(sample, values=np.repeat(sample.values, times, axis=0), seeds=seeds)


def _only(sample: Sample, seeds: tuple[int, ...]) -> Sample:
    assert sample.seeds is not None
    return replace(sample, values=sample.values[[sample.seeds.index(seed) for seed in seeds]], seeds=seeds)


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A mean with its 95 % interval, and the p value of its not lying above or below 0 (two-sided).

    ``low``, ``high`` are NaN and ``p`` is 1 where no interval can be given. ``enough`` tells whether there are enough
    seeds to decide anything. ``found`` is the estimate by Student's t.
    """

    mean: float
    low: float
    high: float
    p: float
    seeds: int | None
    queries: int
    enough: bool
    found: significance.Estimate

    def detectable(self, level: float) -> float:
        """Return the least difference that a test at ``level`` finds with 80 % power; NaN where nothing varies."""
        return significance.detectable(self.found, level=level)


def assess(sample: Sample, against: float = 0.0) -> Tested:
    """Test ``sample`` minus ``against``: a rate by its exact interval clustered by query, all else by Student's t."""
    seeds = None if sample.seeds is None else len(sample.seeds)
    found = significance.estimate(_without_rounding(sample.values))
    low, high, p = found.low, found.high, significance.p_value(found, against)
    if sample.counts is not None:
        hits, totals = sample.counts.mean(axis=1)
        _, low, high = intervals.proportion(hits, totals)
        p = _share_p(hits, totals, against)
    return Tested(
        mean=found.mean - against,
        low=low - against,
        high=high - against,
        p=p,
        seeds=seeds,
        queries=int((~np.isnan(sample.values).any(axis=0)).sum()),
        enough=seeds is None or seeds >= FEWEST_SEEDS,
        found=found,
    )


def _without_rounding(values: Float64) -> Float64:
    """Return values that differ by rounding alone as all the same, NaN kept: their variance would say nothing."""
    kept = values[:, ~np.isnan(values).any(axis=0)]
    if not kept.size or np.ptp(kept) > 1e-8 * abs(kept).max():
        return values
    return np.where(np.isnan(values), np.nan, kept.mean())


def compare(comparison: Comparison, samples: dict[Value, Sample]) -> Tested:
    """Test ``left - right - least`` of a comparison; mean and interval are those of the difference above ``least``."""
    difference = of(comparison.difference, samples)
    assert isinstance(difference, Sample)
    for one, other, sign in ((comparison.left, comparison.right, 1.0), (comparison.right, comparison.left, -1.0)):
        share = of(one, samples) if isinstance(one, Value) else None
        if isinstance(other, float) and isinstance(share, Sample) and share.counts is not None:
            result = assess(share, other + sign * comparison.least)  # a share against a bound
            return result if sign > 0 else replace(result, mean=-result.mean, low=-result.high, high=-result.low)
    return assess(difference, comparison.least)


def _share_p(hits: Float64, totals: Float64, against: float) -> float:
    """Return 1 minus the highest level whose interval of the share leaves ``against`` out."""
    share = float(hits.sum() / totals.sum())

    def leaves_out(tail: float) -> bool:
        _, low, high = intervals.proportion(hits, totals, 1 - tail)
        return not low <= against <= high

    if share == against or not leaves_out(0.9999):
        return 1.0
    out, inside = 0.9999, 1e-12  # tails, on whose scale the bound is crossed once
    if leaves_out(inside):
        return inside
    for _ in range(60):
        middle = math.sqrt(out * inside)
        out, inside = (middle, inside) if leaves_out(middle) else (out, middle)
    return out


def kendall(tests: Sequence[Tested], alpha: float, against: Sequence[Tested] = ()) -> tuple[float, float, float]:
    """Return Kendall's tau of a claimed order with ours, and its interval: (tau, low, high).

    ``tests`` are those of all pairs, as claimed; ``against`` has the same pairs by another measure where its order is
    what is claimed. A pair whose order is not decided at the level ``alpha``, by Holm over all tests, may stand either
    way in the true order, so the interval misses the true tau in a share ``alpha`` of cases at most.
    """
    sides = 2 if against else 1
    adjusted = significance.holm([it.p for it in (*tests, *against)])
    signs = np.reshape([np.sign(it.mean) for it in (*tests, *against)], (sides, -1)).prod(axis=0)
    decided = (np.reshape(adjusted, (sides, -1)) <= alpha).all(axis=0)
    sure, left = signs[decided].sum(), (~decided).sum()
    return float(signs.mean()), float(sure - left) / len(tests), float(sure + left) / len(tests)
