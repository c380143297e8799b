"""A hinge on single triplets, and its lexical form."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over
from negbench.requirements import LexicalTargets

if TYPE_CHECKING:
    from torch import Tensor


class MarginHinge(Loss):
    """The positive should beat each mined negative by a margin: max(0, margin - (s+ - s-)).

    The triplet loss, Schroff et al. 2015, arXiv 1503.03832. With ``lexical`` l the margin is
    margin - l * (BM25(q, d+) - BM25(q, d-)): the encoder has to add what BM25 lacks. This is the lexical term of RANCE,
    10.1145/3404835.3463106, with margin 1 and l 0.1 over raw dot products. Differs from the paper in: BM25 is that of
    this collection's index; a written negative has no BM25 score, and the plain margin.
    """

    name: ClassVar[str] = "margin-hinge"
    mined_only: ClassVar[bool] = True

    margin: float = Field(
        default=0.2, gt=0, description="Margin between positive and negative, in score units; 0.2 suits cosines."
    )
    lexical: float = Field(
        default=0.0,
        ge=0,
        description="Score units that the margin loses per unit of BM25 difference; 0 is the plain triplet loss.",
    )

    @property
    def requires(self) -> tuple[LexicalTargets, ...]:
        return (LexicalTargets(),) if self.lexical else ()

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the mean hinge over the row's mined negatives; 0 without any."""
        import torch

        margin = torch.full_like(batch.scores, self.margin)
        if self.lexical:
            targets = self.target_scores(batch, LexicalTargets)
            margin = margin - self.lexical * (targets.gather(1, batch.positive_column[:, None]) - targets).nan_to_num(
                0.0
            )
        return over((margin - (batch.positive() - batch.scores)).clamp(min=0), batch.mined())
