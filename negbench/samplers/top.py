"""The hardest candidates, in order."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from negbench.noise import Noise
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw


class Top(Sampler):
    """The first k candidates in rank order that the filters left.

    depth: look at this many raw ranks; null looks at all.
    """

    name: ClassVar[str] = "top"

    depth: int | None = Field(default=None, ge=1)

    def draw(self, pool: CandidatePool, k: int, noise: Noise) -> Draw:
        """Take them; noise has no say."""
        return gumbel.first(gumbel.window(pool, self.depth), k)
