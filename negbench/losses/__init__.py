"""Losses: what is asked of the scores of queries against the documents of a batch. One file a loss."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from negbench.parts import Part

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Part):
    """A loss over the scores of a batch."""

    kind: ClassVar[str] = "loss"

    @abstractmethod
    def compute(self, scores: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        """Return the mean loss of the batch, a scalar.

        ``scores`` float32 [B, D] is the similarity of each row's query to every distinct document of the batch;
        ``target`` int64 [B] is the column of the row's positive; ``counted`` bool [B, D] is False where the document
        is another known positive of the query, which must not count as a negative. The target itself is counted.
        """
