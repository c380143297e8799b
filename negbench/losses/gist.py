"""GISTEmbed: a guide says which negatives are false."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from negbench.asks import GuideTargets
from negbench.losses import Loss, Scored
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder, quick

if TYPE_CHECKING:
    from torch import Tensor


class Gist(Loss):
    """InfoNCE without the negatives, in-batch and mined, that a guide puts nearer to the query than its positive.

    GISTEmbed, Solatorio 2024, arXiv 2402.16829. Differs from the paper in: queries are compared with documents alone
    (the paper also pushes queries from queries and documents from documents); sentence-transformers' GISTEmbedLoss
    does the same with contrast_anchors and contrast_positives off.

    temperature: divides the scores. margin: how far below the positive, in the guide's cosines, masking begins.
    guide: the encoder that is asked, a bi-encoder.
    """

    name: ClassVar[str] = "gist"

    temperature: float = Field(default=0.05, gt=0)
    margin: float = Field(default=0.0, ge=0)
    guide: Teacher = Field(default_factory=BiEncoder)

    @field_validator("guide")
    @classmethod
    def _quick(cls, guide: Teacher) -> Teacher:
        return quick(guide)

    @property
    def asks(self) -> GuideTargets:
        """The guide's cosines."""
        assert isinstance(self.guide, BiEncoder)
        return GuideTargets(self.guide)

    def rows(self, batch: Scored) -> Tensor:
        """Return -log softmax at the target over what the guide leaves."""
        from torch.nn.functional import cross_entropy

        targets = batch.told()
        masked = targets > targets.gather(1, batch.target[:, None]) - self.margin
        masked = (masked | ~batch.counted()).scatter(1, batch.target[:, None], value=False)
        logits = (batch.scores / self.temperature).masked_fill(masked, float("-inf"))
        return cross_entropy(logits, batch.target, reduction="none")
