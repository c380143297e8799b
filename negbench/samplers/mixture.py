"""A share of the draws from one sampler, the rest from elsewhere."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.requirements import PoolFeature
from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.samplers.top import Top
from negbench.types import CandidatePool, Draw


class Mixture(Sampler):
    """Give each slot to ``of`` with probability ``share``; the others go to ``rest``.

    ``batch`` leaves a slot without a mined negative, so that the row has those of its batch alone; ``corpus`` fills it
    with a random document. Contriever's second round (arXiv 2112.09118) has a hard negative in 10 % of the rows and a
    random one in the others; practitioners mix 70 % in-batch and 30 % mined.
    """

    name: ClassVar[str] = "mixture"
    leaves_slots: ClassVar[bool] = True

    share: float = Field(default=0.3, gt=0, le=1, description="Probability that a slot is filled by the sampler `of`.")
    of: Sampler = Field(default_factory=Top, description="Sampler of the mined negatives.")
    rest: Literal["batch", "corpus"] = Field(
        default="batch",
        description=(
            "Other slots: `batch` leaves them to in-batch negatives, `corpus` fills them with random documents."
        ),
    )

    @property
    def needed_depth(self) -> int:
        return self.of.needed_depth

    @property
    def requires(self) -> tuple[PoolFeature[Any], ...]:
        return self.of.requires

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        drawn = self.of.draw(pool, k, rng)
        kept = rng.uniform(pool.query_keys[:, None], np.arange(k, dtype=np.uint64) + _SLOTS) < self.share
        left = np.int32(-2 if self.rest == "batch" else -1)
        toss = -sum(share * np.log(share) for share in (self.share, 1 - self.share) if share > 0)
        size = np.where(drawn.effective_size > 0, np.maximum(drawn.effective_size, 1), 1)
        return Draw(
            np.where(kept, drawn.positions, left).astype(np.int32),
            np.exp(toss + self.share * np.log(size)).astype(np.float32),
        )


_SLOTS = np.uint64(1) << np.uint64(40)
"""Offset of the noise counters of slots, which keeps them apart from the keys of documents."""
