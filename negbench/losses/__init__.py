"""Losses: what is asked of the scores of queries against the documents of a batch. One file a loss."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from negbench.asks import GuideTargets, TargetAsk
from negbench.parts import Part

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch of B training rows, scored against its D distinct documents.

    ``scores`` float32 [B, D]: the similarity of each row's query to every document. ``target`` int64 [B]: the column
    of the row's positive. ``relevant`` bool [B, D]: known positives of the row's query, its own among them, wherever
    in the batch they came from. ``own`` bool [B, D]: the row's mined negatives.

    ``beside`` float32 [B, D]: the similarity of the row's positive to every document. ``targets`` float32 [B, D]: what
    the loss asked for about query and document, NaN where there is no answer; None where it asked for nothing.
    ``guide`` float32 [B, D]: a guide's cosines, where the loss is also ``guided``.
    """

    scores: Tensor
    target: Tensor
    relevant: Tensor
    own: Tensor
    beside: Tensor | None = None
    targets: Tensor | None = None
    guide: Tensor | None = None

    def positive(self) -> Tensor:
        """Return the score of each row's positive [B, 1]."""
        return self.scores.gather(1, self.target[:, None])

    def negative(self) -> Tensor:
        """Return bool [B, D]: the documents that are negatives for a row: all but its query's known positives."""
        return ~self.relevant

    def mined(self) -> Tensor:
        """Return bool [B, D]: the row's mined negatives, without those that are known positives."""
        return self.own & ~self.relevant

    def counted(self) -> Tensor:
        """Return bool [B, D]: the row's positive and all negatives, which is what a softmax runs over."""
        return (~self.relevant).scatter(1, self.target[:, None], value=True)

    def told(self) -> Tensor:
        """Return ``targets`` of a loss that asked for some."""
        assert self.targets is not None, "the batch carries no targets"
        return self.targets


class Loss(Part):
    """A loss over the scores of a batch."""

    kind: ClassVar[str] = "loss"
    mined_only: ClassVar[bool] = False
    """Whether it looks at mined negatives alone: without any, there is nothing to learn."""

    @property
    def asks(self) -> TargetAsk | None:
        """What it has to be told about pairs of query and document (``Scored.targets``); None for nothing."""
        return None

    @property
    def guided(self) -> GuideTargets | None:
        """The guide whose cosines it has to be told beside (``Scored.guide``), of a loss that asks two."""
        return None

    @abstractmethod
    def rows(self, batch: Scored) -> Tensor:
        """Return the loss of each row, float32 [B]; training takes their weighted mean."""

    def mean(self, batch: Scored, weights: Tensor) -> Tensor:
        """Return what training minimises: the mean over rows, by ``weights`` float32 [B]; 0 where all are 0."""
        found: Tensor = (self.rows(batch) * weights).sum() / weights.sum().clamp(min=1e-9)
        return found


def over(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean of each row's ``values`` [B, D] over what is ``chosen`` bool [B, D]; 0 where that is nothing.

    What is not chosen gets no gradient at all; it may be infinite, but not NaN.
    """
    import torch

    return torch.where(chosen, values, 0.0).sum(1) / chosen.sum(1).clamp(min=1)
