"""GISTEmbed: a guide says which negatives are false."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from negbench.losses import Loss, ScoredBatch
from negbench.requirements import GuideTargets
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder, require_bi_encoder

if TYPE_CHECKING:
    from torch import Tensor


class Gist(Loss):
    """InfoNCE without the negatives, in-batch and mined, that a guide puts nearer to the query than its positive.

    GISTEmbed, Solatorio 2024, arXiv 2402.16829. Differs from the paper in: queries are compared with documents alone
    (the paper also pushes queries from queries and documents from documents); sentence-transformers' GISTEmbedLoss
    does the same with contrast_anchors and contrast_positives off.
    """

    name: ClassVar[str] = "gist"

    temperature: float = Field(default=0.05, gt=0, description="Divisor of the scores before the softmax.")
    margin: float = Field(
        default=0.0,
        ge=0,
        description="Distance below the positive's cosine, by the guide, from which on negatives are masked.",
    )
    guide: Teacher = Field(
        default_factory=BiEncoder, description="Bi-encoder whose cosines decide which negatives are masked."
    )

    @field_validator("guide")
    @classmethod
    def _quick(cls, guide: Teacher) -> Teacher:
        return require_bi_encoder(guide)

    @property
    def requires(self) -> tuple[GuideTargets]:
        return (GuideTargets(self.guide),)

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return -log softmax at the target over what the guide leaves."""
        from torch.nn.functional import cross_entropy

        targets = self.target_scores(batch, GuideTargets)
        masked = targets > targets.gather(1, batch.positive_column[:, None]) - self.margin
        masked = (masked | ~batch.counted()).scatter(1, batch.positive_column[:, None], value=False)
        logits = (batch.scores / self.temperature).masked_fill(masked, float("-inf"))
        return cross_entropy(logits, batch.positive_column, reduction="none")
