"""Refresh before every step, for the queries of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from negbench.refresh import Mode, Refresh


class EveryStep(Refresh):
    """Search for the queries of each batch just before its step: ADORE, Zhan et al., arXiv 2104.08051.

    For documents that do not move (``trains: queries``), so that a search costs no more than encoding the batch's
    queries, which a step does anyway.
    """

    name: ClassVar[str] = "every-step"
    mode: ClassVar[Mode] = "per-batch"

    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        """Return all steps but the first, which uses the draw before training."""
        return list(range(1, epoch_ends[-1]))
