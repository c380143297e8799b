"""The hardest candidates, in order."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw


class Top(Sampler):
    """The first k candidates in rank order that the filters left."""

    name: ClassVar[str] = "top"

    depth: int | None = Field(
        default=None,
        ge=1,
        description="Number of top retriever ranks to draw from, counted before filtering; null for all.",
    )

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        return gumbel.first(gumbel.window(pool, self.depth), k)
