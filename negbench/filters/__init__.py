"""Filters: throw candidates out before anything is drawn, in the order given. One file a filter.

Known positives, all of a query's, and the query's own document are always out and need no filter.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from negbench.requirements import PoolPart
from negbench.types import Bool, CandidatePool


class Filter(PoolPart):
    """A rule that marks candidates to throw out.

    Ranks are those of the raw ranking, known positives counted, whatever earlier filters took away.
    """

    kind: ClassVar[str] = "filter"
    depends_on_known: ClassVar[bool] = False
    """Whether what it keeps depends on which candidates are known positives, as where it compares unlabelled ones."""

    def nothing_left(self, corpus_size: int | None) -> str:
        """Return why no candidate can pass in a corpus of so many documents; empty where one can."""
        return ""

    @abstractmethod
    def reject(self, pool: CandidatePool) -> Bool:
        """Return a mask [Q, K] of the candidates to throw out."""
