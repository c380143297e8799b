"""Uniform sampling among the candidates that the filters left."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw


class Uniform(Sampler):
    """Every candidate that the filters left is as likely as any other."""

    name: ClassVar[str] = "uniform"

    depth: int | None = Field(
        default=None,
        ge=1,
        description="Number of top retriever ranks to draw from, counted before filtering; null for all.",
    )

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        allowed = gumbel.window(pool, self.depth)
        return gumbel.draw(np.zeros(allowed.shape), allowed, k, pool, rng)
