"""A loss whose rows count the less, the better they are solved."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import ScoredBatch
from negbench.losses.wrapper import Wrapper

if TYPE_CHECKING:
    from torch import Tensor


class Focal(Wrapper):
    """A softmax loss -log p with the weight (1 - p)^gamma on each row, p being what the softmax gives its positive.

    Lin et al. 2017, arXiv 1708.02002, with 2 for gamma; over queries in KaLM-Embedding-V2, Zhao et al. 2025, arXiv
    2506.20923, whose gamma could not be read. Gradients flow through the weight. At gamma 0 it is the loss itself.
    Around losses that are no -log p, p is exp(-loss), at most 1.
    """

    name: ClassVar[str] = "focal"

    gamma: float = Field(
        default=2.0, ge=0, le=10, description="How much rows that are solved lose weight; 0 weighs all alike."
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        values = self.loss.rows(batch)
        left = 1 - (-values.clamp(min=0)).exp()
        return values * left.clamp(min=1e-12) ** self.gamma if self.gamma else values
