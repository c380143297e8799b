"""Refresh: when candidates are searched again with the encoder that is being trained. One file a choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from negbench.parts import Part


class Refresh(Part):
    """When negatives are drawn anew on the way, as a rule from candidates that are searched for again."""

    kind: ClassVar[str] = "refresh"
    moves: ClassVar[bool] = True
    """Whether it ever searches again."""
    whole: ClassVar[bool] = True
    """Whether it searches for all queries, or for those of the next batch alone."""

    searches: ClassVar[bool] = True
    """Whether it searches for candidates again, or draws from the first ones."""

    @property
    def behind(self) -> int:
        """By how many steps the encoder that searched is older; above 0 a second process searches meanwhile."""
        return 0

    @abstractmethod
    def due(self, ends: Sequence[int]) -> list[int]:
        """Return after which optimizer steps rows change, ascending and all before the last one; 0 is before the first.

        ``ends`` holds the number of steps that are done at the end of each epoch.
        """
