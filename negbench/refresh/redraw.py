"""New draws on the way, from the first candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from negbench.refresh import Refresh


class Redraw(Refresh):
    """Draw again after every so many optimizer steps, from the candidates that the starting encoder found.

    The control of a refresh: what a fresh draw gives without a search by a better encoder. With the same ``steps`` as
    ``every``, negatives change at the same steps and by the same chances.

    steps: optimizer steps between draws.
    """

    name: ClassVar[str] = "redraw"
    searches: ClassVar[bool] = False

    steps: int = Field(ge=1)

    def due(self, ends: Sequence[int]) -> list[int]:
        """Return the multiples before the last step."""
        return list(range(self.steps, ends[-1], self.steps))
