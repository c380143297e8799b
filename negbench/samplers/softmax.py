"""Draws by the softmax of scores."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw


class Softmax(Sampler):
    """Draw with probability proportional to exp(s / temperature) among the first ``depth`` ranks.

    NV-Retriever (arXiv 2407.15831) draws 4 of the top 10 so; deeper draws did worse there.
    """

    name: ClassVar[str] = "softmax"

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the scores before the softmax; 0.05 suits cosines."
    )
    depth: int = Field(
        default=10, ge=1, description="Number of top retriever ranks to draw from, counted before filtering."
    )

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        allowed = gumbel.window(pool, self.depth)
        return gumbel.draw(pool.scores.astype(np.float64) / self.temperature, allowed, k, pool, rng)
