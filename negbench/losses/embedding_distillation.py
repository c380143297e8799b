"""A loss that also has the encoder's vectors imitate a teacher's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from negbench.losses import ScoredBatch, over
from negbench.losses.wrapper import AddedTerm
from negbench.requirements import PairTarget, TeacherMatch
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder

if TYPE_CHECKING:
    from torch import Tensor


class EmbeddingDistillation(AddedTerm):
    """Any loss and, beside it, the cosine distance of the encoder's vectors to those of a teacher for the same texts.

    The distance of the query's vector, plus the mean distance of the vectors of the row's positive and its mined
    negatives: jina-embeddings-v5, arXiv 2602.15547, eq. 1, with weight 2, whose texts are queries and positives;
    EmbeddingGemma, arXiv 2509.20354, eq. 5, added mined negatives. Labels have no say in it. Where a teacher's vectors
    have another dimension, a matrix takes the encoder's to them. Differs from jina-embeddings-v5 in: the matrix is the
    orthogonal one that brings the encoder's vectors before training nearest to the teacher's, and stays (there it is
    learned, with a constant); a row weighs its documents alike, however many they are.
    """

    name: ClassVar[str] = "embedding-distillation"

    teacher: Teacher = Field(
        default_factory=BiEncoder, description="Bi-encoder whose vectors the encoder's should point the same way as."
    )

    @field_validator("teacher")
    @classmethod
    def _has_vectors(cls, teacher: Teacher) -> Teacher:
        if not isinstance(teacher, BiEncoder):
            raise ValueError(f"{teacher.name} has no vectors; give a bi-encoder")
        return teacher

    @property
    def requires(self) -> tuple[PairTarget, ...]:
        return (*self.loss.requires, TeacherMatch(self.teacher))

    def term(self, batch: ScoredBatch) -> Tensor:
        """Return the distances of each row, float32 [B], from 0 to 4."""
        match = self.target_scores(batch, TeacherMatch)
        own = batch.mined().scatter(1, batch.positive_column[:, None], value=True)
        return over(2 - match.nan_to_num(0.0), own & ~match.isnan())
