"""Mixture: two normal components in the scores of the negatives."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.evaluation.false_negatives import Estimator, Pairs, Rate, Reading, TrainingNegatives
from negbench.types import Float64

_NAN = float("nan")


class Mixture(Estimator):
    """The share of the upper of two normal components, fitted by EM to the negatives' scores.

    The scores are the judge's, or, without one, how far the retriever's lie below the query's lowest positive. As in
    the noisy-pair literature (Arazo et al. 2019, arXiv:1904.11238, fit losses). Assumes that relevant and other
    negatives score normally, apart from one another: labels are not used, and nothing tells a hard true negative from
    a false one. No interval, since its error is the assumption's. Fails, in words, where one component fits as well
    (BIC) or the two are nearer than ``apart`` pooled standard deviations.
    """

    name: ClassVar[str] = "mixture"
    reads: ClassVar[tuple[Reading, ...]] = ("judge",)
    lacking: ClassVar[str] = "no negative has a score"

    apart: float = Field(
        default=2.0,
        ge=0,
        description="Least distance between the two components' means, in pooled standard deviations.",
    )

    def estimate(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        """Return the weight of the mixture's relevant component; an empty dict where no pair has a score."""
        if negatives.pairs is None or not np.isfinite(_scores(negatives.pairs)).any():
            return {}
        return {self.name: self.of(negatives.pairs)}

    def of(self, pairs: Pairs) -> Rate:
        """Return the share of ``pairs`` in the upper component."""
        scores = _scores(pairs)
        use = np.isfinite(scores) & (pairs.weights > 0)
        whose = "judge's scores" if pairs.judge is not None else "distances from the positive"
        if use.sum() < 10 or np.ptp(scores[use]) == 0:
            return _failed(f"not estimable: {use.sum()} {whose} that differ")
        weights = pairs.weights[use] / pairs.weights[use].mean()
        share, centres, spreads, gained = _fit(scores[use], weights)
        distance = abs(centres[1] - centres[0]) / np.sqrt((spreads**2).mean())
        if gained <= 0:
            return _failed(f"not estimable: one normal component fits the {whose} as well")
        if distance < self.apart:
            return _failed(f"not estimable: the components of the {whose} are {distance:.1f} standard deviations apart")
        return Rate(
            rate=share,
            low=_NAN,
            high=_NAN,
            unit="negative",
            note=f"upper of two normal components of the {whose}; no interval",
        )


def _failed(why: str) -> Rate:
    return Rate(rate=_NAN, low=_NAN, high=_NAN, unit="negative", note=why)


def _scores(pairs: Pairs) -> Float64:
    return pairs.judge if pairs.judge is not None else pairs.scores - pairs.positive_scores


def _fit(x: Float64, weights: Float64) -> tuple[float, Float64, Float64, float]:
    """Return the upper component's share, both centres (ascending) and spreads, and the BIC gained over one."""
    total = weights.sum()
    mean = float(weights @ x) / total
    spread = float(np.sqrt(weights @ (x - mean) ** 2 / total))
    least = 0.05 * spread  # a component on one point has an infinite likelihood
    best: tuple[float, float, Float64, Float64] | None = None
    for start in (0.05, 0.2, 0.5):
        cut = float(np.quantile(x, 1 - start))
        centres = np.array([x[x <= cut].mean(), x[x > cut].mean() if (x > cut).any() else x.max()])
        spreads, shares = np.full(2, spread), np.array([1 - start, start])
        likelihood = -np.inf
        for _ in range(300):
            log = np.log(shares) - np.log(spreads) - 0.5 * ((x[:, None] - centres) / spreads) ** 2
            top = log.max(axis=1, keepdims=True)
            each = np.exp(log - top)
            before, likelihood = likelihood, float(weights @ (top[:, 0] + np.log(each.sum(axis=1))))
            part = weights[:, None] * each / each.sum(axis=1, keepdims=True)
            sums = np.maximum(part.sum(axis=0), 1e-9)
            shares, centres = sums / total, (part * x[:, None]).sum(axis=0) / sums
            spreads = np.maximum(np.sqrt((part * (x[:, None] - centres) ** 2).sum(axis=0) / sums), least)
            if likelihood - before < 1e-7 * total:
                break
        if best is None or likelihood > best[0]:
            order = np.argsort(centres)
            best = likelihood, float(shares[order[1]]), centres[order], spreads[order]
    assert best is not None
    one = float(weights @ (-np.log(spread) - 0.5 * ((x - mean) / spread) ** 2))
    return best[1], best[2], best[3], 2 * (best[0] - one) - 3 * float(np.log(len(x)))
