"""RANCE: draw ranks by how seldom they are relevant on judged queries."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.requirements import RelevanceByRank
from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw, Float64


class Rance(Sampler):
    """Draw ranks with probability P(r), learnt from queries that are judged: rarely where relevant documents are dense.

    Learning Robust Dense Retrieval Models from Incomplete Relevance Labels, SIGIR 2021, 10.1145/3404835.3463106; code
    purble/RANCE: gain(r) = (1 - relevant share at r) / ln(r + 2), a centred window of 9, a polynomial of degree 4,
    less the smallest smoothed gain. Differs from the code in: negative values are cut to 0; ranks are drawn without
    replacement; the judged queries are those of dev, with the labels that they have.
    """

    name: ClassVar[str] = "rance"

    depth: int = Field(
        default=500,
        ge=1,
        description="Number of top retriever ranks to draw from, counted before filtering; the code has 500.",
    )
    window: int = Field(
        default=9, ge=1, description="Width of the centred moving average over the gains, in ranks; the code has 9."
    )
    degree: int = Field(
        default=4,
        ge=0,
        le=10,
        description="Degree of the polynomial that is fitted to the smoothed gains; the code has 4.",
    )

    @property
    def requires(self) -> tuple[RelevanceByRank]:
        return (RelevanceByRank(),)

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        """Draw ranks by P; those of probability 0 come last."""
        allowed = gumbel.window(pool, self.depth)
        share = np.zeros(pool.depth)
        known = self.feature(pool, RelevanceByRank).ranks[: min(self.depth, pool.depth)]
        share[: len(known)] = self.distribution(known)
        log_weights = np.broadcast_to(np.log(np.maximum(share, 1e-12)), allowed.shape)
        return gumbel.draw(log_weights, allowed, k, pool, rng)

    def distribution(self, judged: Float64) -> Float64:
        """Return P(r) [K] from the share of judged queries whose document of rank r is relevant [K]."""
        rank = np.arange(len(judged))
        if not len(rank):
            return np.zeros(0)
        gain = (1 - judged) / np.log(rank + 2)
        near = np.abs(rank[:, None] - rank) <= self.window // 2
        smooth = (near * gain).sum(axis=1) / near.sum(axis=1)
        degree = min(self.degree, len(rank) - 1)
        fitted = np.full(len(rank), smooth.mean())
        if degree:
            fitted = np.polynomial.Polynomial.fit(rank, smooth, degree)(rank)
        weight = np.maximum(fitted - smooth.min(), 0.0)
        total = weight.sum()
        return weight / total if total > 0 else np.full(len(rank), 1 / len(rank))
