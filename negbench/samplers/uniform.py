"""Uniform sampling."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.noise import Noise
from negbench.samplers import Sampler, gumbel
from negbench.types import CandidatePool, Draw


class Uniform(Sampler):
    """Every candidate that the filters left is as likely as any other.

    depth: look at this many raw ranks; null looks at all.
    """

    name: ClassVar[str] = "uniform"

    depth: int | None = Field(default=None, ge=1)

    def draw(self, pool: CandidatePool, k: int, noise: Noise) -> Draw:
        """Draw without replacement."""
        allowed = gumbel.window(pool, self.depth)
        return gumbel.draw(np.zeros(allowed.shape), allowed, k, pool, noise)
