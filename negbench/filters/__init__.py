"""Filters: throw candidates out before anything is drawn, in the order given. One file a filter.

Known positives, all of a query's, and the query's own document are always out and need no filter.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from negbench.parts import Part
from negbench.teachers import Teacher
from negbench.types import Bool, CandidatePool


class Filter(Part):
    """A rule that marks candidates to throw out.

    Ranks are those of the raw ranking, known positives counted, whatever earlier filters took away.
    """

    kind: ClassVar[str] = "filter"

    @property
    def needed_depth(self) -> int:
        """How many ranks of the pool the filter wants to look at; 0 means whatever there is."""
        return 0

    @property
    def asks(self) -> tuple[Teacher, int] | None:
        """The teacher whose scores the filter needs, and for how many raw ranks; None needs none."""
        return None

    @abstractmethod
    def throws_out(self, pool: CandidatePool) -> Bool:
        """Return [Q, K]: candidates to throw out."""
