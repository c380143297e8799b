"""Replacement of the negatives that have become easy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from negbench.refresh import Mode, Refresh


class WhenEasy(Refresh):
    """Replace a query's negatives, at a check after every so many optimizer steps, once they have become easy.

    Dynamic hard negative mining of Conan-embedding, Li et al., arXiv 2408.15710. The negatives of a query are easy when
    ``factor`` times the mean of their scores is below that mean as it was when they came into use, and the mean is
    below ``ceiling`` in absolute value. They are replaced by another draw from the first candidates that the query has
    not had yet: with the sampler ``top``, by the next ranks. Scores are those of the encoder that is being trained.

    Differs from the paper in: a query whose candidates are used up keeps its negatives.
    """

    name: ClassVar[str] = "when-easy"
    mode: ClassVar[Mode] = "when-easy"

    steps: int = Field(default=100, ge=1, description="Optimizer steps between checks; the paper has 100.")
    factor: float = Field(
        default=1.15, ge=1, description="Factor by which the mean score may fall before negatives are replaced."
    )
    ceiling: float = Field(
        default=0.8, gt=0, description="Mean score, in absolute value, from which on negatives are never replaced."
    )

    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        return list(range(self.steps, epoch_ends[-1], self.steps))
