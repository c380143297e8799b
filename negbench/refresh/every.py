"""Refresh every so many steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from negbench.refresh import Refresh


class Every(Refresh):
    """Search again after every so many optimizer steps: ANCE, Xiong et al., arXiv 2007.00808.

    Differs from the paper in: when the new list comes is given. With a lag of 0 training waits for it, and it is that
    of the encoder at this very step. Else a second process makes it while training goes on with the old one, as ANCE's
    does, and it is taken after so many further steps, neither before nor after, so that results repeat.

    steps: ANCE's 10,000 batches are for half a million queries; a training with fewer steps never gets there. lag: in
    steps.
    """

    name: ClassVar[str] = "every"

    steps: int = Field(ge=1)
    lag: int = Field(default=0, ge=0)

    @property
    def behind(self) -> int:
        """Return the lag."""
        return self.lag

    def due(self, ends: Sequence[int]) -> list[int]:
        """Return the multiples, by the lag later."""
        return list(range(self.steps + self.lag, ends[-1], self.steps))
