"""TriSampler: candidates near the query's positive, and nearer to it than to the query."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.requirements import PositiveSimilarity
from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.samplers.simans import SimANS
from negbench.types import CandidatePool, Draw


class TriSampler(Sampler):
    """Weigh by exp(-z^2 / 4), z being s(q,d) - s(q,d+) in units of ``scale``, times ReLU(s(d+,d) - s(q,d)).

    arXiv 2402.11855, as far as its summaries go; its text could not be read, so how it composes the two and its K are
    a guess here. The constraints of its title are the filter ``triangle``. The first factor is SimANS with a = 1/4, and
    as flat on cosines where these are taken as they are, so the method by this name takes ``zscore``.

    Without a positive that has a score the second factor stands alone. Candidates of weight 0 come last.
    """

    name: ClassVar[str] = "trisampler"

    scale: Literal["raw", "zscore"] = Field(
        default="raw",
        description="Unit of score differences: `raw`, or `zscore`, standard deviations of the query's candidates.",
    )
    depth: int = Field(
        default=100, ge=1, description="Number of top retriever ranks to draw from, counted before filtering."
    )

    @property
    def requires(self) -> tuple[PositiveSimilarity]:
        return (PositiveSimilarity(),)

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        similarity = self.feature(pool, PositiveSimilarity).candidates
        scores = pool.scores.astype(np.float64)
        allowed = gumbel.window(pool, self.depth)
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.nan_to_num(SimANS(scale=self.scale, positive="max").gaps(pool, allowed, rng), nan=0.0)
            nearer = np.nan_to_num(similarity - scores, nan=0.0)
            log_weights = -np.minimum(gap**2, 1e6) / 4 + np.log(np.clip(nearer, 1e-12, 1e12))
        return gumbel.draw(log_weights, allowed, k, pool, rng)
