"""Losses around another loss."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.requirements import PairTarget

if TYPE_CHECKING:
    from torch import Tensor


class Wrapper(Loss):
    """A loss that contains another, whose targets it requires and whose traits it has."""

    loss: Loss = Field(default_factory=InfoNCE, description="The loss that this one is put around.")

    @property
    def requires(self) -> tuple[PairTarget, ...]:
        return self.loss.requires

    @property
    def further_positives(self) -> int:
        return self.loss.further_positives

    @property
    def mined_only(self) -> bool:
        return self.loss.mined_only

    @property
    def couples_rows(self) -> bool:
        return self.loss.couples_rows

    @property
    def leading_dimensions(self) -> int:
        return self.loss.leading_dimensions

    @property
    def stops_gradient(self) -> bool:
        return self.loss.stops_gradient

    @property
    def unweighted_term(self) -> bool:
        return self.loss.unweighted_term


class AddedTerm(Wrapper):
    """A loss and, beside it, ``weight`` times a term of each row."""

    weight: float = Field(default=1.0, ge=0, description="Weight of the term that is added to the loss.")

    @abstractmethod
    def term(self, batch: ScoredBatch) -> Tensor:
        """Return the term of each row, float32 [B]."""

    def rows(self, batch: ScoredBatch) -> Tensor:
        return self.loss.rows(batch) + self.weight * self.term(batch)

    def mean(self, batch: ScoredBatch, weights: Tensor) -> Tensor:
        """Return the loss's own mean, and the term's mean over rows, by ``weights`` float32 [B]."""
        term = (self.term(batch) * weights).sum() / weights.sum().clamp(min=1e-9)
        return self.loss.mean(batch, weights) + self.weight * term
