"""Full refresh: search for all queries with the encoder that is being trained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from negbench.evaluation.geometry import unit
from negbench.evaluation.overlap import drawn_pairs, overlap, pairs
from negbench.stages.inputs import read_collection, read_vectors
from negbench.stages.mining.live_encoder import LiveEncoder
from negbench.stages.refresh.negatives_hook import NegativesHook
from negbench.stages.refresh.rounds import Round, found_in, save_round
from negbench.store import load_arrays
from negbench.training.hooks import Points
from negbench.training.job import TrainingJob
from negbench.types import CandidatePool, Int32, Negatives, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class FullSearch(NegativesHook):
    """Searches with the current encoder for all queries, then filters and draws as ``draw`` does."""

    def prepare(self, job: TrainingJob) -> None:
        """Read the query vectors of the starting encoder, and for which queries it found a positive."""
        assert self.draw.pool.queries is not None
        self.lag = self.refresh.search_lag
        self.fixed = self.fixed_vectors(job)
        self._queries: Vectors = read_vectors(self.path_of(self.draw.pool.queries))
        self._found = found_in(load_arrays(CandidatePool, self.path_of(self.draw.pool)))

    def replacement(self, model: SentenceTransformer, number: int, upcoming: Int32) -> tuple[Negatives, Points]:
        """Return the negatives of a new search, and how stale the old ones were.

        Of draws for several epochs, the first stands for all. ``refresh_redrawn`` is the share of the negatives
        in use that the new draw holds again, ``refresh_in_top`` the share that is among the candidates which
        the encoder finds now (ANCE's measure), without fills; ``refresh_staleness`` the mean of 1 - cosine
        between a query's vectors at the last search and now. Two curves measure progress: ``refresh_found``,
        the share of training queries with a labelled positive in the first ten ranks, and
        ``refresh_forgotten``, the share of the queries found at the last search that are not found now.
        """
        current = LiveEncoder(model, self.limits, read_collection(self.path_of(self.draw.pool.collection)), self.fixed)
        pool = self.draw.candidates_now(current, self.path_of)
        drawn = self.draw.choose(pool, self.path_of, number)
        made = Round.of(drawn, pool)
        save_round(made, self.folder / str(number))
        assert self.draw.pool.queries is not None
        queries = current.vectors(self.draw.pool.queries)
        old = drawn_pairs(self.in_use.of_epoch(0))
        points = {
            "refresh_redrawn": overlap(old, drawn_pairs(drawn.of_epoch(0)))[0],
            "refresh_in_top": overlap(old, pairs(pool.queries, pool.documents))[0],
            "refresh_staleness": float((1 - (unit(self._queries) * unit(queries)).sum(axis=1)).mean()),
            "refresh_found": float(made.found.mean()),
            "refresh_forgotten": float((~made.found[self._found]).mean()) if self._found.any() else math.nan,
        }
        self.in_use, self._queries, self._found = drawn, queries, made.found
        self.cost.update(current.cost)
        self.cost["refreshes"] += 1
        return drawn, {name: value for name, value in points.items() if math.isfinite(value)}
