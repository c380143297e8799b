"""Replacement of easy negatives: the scores of those in use, and new draws from the first candidates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from negbench.evaluation.overlap import drawn_pairs, overlap
from negbench.mining import among
from negbench.refresh.when_easy import WhenEasy
from negbench.retrieval.blocks import pair_scores
from negbench.stages.inputs import read_collection, read_vectors
from negbench.stages.mining.live_encoder import LiveEncoder
from negbench.stages.refresh.negatives_hook import NegativesHook
from negbench.stages.refresh.rounds import PER_PLACE, Round, save_round, with_draws
from negbench.training.hooks import Points
from negbench.training.job import TrainingJob
from negbench.types import Float32, Float64, Int32, Int64, Negatives

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class EasyNegatives(NegativesHook):
    """Draws again, for queries whose negatives have become easy, from the candidates that they have not had yet.

    The scores of negatives when they come into use are those of the starting encoder for the first ones, and those of
    the encoder at that step for later ones.
    """

    def prepare(self, job: TrainingJob) -> None:
        """Read the pool and the collection, and mark the candidates in use."""
        self._pool = self.draw.candidates(self.path_of)
        self._collection = read_collection(self.path_of(self.draw.pool.collection))
        self._fixed = self.fixed_vectors(job)
        self._used = among(self._pool.documents, [self.in_use.documents])
        stored = [self.draw.pool.queries, self.draw.pool.documents]
        queries, documents = (read_vectors(self.path_of(stage)) for stage in stored if stage is not None)
        self._first = mean_scores(self.in_use, pair_scores(queries, documents, self.in_use.documents))

    def replacement(self, model: SentenceTransformer, number: int, upcoming: Int32) -> tuple[Negatives, Points]:
        """Return the negatives of all queries, and two points.

        ``refresh_redrawn`` is the share of the negatives that stay, ``refresh_easy`` the share of the queries whose
        negatives are replaced.
        """
        assert isinstance(self.refresh, WhenEasy)
        current = LiveEncoder(model, self.limits, self._collection, self._fixed)
        now = mean_scores(self.in_use, self._scores(current, self.in_use))
        with np.errstate(invalid="ignore"):  # NaN where a query has random fill alone: nothing to compare
            easy = (self.refresh.factor * now < self._first) & (abs(now) < self.refresh.ceiling)
        before, drawn = self.in_use, self._draw(np.flatnonzero(easy), number)
        if len(drawn.queries):
            places = np.searchsorted(before.queries, drawn.queries)
            self.in_use = with_draws(before, drawn)
            self._used[places] |= among(self._pool.documents[places], [drawn.documents])
            self._first[places] = mean_scores(drawn, self._scores(current, drawn))
        save_round(Round.of(self.in_use, self._pool), self.folder / str(number))
        self.cost.update(current.cost)
        self.cost["redraws"] += 1
        kept, _ = overlap(drawn_pairs(before.of_epoch(0)), drawn_pairs(self.in_use.of_epoch(0)))
        points = {"refresh_redrawn": kept, "refresh_easy": len(drawn.queries) / max(len(before.queries), 1)}
        return self.in_use, {name: value for name, value in points.items() if np.isfinite(value)}

    def _draw(self, places: Int64, number: int) -> Negatives:
        """Return new negatives for the queries at ``places``, without those that have too few candidates left."""
        pool = self._pool.of_queries(places).without(self._used[places])
        drawn = self.draw.choose(pool, self.path_of, number)
        enough = ~(drawn.origins == 1).any(axis=1)
        return replace(drawn, **{name: getattr(drawn, name)[enough] for name in ("queries", *PER_PLACE)})

    def _scores(self, current: LiveEncoder, negatives: Negatives) -> Float32:
        """Return the scores [Q, K] of negatives by the encoder as it stands; those of -1 mean nothing."""
        assert self.draw.pool.queries is not None
        assert self.draw.pool.documents is not None
        queries = current.some_vectors(self.draw.pool.queries, negatives.queries)
        rows = np.unique(negatives.documents[negatives.documents >= 0])
        documents = current.some_vectors(self.draw.pool.documents, rows)
        return pair_scores(queries, documents, np.searchsorted(rows, negatives.documents).astype(np.int32))


def mean_scores(negatives: Negatives, scores: Float32) -> Float64:
    """Return the mean score [Q] of each query's negatives, without random fill; NaN where there is nothing else."""
    counted = (negatives.origins == 0) & (negatives.documents >= 0)
    with np.errstate(invalid="ignore"):
        mean: Float64 = np.where(counted, scores, 0.0).sum(axis=1, dtype=np.float64) / counted.sum(axis=1)
    return mean
