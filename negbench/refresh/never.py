"""No refresh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from negbench.refresh import Refresh


class Never(Refresh):
    """One list for the whole training, drawn by the starting encoder."""

    name: ClassVar[str] = "never"
    moves: ClassVar[bool] = False

    def due(self, ends: Sequence[int]) -> list[int]:
        """Return none."""
        return []
