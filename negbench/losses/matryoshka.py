"""A loss of whole vectors and of their leading dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator, model_validator

from negbench.errors import PartError
from negbench.losses import ScoredBatch
from negbench.losses.wrapper import Wrapper
from negbench.requirements import TeacherMatch, find

if TYPE_CHECKING:
    from torch import Tensor

HALVINGS = 3
"""Number of dimensions where none are given: a half, a quarter and an eighth of the vector."""


class Matryoshka(Wrapper):
    """Any loss of the whole vectors, plus that of their first dimensions, so that vectors can be cut off.

    Matryoshka representation learning, Kusupati et al. 2022, arXiv 2205.13147. Cosines are those of the shortened
    vectors, brought back to length 1. The whole vector always counts, with weight 1: this is sentence-transformers'
    MatryoshkaLoss with the encoder's own dimension among its own. Targets of a teacher are the same for all. Differs
    from the paper in: dot products of shortened vectors are not made cosines.
    """

    name: ClassVar[str] = "matryoshka"

    dimensions: tuple[int, ...] = Field(
        default=(),
        description=(
            "Numbers of leading dimensions that count beside the whole vector; none for its half, quarter and eighth."
        ),
    )
    weights: tuple[float, ...] = Field(
        default=(), description="Weights of the losses of `dimensions`, in their order; none for 1 each."
    )

    @field_validator("dimensions")
    @classmethod
    def _each_once(cls, dimensions: tuple[int, ...]) -> tuple[int, ...]:
        if any(count < 1 for count in dimensions) or len(set(dimensions)) < len(dimensions):
            raise ValueError("each number of dimensions is 1 or more, and counts once: correct them")
        return dimensions

    @model_validator(mode="after")
    def _fits(self) -> Matryoshka:
        if self.weights and len(self.weights) != len(self.dimensions):
            raise ValueError(f"{len(self.weights)} weights for {len(self.dimensions)} dimensions; give one for each")
        if any(weight < 0 for weight in self.weights):
            raise ValueError("expected weights of 0 or more")
        if find(self.loss.requires, TeacherMatch) is not None:
            raise ValueError("embedding-distillation compares whole vectors; write it around matryoshka, not inside")
        if any(it.in_training for it in self.loss.requires):
            raise ValueError(
                f"loss {self.loss.name} compares whole vectors, and cannot stand inside matryoshka; choose another"
            )
        return self

    @property
    def leading_dimensions(self) -> int:
        return max(*self.dimensions, self.loss.leading_dimensions, 0)

    def rows(self, batch: ScoredBatch) -> Tensor:
        rows = self.loss.rows(batch)
        for weight, part in self._parts(batch):
            rows = rows + weight * self.loss.rows(part)
        return rows

    def mean(self, batch: ScoredBatch, weights: Tensor) -> Tensor:
        """Return the sum of the loss's own means, by ``weights`` float32 [B] of rows."""
        mean = self.loss.mean(batch, weights)
        for weight, part in self._parts(batch):
            mean = mean + weight * self.loss.mean(part, weights)
        return mean

    def _parts(self, batch: ScoredBatch) -> Iterator[tuple[float, ScoredBatch]]:
        """Yield the weight and the batch of each number of leading dimensions."""
        assert batch.query_vectors is not None, "the batch carries no vectors"
        width = batch.query_vectors.shape[1]
        dimensions = self.dimensions or tuple(width // 2**i for i in range(1, HALVINGS + 1) if width >= 2**i)
        if max(dimensions, default=0) >= width:
            raise PartError(self, f"takes {max(dimensions)} leading dimensions of vectors that have {width}")
        for weight, count in zip(self.weights or (1.0,) * len(dimensions), dimensions, strict=True):
            yield weight, batch.leading(count)
