"""No refresh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from negbench.refresh import Mode, Refresh


class Never(Refresh):
    """One list for the whole training, of the candidates that the starting encoder, or a miner, finds."""

    name: ClassVar[str] = "never"
    mode: ClassVar[Mode] = "none"

    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        return []
