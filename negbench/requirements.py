"""Requirements of parts beyond ids and scores: features of a candidate pool, and a loss's targets for pairs.

A requirement is a frozen value of a class defined here or in another package. A stage class names in
``provides`` the requirement class that it answers, and is registered when it is defined. The plan looks it up and lets
it make the stage, whose output is stored, shared, and put into the pool or passed to the loss with each batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from negbench.errors import PartError
from negbench.features import Feature, PerCandidate, PerCandidateAndPositive, PerRank
from negbench.registry import Part
from negbench.teachers import Teacher
from negbench.types import CandidatePool

R = TypeVar("R", bound="Requirement")
V = TypeVar("V", bound=Feature)
T = TypeVar("T")


@dataclass(frozen=True)
class Requirement:
    """An input that a part requires; subclasses are frozen dataclasses whose fields are its parameters."""

    in_training: ClassVar[bool] = False
    """Whether training itself provides it at each step, so that there is no stage."""

    @property
    def cost(self) -> str:
        """The extra work that it costs a method, in words, for lists of methods; empty for none."""
        return type(self).__name__

    @property
    def teachers(self) -> tuple[Teacher, ...]:
        """The teachers among the fields."""
        values = [getattr(self, field.name) for field in fields(self)]
        return tuple(value for value in values if isinstance(value, Teacher))

    def merged(self, other: Self) -> Self:
        """Return one requirement that serves two parts of a method; ValueError where none does."""
        if self != other:
            raise ValueError(f"its parts require {type(self).__name__} with different parameters; give them the same")
        return self


def merged(requirements: Iterable[R]) -> list[R]:
    """Return one requirement per class, in order of first appearance; ValueError where two conflict."""
    by_class: dict[type[R], R] = {}
    for requirement in requirements:
        kind = type(requirement)
        by_class[kind] = by_class[kind].merged(requirement) if kind in by_class else requirement
    return list(by_class.values())


def find(requirements: Iterable[Requirement], kind: type[R]) -> R | None:
    """Return the first requirement of class ``kind``; None where there is none."""
    return next((requirement for requirement in requirements if isinstance(requirement, kind)), None)


class Provider:
    """A base of stage classes that answer requirements: a subclass with ``provides`` is registered when defined."""

    provides: ClassVar[type[Requirement]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "provides" not in cls.__dict__:
            return
        holder = _PROVIDERS.setdefault(cls.provides, cls)
        if (holder.__module__, holder.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"{cls.provides.__name__} is provided twice: by {holder.__module__} and {cls.__module__}")


_PROVIDERS: dict[type[Requirement], type[Provider]] = {}


def providers(base: type[T]) -> dict[type[Requirement], type[T]]:
    """Return the registered subclasses of ``base`` by what they provide, in the order in which they were defined."""
    return {kind: cast("type[T]", stage) for kind, stage in _PROVIDERS.items() if issubclass(stage, base)}


@dataclass(frozen=True)
class PoolFeature(Requirement, Generic[V]):
    """A feature of a candidate pool, as filters, samplers and label rules require it.

    V is the shape of its values, one of ``features`` or another subclass of ``Feature``.
    """

    beside_refresh: ClassVar[str] = "requires what is known of the first candidates alone"
    """Why a part that requires it is refused where candidates are searched again; empty where it is computed again."""


@dataclass(frozen=True)
class TeacherScores(PoolFeature[PerCandidateAndPositive]):
    """A teacher's scores, float32, of the first ``depth`` raw ranks and of the labelled positives; NaN for others."""

    beside_refresh: ClassVar[str] = "asks a teacher, who scored the first candidates alone"

    teacher: Teacher
    depth: int

    @property
    def cost(self) -> str:
        return f"a teacher's scores of {f'{self.depth} ranks a query' if self.depth else 'the positives'}"

    def merged(self, other: Self) -> Self:
        """Return the deeper of the two; ValueError for different teachers."""
        if self.teacher != other.teacher:
            raise ValueError("its parts use different teachers; give them the same one")
        return max(self, other, key=lambda requirement: requirement.depth)


@dataclass(frozen=True)
class NearDuplicates(PoolFeature[PerCandidateAndPositive]):
    """Groups of near-duplicate documents, int32: those of one group share a number, -1 is padding.

    Documents are near-duplicates where the Jaccard similarity of their word shingles is ``threshold`` or more; 1 means
    equal texts after normalisation.
    """

    beside_refresh: ClassVar[str] = ""

    threshold: float

    @property
    def cost(self) -> str:
        return "a search for near-duplicates"

    def merged(self, other: Self) -> Self:
        if self != other:
            raise ValueError("near-duplicates at different thresholds; give them the same")
        return self


@dataclass(frozen=True)
class PositiveSimilarity(PoolFeature[PerCandidate]):
    """Similarity, float32, of each candidate to the nearest labelled positive by the encoder that finds candidates.

    NaN where a query has no positive.
    """

    beside_refresh: ClassVar[str] = ""

    @property
    def cost(self) -> str:
        return "similarities to the positives"


@dataclass(frozen=True)
class AdapterScores(PoolFeature[PerCandidate]):
    """Probability, float32, that each candidate is relevant, by a classifier of the vectors of query and document.

    The vectors are those of the encoder that finds candidates. A query is judged by a classifier that was trained on
    the labels of other queries. NaN past the end of a list.
    """

    beside_refresh: ClassVar[str] = ""

    @property
    def cost(self) -> str:
        return "a classifier of vectors"


@dataclass(frozen=True)
class RelevanceByRank(PoolFeature[PerRank]):
    """Share of the queries of ``split``, float64, whose document of each rank is relevant."""

    beside_refresh: ClassVar[str] = ""

    split: str = "dev"

    @property
    def cost(self) -> str:
        return f"a search for the {self.split} queries"


@dataclass(frozen=True)
class PairTarget(Requirement):
    """A score of query and document, float32, that a loss uses as a target.

    A stage provides it for the first negatives alone, training itself for the negatives of each step.
    """

    replayable: ClassVar[bool] = True
    """Whether it can be computed again after the training, of all batches (``stages.evaluation.gradient``)."""
    one_negative: ClassVar[bool] = False
    """Whether it is only defined for one negative a row."""


@dataclass(frozen=True)
class TeacherTargets(PairTarget):
    """A teacher's score of each training query with its positives and its mined negatives, whatever their origin."""

    teacher: Teacher

    @property
    def cost(self) -> str:
        return "a teacher's scores of what is trained with"


@dataclass(frozen=True)
class LexicalTargets(PairTarget):
    """BM25's score of each training query with its positives and its mined negatives; none of synthetic ones."""

    @property
    def cost(self) -> str:
        return "a BM25 index"


@dataclass(frozen=True)
class GeneratedPairs(PairTarget):
    """1 for each negative that was generated for the training query, 0 for its other documents."""

    @property
    def cost(self) -> str:
        return ""


@dataclass(frozen=True)
class PairNoise(PairTarget):
    """A random number in (0, 1) for each training query with its positives and its negatives, the same at each step."""

    @property
    def cost(self) -> str:
        return ""


@dataclass(frozen=True)
class GuideTargets(PairTarget):
    """The cosine of each query with every document of the batch by ``guide``, a bi-encoder."""

    guide: Teacher

    @property
    def cost(self) -> str:
        return "what is trained with encoded by a guide"


@dataclass(frozen=True)
class TeacherMatch(PairTarget):
    """How near the encoder's vectors of query and document are to a teacher's: the sum of the two cosines.

    A stage provides the vectors of ``teacher``, a bi-encoder, and training compares them with its own at each step.
    """

    replayable: ClassVar[bool] = False

    teacher: Teacher

    @property
    def cost(self) -> str:
        return "what is trained with encoded by a teacher"


@dataclass(frozen=True)
class AverageTargets(PairTarget):
    """The score that a copy of the encoder gives each query with every document of the batch, as training goes on.

    The copy's weights begin as the encoder's and, after each step, keep ``decay`` of themselves and take the rest from
    it. In a replay the encoder's own scores replace the copy's.
    """

    in_training: ClassVar[bool] = True

    decay: float

    @property
    def cost(self) -> str:
        return "each batch encoded by a copy, too"


@dataclass(frozen=True)
class CacheTargets(PairTarget):
    """Log of the sum of exp(score / temperature) over the candidates of a query's draw, by cached vectors.

    The search for the step's negatives computes it; it is not stored.
    """

    in_training: ClassVar[bool] = True
    replayable: ClassVar[bool] = False
    one_negative: ClassVar[bool] = True

    temperature: float

    @property
    def cost(self) -> str:
        return ""


class PoolPart(Part):
    """A part that reads a candidate pool."""

    kind: ClassVar[str] = ""

    @property
    def needed_depth(self) -> int:
        """Number of ranks of the pool that the part reads; 0 means all."""
        return int(getattr(self, "depth", None) or 0)

    @property
    def requires(self) -> tuple[PoolFeature[Any], ...]:
        """The features that it reads: the scores of its ``teacher``, where it has such a field, else none."""
        teacher = getattr(self, "teacher", None)
        return () if teacher is None else (TeacherScores(teacher, self.needed_depth),)

    def feature(self, pool: CandidatePool, kind: type[PoolFeature[V]]) -> V:
        """Return a feature of the pool that the part requires; PartError where it does not, or the pool has none."""
        if find(self.requires, kind) is None:
            raise PartError(self, f"reads {kind.__name__}, which it does not require")
        if kind not in pool.features:
            raise PartError(self, f"requires {kind.__name__}, and the pool has none")
        return cast("V", pool.features[kind])
