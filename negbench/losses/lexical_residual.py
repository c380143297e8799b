"""InfoNCE over the encoder's score and BM25's together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.requirements import LexicalTargets

if TYPE_CHECKING:
    from torch import Tensor


class LexicalResidual(Loss):
    """Softmax cross-entropy over s / t + weight * BM25, so that the encoder learns what BM25 leaves.

    After CLEAR, Gao et al. 2021, arXiv 2004.13969. Differs from the paper in: CLEAR has a hinge on single triplets,
    whose margin shrinks by BM25's (margin-hinge with ``lexical``); here it is one softmax, over all documents of the
    batch. CLEAR adds BM25 at search, too; here the encoder is evaluated alone.

    BM25 is that of this collection's index. It is known of a row's positive and mined negatives; where it is not, for
    the documents of other queries and for written ones, it counts as 0, as where no term is shared.
    """

    name: ClassVar[str] = "lexical-residual"

    temperature: float = Field(default=0.05, gt=0, description="Divisor of the encoder's scores.")
    weight: float = Field(default=0.1, ge=0, description="Logits added per unit of BM25 score.")

    @property
    def requires(self) -> tuple[LexicalTargets]:
        return (LexicalTargets(),)

    def rows(self, batch: ScoredBatch) -> Tensor:
        lexical = self.weight * self.target_scores(batch, LexicalTargets).nan_to_num(0.0)
        summed = replace(batch, scores=batch.scores / self.temperature + lexical)
        return InfoNCE(temperature=1.0).rows(summed)
