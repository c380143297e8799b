"""Softmax draws, rarer the likelier a candidate is relevant."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.requirements import AdapterScores
from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw


class Discounted(Sampler):
    """Draw with probability proportional to exp(s / temperature) * (1 - p)^gamma, p the probability of being relevant.

    The resampling score of RRRA, Kim 2025, arXiv 2508.11670: a candidate's hardness times the power of the probability
    that it is no false negative, which an adapter over the encoder's vectors learns (``requirements.AdapterScores``).
    Differs from the paper in: its hardness and its constants were not found, so a softmax stands for the first, and
    gamma = 1 for the second.
    """

    name: ClassVar[str] = "discounted"

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the scores before the softmax; 0.05 suits cosines."
    )
    gamma: float = Field(
        default=1.0, ge=0, description="Exponent of the probability of not being relevant; 0 leaves the softmax."
    )
    depth: int = Field(
        default=100, ge=1, description="Number of top retriever ranks to draw from, counted before filtering."
    )

    @property
    def requires(self) -> tuple[AdapterScores]:
        return (AdapterScores(),)

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        relevant = self.feature(pool, AdapterScores).candidates.astype(np.float64)
        spared = np.log1p(-np.minimum(relevant, 1 - 1e-12))
        log_weights = pool.scores.astype(np.float64) / self.temperature + self.gamma * spared
        return gumbel.draw(log_weights, gumbel.window(pool, self.depth), k, pool, rng)
