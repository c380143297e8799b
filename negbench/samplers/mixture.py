"""A share of the draws from one sampler, the rest from elsewhere."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.asks import Ask
from negbench.noise import Noise
from negbench.samplers import Sampler
from negbench.samplers.top import Top
from negbench.types import CandidatePool, Draw


class Mixture(Sampler):
    """Give each slot to ``of`` with probability ``share``; the others go to ``rest``.

    ``batch`` leaves a slot without a mined negative, so that the row has those of its batch alone; ``corpus`` fills it
    with a random document. Contriever's second round (arXiv 2112.09118) has a hard negative in 10 % of the rows and a
    random one in the others; practitioners mix 70 % in-batch and 30 % mined.

    share: of the slots. of: the sampler of that share.
    """

    name: ClassVar[str] = "mixture"

    share: float = Field(default=0.3, gt=0, le=1)
    of: Sampler = Field(default_factory=Top)
    rest: Literal["batch", "corpus"] = "batch"

    @property
    def needed_depth(self) -> int:
        """As deep as the sampler looks."""
        return self.of.needed_depth

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What the sampler asks."""
        return self.of.asks

    def draw(self, pool: CandidatePool, k: int, noise: Noise) -> Draw:
        """Draw all by the sampler, then keep the share."""
        drawn = self.of.draw(pool, k, noise)
        kept = noise.uniform(pool.query_keys[:, None], np.arange(k, dtype=np.uint64) + _SLOTS) < self.share
        left = np.int32(-2 if self.rest == "batch" else -1)
        toss = -sum(share * np.log(share) for share in (self.share, 1 - self.share) if share > 0)
        size = np.where(drawn.effective_size > 0, np.maximum(drawn.effective_size, 1), 1)
        return Draw(
            np.where(kept, drawn.positions, left).astype(np.int32),
            np.exp(toss + self.share * np.log(size)).astype(np.float32),
        )


_SLOTS = np.uint64(1) << np.uint64(40)
"""Counters of slots stand apart from the keys of documents."""
