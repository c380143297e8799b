"""Label rules: change what counts as a positive before anything is drawn. One file a rule."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negbench.asks import Asking
from negbench.types import Bool, CandidatePool, Float32


@dataclass(frozen=True, slots=True)
class Labels:
    """What is believed of a pool of Q queries.

    ``promoted`` [Q, K] marks candidates that count as positives from now on: they are never drawn, and stand in for a
    labelled positive now and then. ``trust`` [Q, P] weighs the labelled positives: 1 as they are, 0 takes their
    training rows out of the loss, though not out of the batch.
    """

    promoted: Bool
    trust: Float32

    @classmethod
    def given(cls, pool: CandidatePool) -> Labels:
        """Return the labels as the collection has them."""
        return cls(np.zeros(pool.documents.shape, np.bool_), np.ones(pool.positives.shape, np.float32))


class LabelRule(Asking):
    """A rule that changes labels. It sees the whole pool, before any filter."""

    kind: ClassVar[str] = "label-rule"

    @abstractmethod
    def judge(self, pool: CandidatePool, labels: Labels) -> Labels:
        """Return the labels after this rule."""
