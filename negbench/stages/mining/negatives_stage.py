"""The base of the stages that hold training negatives, and the position of negatives in their pool."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from negbench.evaluation.breakdown import places
from negbench.mining import Rules
from negbench.requirements import TeacherScores
from negbench.samplers import Sampler
from negbench.stages.inputs import PathOf
from negbench.stages.mining.pool import BuildPool, read_pool
from negbench.stages.mining.pool_features import FeatureStage, stage_of
from negbench.stages.mining.writing import WriteNegatives
from negbench.store import Stage, load_arrays
from negbench.types import CandidatePool, Float32, Float64, Int32, Negatives


@dataclass(frozen=True, slots=True)
class LocatedNegatives:
    """Negatives [Q, K] with their ``ranks`` and ``gaps`` [Q, K] as in ``evaluation.breakdown.places``.

    ``positives`` [Q, K] is the score of the query's lowest positive in the pool that each was drawn from. ``sources``
    [Q, K] is the number of that pool in ``by_pool``, past the end for random fill; None where there is one pool.
    """

    negatives: Negatives
    ranks: Int32
    gaps: Float64
    positives: Float64
    sources: Int32 | None = None


class NegativesStage(Stage):
    """Negatives for training: a draw, or derived from one or several draws.

    ``pool`` and ``features`` are what they were drawn from, ``sampler`` drew them, ``written`` holds the synthetic
    texts among them, and ``epochs`` is the number of epochs with negatives of their own; with 1, all have the same.
    """

    pool: BuildPool
    sampler: Sampler
    features: tuple[FeatureStage, ...]
    written: WriteNegatives | None
    epochs: int

    @property
    @abstractmethod
    def rules(self) -> Rules:
        """Label rules, filters, sampler and fill of the draw."""

    @property
    def by_pool(self) -> tuple[NegativesStage, ...]:
        """The draws by pool, where a row's negatives come from several; itself where they come from one."""
        return (self,)

    @property
    def ranked(self) -> bool:
        """Whether ranks are those of a search; candidates in random order have a place in it that says nothing."""
        return not any(draw.pool.retriever.seeded for draw in self.by_pool)

    def candidates(self, path_of: PathOf) -> CandidatePool:
        """Return the pool with the features that its rules require."""
        pool = read_pool(path_of(self.pool))
        for stage in self.features:
            pool = stage.attach(pool, path_of(stage))
        return pool

    def single_pool(self, path_of: PathOf) -> CandidatePool | None:
        """Return the pool that all of the negatives were drawn from; None where there are several."""
        return read_pool(path_of(self.pool))

    def located(self, path_of: PathOf) -> LocatedNegatives:
        """Read the negatives and their position in the pool that they were drawn from."""
        drawn, pool = load_arrays(Negatives, path_of(self)), read_pool(path_of(self.pool))
        ranks, gaps = places(drawn, pool, self.pool.retriever.seeded)
        positives = np.broadcast_to(pool.positive_score("lowest")[:, None], drawn.documents.shape)
        return LocatedNegatives(drawn, ranks, gaps, positives)

    def teacher_scores(self, path_of: PathOf, drawn: Negatives) -> Float32 | None:
        """Return the teacher's score [Q, K] of each negative, NaN without a rank; None where no teacher is asked."""
        stage = stage_of(self.features, TeacherScores)
        if stage is None:
            return None
        given: Float32 = np.load(path_of(stage) / "candidates.npy", allow_pickle=False)
        ranked = np.take_along_axis(given, np.maximum(drawn.ranks, 0), axis=1)
        return np.where(drawn.ranks >= 0, ranked, np.float32(np.nan))


class DerivedNegatives(NegativesStage):
    """Negatives derived from those of another stage, ``source``, with its pool, features, sampler and rules."""

    @property
    @abstractmethod
    def source(self) -> NegativesStage:
        """The stage that drew; the first one, of several."""

    def __post_init__(self) -> None:
        """Copy the fields of ``source``."""
        for name in ("pool", "sampler", "features", "written", "epochs"):
            object.__setattr__(self, name, getattr(self.source, name))

    @property
    def rules(self) -> Rules:
        return self.source.rules
