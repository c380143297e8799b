"""What filters, samplers and label rules may ask about candidates beyond ids and scores, and losses about pairs.

An ask is a frozen value; the plan turns it into a stage whose answer is stored, shared, and put into the pool before
the part sees it, or handed to the loss with each batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from negbench.parts import Part
from negbench.retrieval.bm25 import BM25
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder


@dataclass(frozen=True)
class TeacherScores:
    """A teacher's scores of the first ``depth`` raw ranks and of the labelled positives.

    Fills ``teacher_scores`` and ``positive_teacher_scores``.
    """

    teacher: Teacher
    depth: int


@dataclass(frozen=True)
class NearDuplicates:
    """Which documents say the same: texts whose word shingles have a Jaccard similarity of ``threshold`` or more.

    1 means equal texts after normalisation. Fills ``groups`` and ``positive_groups``.
    """

    threshold: float


@dataclass(frozen=True)
class PositiveSimilarity:
    """How similar each candidate is to the labelled positive that is nearest to it, by the starting encoder.

    Fills ``similarity``.
    """


@dataclass(frozen=True)
class JudgedRanks:
    """How often a document of each rank is relevant, on the queries of ``split``. Fills ``judged``."""

    split: str = "dev"


Ask = TeacherScores | NearDuplicates | PositiveSimilarity | JudgedRanks


@dataclass(frozen=True)
class TeacherTargets:
    """A teacher's score of each training query with its positives and its mined negatives, whatever their origin."""

    teacher: Teacher


@dataclass(frozen=True)
class LexicalTargets:
    """BM25's score of each training query with its positives and its mined negatives; none of written ones."""

    bm25: BM25


@dataclass(frozen=True)
class GuideTargets:
    """Another encoder's cosine of each query with every document of the batch."""

    guide: BiEncoder


@dataclass(frozen=True)
class AverageTargets:
    """The score that a copy of the encoder gives each query with every document of the batch, as training goes on.

    The copy's weights begin as the encoder's and, after each step, keep ``decay`` of themselves and take the rest from
    it. No stage answers: training does.
    """

    decay: float


@dataclass(frozen=True)
class CacheTargets:
    """Log of the sum of exp(score / temperature) over what a query's negative was drawn among, by a cache's vectors.

    There is one for the negative of this step, and for no other. No stage answers: the search does.
    """

    temperature: float


TargetAsk = TeacherTargets | LexicalTargets | GuideTargets | AverageTargets | CacheTargets
"""What a loss may ask about pairs of query and document."""


class Asking(Part):
    """A part that looks at a candidate pool."""

    kind: ClassVar[str] = ""

    @property
    def needed_depth(self) -> int:
        """How many ranks of the pool the part wants to look at; 0 means whatever there is."""
        return int(getattr(self, "depth", None) or 0)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What the part has to be told: the scores of its ``teacher``, where it has such a field, else nothing."""
        teacher = getattr(self, "teacher", None)
        return () if teacher is None else (TeacherScores(teacher, self.needed_depth),)
