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
    """

    name: ClassVar[str] = "every"

    steps: int = Field(
        ge=1, description="Optimizer steps between searches; ANCE has 10,000, for half a million training queries."
    )
    lag: int = Field(
        default=0, ge=0, description="Optimizer steps between a search and the use of its negatives; 0 waits for it."
    )

    @property
    def search_lag(self) -> int:
        return self.lag

    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        """Return the multiples of ``steps``, each ``lag`` later."""
        return list(range(self.steps + self.lag, epoch_ends[-1], self.steps))
