"""Full refresh: search for all queries with the encoder that is being trained."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from negbench.encoders.tokens import Limits
from negbench.evaluation.geometry import unit
from negbench.evaluation.overlap import drawn_pairs, overlap, pairs
from negbench.stages.inputs import PathOf, read_collection, read_vectors
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.mining.live_encoder import LiveEncoder
from negbench.stages.mining.pool import read_pool
from negbench.stages.refresh.negatives_hook import NegativesHook
from negbench.stages.refresh.refresh_inputs import RefreshInputs
from negbench.stages.refresh.rounds import Round, found_in, save_round
from negbench.store import load_arrays
from negbench.training.hooks import Points
from negbench.training.job import TrainingJob
from negbench.types import Int32, Negatives, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a full refresh searches with, in whichever process it does.

    ``draw`` drew the negatives before training, and draws again from each new pool; ``path_of`` gives the folder of
    what it reads. ``limits`` are the encoder's own limits of tokens, which training may lower. Each round is kept in
    ``folder``, by its number. ``fixed`` are vectors [N, d] that training does not move, by the key of their stage.
    """

    draw: DrawNegatives
    path_of: PathOf
    limits: Limits
    folder: Path
    fixed: Mapping[str, Vectors]

    @classmethod
    def of(cls, inputs: RefreshInputs, job: TrainingJob) -> Self:
        """Return the search of a refresh during a training."""
        return cls(
            draw=inputs.draw,
            path_of=inputs.path_of,
            limits=inputs.limits,
            folder=inputs.folder,
            fixed=inputs.fixed_vectors(job),
        )


class SearchRounds:
    """The rounds of a full refresh, one after another: each says what has changed since the one before."""

    def __init__(self, search: Search) -> None:
        draw, path_of = search.draw, search.path_of
        assert draw.pool.queries is not None
        self._search, self._in_use = search, load_arrays(Negatives, path_of(draw))
        self._queries: Vectors = read_vectors(path_of(draw.pool.queries))
        self._found = found_in(read_pool(path_of(draw.pool)))

    def replacement(self, model: SentenceTransformer, number: int) -> tuple[Negatives, Points, Counter[str]]:
        """Return the negatives of a new search, how stale the old ones were, and what was encoded.

        Of draws for several epochs, the first stands for all. ``refresh_redrawn`` is the share of the negatives
        in use that the new draw holds again, ``refresh_in_top`` the share that is among the candidates which
        the encoder finds now (ANCE's measure), without fills; ``refresh_staleness`` the mean of 1 - cosine
        between a query's vectors at the last search and now. Two curves measure progress: ``refresh_found``,
        the share of training queries with a labelled positive in the first ten ranks, and
        ``refresh_forgotten``, the share of the queries found at the last search that are not found now.
        """
        search, draw = self._search, self._search.draw
        collection = read_collection(search.path_of(draw.pool.collection))
        current = LiveEncoder(model, search.limits, collection, search.fixed)
        pool = draw.candidates_now(current, search.path_of)
        drawn = draw.choose(pool, search.path_of, number)
        made = Round.of(drawn, pool)
        save_round(made, search.folder / str(number))
        assert draw.pool.queries is not None
        queries = current.vectors(draw.pool.queries)
        old = drawn_pairs(self._in_use.of_epoch(0))
        points = {
            "refresh_redrawn": overlap(old, drawn_pairs(drawn.of_epoch(0)))[0],
            "refresh_in_top": overlap(old, pairs(pool.queries, pool.documents))[0],
            "refresh_staleness": float((1 - (unit(self._queries) * unit(queries)).sum(axis=1)).mean()),
            "refresh_found": float(made.found.mean()),
            "refresh_forgotten": float((~made.found[self._found]).mean()) if self._found.any() else math.nan,
        }
        self._in_use, self._queries, self._found = drawn, queries, made.found
        cost = Counter(current.cost)
        cost["refreshes"] += 1
        return drawn, {name: value for name, value in points.items() if math.isfinite(value)}, cost


class FullSearch(NegativesHook):
    """Searches with the current encoder for all queries, then filters and draws as ``draw`` does; training waits."""

    def prepare(self, job: TrainingJob) -> None:
        """Read the query vectors of the starting encoder, and for which queries it found a positive."""
        self._rounds = SearchRounds(Search.of(self.inputs, job))

    def replacement(self, model: SentenceTransformer, number: int, upcoming: Int32) -> tuple[Negatives, Points]:
        """Return the negatives of a new search, and the points of ``SearchRounds.replacement``."""
        self.in_use, points, cost = self._rounds.replacement(model, number)
        self.cost.update(cost)
        return self.in_use, points
