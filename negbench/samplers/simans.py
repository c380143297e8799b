"""SimANS: sample where the score is close to the positive's."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.types import Bool, CandidatePool, Draw, Float64


class SimANS(Sampler):
    """Ambiguous negatives: weight falls with the distance of a candidate's score s from the positive's, s+.

    Zhou et al. 2022, arXiv 2210.11773; code microsoft/SimXNS. Its sources disagree, so the form is a parameter:
    ``paper`` (equation 4 and README) exp(-a (s - s+ - b)^2), peak at s+ + b; ``code`` (Wiki and MS-Doc scripts)
    exp(-a (s - s+ + b)^2), peak at s+ - b; ``laplace`` (MS-Pas script) exp(-tau |s - s+|) without a and b.

    Differs from the paper in: draws without replacement by Gumbel top-k, where the code redraws and truncates by set
    order; a positive that the retriever did not find has its real score, where the code takes the last candidates.

    The published constants are in raw dot products of about 50-100 and flat on cosines: over 100 candidates of SciFact
    by all-MiniLM-L6-v2 the median effective sample size is 99 with the scale ``raw`` and 10 with ``zscore``. So the
    method by this name takes ``zscore``.
    """

    name: ClassVar[str] = "simans"

    a: float = Field(default=0.5, ge=0, description="Sharpness of the peak in the forms `paper` and `code`.")
    b: float = Field(default=0.0, description="Offset of the peak from the positive's score, in scaled units.")
    tau: float = Field(default=3.0, ge=0, description="Sharpness of the peak in the form `laplace`.")
    form: Literal["paper", "code", "laplace"] = Field(
        default="paper",
        description="Weight function: that of the paper, of its code, or of its MS-Pas script (`laplace`).",
    )
    scale: Literal["raw", "zscore", "temperature"] = Field(
        default="raw",
        description=(
            "Unit of score differences: `raw`, `zscore` (standard deviations of the query's candidates) or "
            "`temperature`."
        ),
    )
    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of score differences where the scale is `temperature`."
    )
    positive: Literal["random", "max", "min", "mean"] = Field(
        default="random", description="Which of a query's positives gives s+; the paper draws one at random."
    )
    depth: int = Field(
        default=100,
        ge=1,
        description="Number of top retriever ranks to draw from, counted before filtering; the paper has 100.",
    )

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        """Draw by weight; a query whose positives have no score yields nothing."""
        allowed = gumbel.window(pool, self.depth)
        gap = self.gaps(pool, allowed, rng)
        if self.form == "laplace":
            log_weights = -self.tau * np.abs(gap)
        else:
            log_weights = -self.a * (gap - (self.b if self.form == "paper" else -self.b)) ** 2
        return gumbel.draw(log_weights, allowed & ~np.isnan(gap), k, pool, rng)

    def gaps(self, pool: CandidatePool, allowed: Bool, rng: CounterRNG) -> Float64:
        """Return s - s+ [Q, K] in scaled units; NaN where there is no s+."""
        gap = pool.scores.astype(np.float64) - self._positive_score(pool, rng)[:, None]
        if self.scale == "temperature":
            return gap / self.temperature
        if self.scale == "zscore":
            scores = np.where(allowed, pool.scores, np.nan).astype(np.float64)
            count = np.maximum(1, allowed.sum(axis=1))
            mean = np.nansum(scores, axis=1) / count
            spread = np.sqrt(np.nansum((scores - mean[:, None]) ** 2, axis=1) / count)
            return gap / np.where(spread > 0, spread, 1.0)[:, None]
        return gap

    def _positive_score(self, pool: CandidatePool, rng: CounterRNG) -> Float64:
        scores = pool.positive_scores.astype(np.float64)
        scored = ~np.isnan(scores)
        if scores.shape[1] == 0:
            return np.full(len(scores), np.nan)
        if self.positive == "random":
            ticket = np.where(scored, rng.uniform(pool.query_keys[:, None], np.maximum(pool.positives, 0)), -1.0)
            return np.take_along_axis(scores, ticket.argmax(axis=1)[:, None], axis=1)[:, 0]
        if self.positive == "mean":
            count = scored.sum(axis=1)
            return np.where(count > 0, np.nansum(scores, axis=1) / np.maximum(1, count), np.nan)
        return pool.positive_score("highest" if self.positive == "max" else "lowest")
