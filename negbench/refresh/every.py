"""Refresh every so many steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from negbench.refresh import Refresh


class Every(Refresh):
    """Search again after every so many optimizer steps: ANCE, Xiong et al., arXiv 2007.00808.

    Differs from the paper in: training waits for the new list, which is that of the encoder at this very step; ANCE's
    trainer goes on with the old list while a second process encodes.

    steps: ANCE's 10,000 batches are for half a million queries; a training with fewer steps never gets there.
    """

    name: ClassVar[str] = "every"

    steps: int = Field(ge=1)

    def due(self, ends: Sequence[int]) -> list[int]:
        """Return the multiples."""
        return list(range(self.steps, ends[-1], self.steps))
