"""Losses: what is asked of the scores of queries against the documents of a batch. One file a loss."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from negbench.parts import Part

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch of B training rows, scored against its D distinct documents.

    ``scores`` float32 [B, D]: the similarity of each row's query to every document. ``target`` int64 [B]: the column
    of the row's positive. ``relevant`` bool [B, D]: known positives of the row's query, its own among them, wherever
    in the batch they came from. ``own`` bool [B, D]: the row's mined negatives.
    """

    scores: Tensor
    target: Tensor
    relevant: Tensor
    own: Tensor

    def positive(self) -> Tensor:
        """Return the score of each row's positive [B, 1]."""
        return self.scores.gather(1, self.target[:, None])

    def negative(self) -> Tensor:
        """Return bool [B, D]: the documents that are negatives for a row: all but its query's known positives."""
        return ~self.relevant


class Loss(Part):
    """A loss over the scores of a batch."""

    kind: ClassVar[str] = "loss"

    @abstractmethod
    def rows(self, batch: Scored) -> Tensor:
        """Return the loss of each row, float32 [B]; training takes their weighted mean."""

    def mean(self, batch: Scored, weights: Tensor) -> Tensor:
        """Return what training minimises: the mean over rows, by ``weights`` float32 [B]; 0 where all are 0."""
        found: Tensor = (self.rows(batch) * weights).sum() / weights.sum().clamp(min=1e-9)
        return found
