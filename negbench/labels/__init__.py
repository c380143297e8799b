"""Label rules: change what counts as a positive before anything is drawn. One file a rule."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negbench.requirements import PoolPart
from negbench.types import Bool, CandidatePool, Float32


@dataclass(frozen=True, slots=True)
class Labels:
    """Relevance labels of a candidate pool of Q queries, as label rules change them.

    ``promoted`` [Q, K] marks candidates that count as positives from now on: they are never drawn, and stand in for a
    labelled positive now and then. ``positive_weights`` [Q, P] weighs the labelled positives: 1 as they are, 0 takes
    their training rows out of the loss, though not out of the batch.
    """

    promoted: Bool
    positive_weights: Float32

    @classmethod
    def given(cls, pool: CandidatePool) -> Labels:
        """Return the collection's labels, unchanged: no promotions [Q, K], every positive's weight 1."""
        return cls(np.zeros(pool.documents.shape, np.bool_), np.ones(pool.positives.shape, np.float32))


class LabelRule(PoolPart):
    """A rule that changes labels. It sees the whole pool, before any filter."""

    kind: ClassVar[str] = "label-rule"

    @abstractmethod
    def apply(self, pool: CandidatePool, labels: Labels) -> Labels:
        """Return ``labels`` as this rule changes them, with the pool at hand."""
