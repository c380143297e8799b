"""Refresh before every step, for the queries of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from negbench.refresh import Refresh


class EveryStep(Refresh):
    """Search for the queries of each batch just before its step: ADORE, Zhan et al., arXiv 2104.08051.

    For documents that do not move (``trains: queries``), so that a search costs no more than encoding the batch's
    queries, which a step does anyway.
    """

    name: ClassVar[str] = "every-step"
    whole: ClassVar[bool] = False

    def due(self, ends: Sequence[int]) -> list[int]:
        """Return all steps; what the first one needs was there before."""
        return list(range(1, ends[-1]))
