"""Repairs: exchange the false negatives of a draw, by the truth, to see what they cost. One file a repair.

A repair is an oracle: it reads what no way of mining may know. It serves experiments alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from negbench.errors import PartError
from negbench.mining import with_copies
from negbench.part_checks import check_ranking
from negbench.registry import Part
from negbench.types import Bool, CandidatePool, Int32, Negatives, Qrels


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """What a repair knows of Q queries.

    ``pool``: the candidates as the sampler saw them, promoted ones known and filtered ones excluded. ``relevant``:
    every pair that the truth calls relevant. ``own`` [Q]: the query's own document row, below 0 for none. ``size``:
    documents in the corpus; rows from there on were written. ``seed``: the trial's. ``copies``: the rows of all
    documents with the same text, for each that is not alone, where a copy of a known positive is known. ``epoch``: the
    epoch whose draw is repaired; each has chances of its own.
    """

    pool: CandidatePool
    relevant: Qrels
    own: Int32
    size: int
    seed: int
    copies: Mapping[int, Int32] = field(default_factory=dict)
    epoch: int = 0

    def false(self, drawn: Negatives) -> Bool:
        """Return [Q, k]: the negatives that are relevant."""
        return self.relevant.contains(drawn.queries[:, None], drawn.documents)

    def found(self, drawn: Negatives) -> Bool:
        """Return [Q, k]: the negatives that stand in the corpus."""
        return (drawn.documents >= 0) & (drawn.documents < self.size)

    def positives(self, drawn: Negatives, query: int) -> set[int]:
        """Return the rows that are known to answer a query (by position): labelled, promoted, and its own document."""
        known = {*self.pool.positives[query].tolist(), *drawn.promoted[query].tolist(), int(self.own[query])}
        return {row for row in with_copies(known, self.copies) if row >= 0}


class Repair(Part):
    """A change of a draw's false negatives, by the truth."""

    kind: ClassVar[str] = "repair"

    @abstractmethod
    def apply(self, drawn: Negatives, oracle: Oracle) -> Negatives:
        """Return the negatives after the repair: as many as before, in the same slots.

        A document from outside of the pool counts as filled: origin 1, rank -1, score NaN.
        """

    def checked(self, drawn: Negatives, oracle: Oracle) -> Negatives:
        """Return what ``apply`` does after a check.

        Raises PartError for another shape, and for a document that is not in the corpus, is a known positive, or stands
        there twice. Synthetic negatives may stay.
        """
        mended = self.apply(drawn, oracle)
        if mended.documents.shape != drawn.documents.shape:
            raise PartError(
                self, f"returned {list(mended.documents.shape)} negatives; expected {list(drawn.documents.shape)}"
            )
        check_ranking(self, mended.documents, max(oracle.size, int(drawn.documents.max(initial=-1)) + 1))
        for query, row in enumerate(mended.documents.tolist()):
            if known := oracle.positives(mended, query).intersection(row):
                raise PartError(self, f"query {query}: {min(known)} is a known positive")
        return mended
