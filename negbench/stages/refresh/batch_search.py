"""Refresh before each step: search for the queries of the next batch, over fixed document vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import psutil

from negbench.errors import InputError
from negbench.mining import mine
from negbench.retrieval.pool import PoolContext
from negbench.stages.inputs import read_collection
from negbench.stages.mining.live_encoder import LiveEncoder
from negbench.stages.refresh.negatives_hook import NegativesHook
from negbench.stages.refresh.rounds import PER_PLACE, PLACES, Round, rounds_of_batches, save_round, with_draws
from negbench.training.hooks import Points
from negbench.training.job import TrainingJob
from negbench.types import CandidatePool, Int32, Int64, Negatives

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class BatchSearch(NegativesHook):
    """Searches, filters and draws as ``draw`` does, for the next batch's queries alone.

    Round n holds the negatives from the n-th search for each query, and -1 for queries with fewer searches.
    """

    def prepare(self, job: TrainingJob) -> None:
        """Read the collection; InputError where memory cannot hold all rounds."""
        rounds = rounds_of_batches(self.refresh, job.data.queries, job.epochs)
        check_memory(rounds, len(job.data.queries), self.in_use)
        self.collection = read_collection(self.path_of(self.draw.pool.collection))
        self.ground = PoolContext(self.collection, self.draw.pool.split)
        self.copies = self.collection.known_copies()
        self.fixed = self.fixed_vectors(job)
        self.rounds: list[Round] = []
        self._times: Counter[int] = Counter()

    def __exit__(self, *_: object) -> None:
        for number, one in enumerate(self.rounds, start=1):
            save_round(one, self.folder / str(number))

    def replacement(self, model: SentenceTransformer, number: int, upcoming: Int32) -> tuple[Negatives, Points]:
        """Return the negatives of all queries, newly drawn for those in ``upcoming``, and a point for each curve."""
        asked = np.unique(upcoming)
        current = LiveEncoder(model, self.limits, self.collection, self.fixed)
        pool = self.draw.candidates_now(current, self.path_of, asked, self.ground)
        drawn = mine(
            pool,
            self.draw.rules,
            self.draw.k,
            self.draw.seed,
            self.ground.own[asked],
            len(self.collection.document_ids),
            number,
            copies=self.copies,
        )
        self.in_use = with_draws(self.in_use, drawn)
        self._keep(Round.of(drawn, pool))
        self.cost.update(current.cost)
        self.cost["searches"] += len(asked)
        return self.in_use, self.points(pool, drawn)

    def points(self, pool: CandidatePool, drawn: Negatives) -> Points:
        """Return no curve points: vectors of documents that are not trained cannot be stale."""
        return {}

    def _keep(self, drawn: Round) -> None:
        """Add each query's new negatives to the next round of that query."""
        queries = drawn.negatives.queries
        self._times.update(queries.tolist())
        times = np.array([self._times[query] for query in queries.tolist()])
        while len(self.rounds) < times.max():
            self.rounds.append(_nothing(self.in_use))
        for number in np.unique(times).tolist():
            in_round = times == number
            kept = self.rounds[number - 1]
            places = np.searchsorted(kept.negatives.queries, queries[in_round])
            for name in PLACES:
                getattr(kept, name)[places] = getattr(drawn, name)[in_round]
            for name in PER_PLACE:
                getattr(kept.negatives, name)[places] = getattr(drawn.negatives, name)[in_round]


def _nothing(table: Negatives) -> Round:
    shape = table.documents.shape
    empty = replace(
        table,
        documents=np.full(shape, -1, np.int32),
        origins=np.zeros(shape, np.int32),
        ranks=np.full(shape, -1, np.int32),
        scores=np.full(shape, np.nan, np.float32),
        effective_size=table.effective_size.copy(),
    )
    return Round(empty, np.full(shape, np.nan), np.full(shape[0], np.nan), np.zeros(shape[0], np.bool_))


def check_memory(rounds: Sequence[Int64], rows: int, table: Negatives) -> None:
    """Raise InputError where all ``rounds`` of ``rows`` rows, with negatives as in ``table``, do not fit into memory.

    Every round has a place for every query and row, so one query in many more batches than others makes all grow.
    """
    queries, k = table.documents.shape
    place = sum(getattr(table, name).itemsize for name in PER_PLACE) + np.dtype(np.float64).itemsize
    most = max((int(batch.max()) for batch in rounds), default=0)
    needed = most * k * (queries * place + rows * table.documents.itemsize)
    memory = psutil.virtual_memory().total
    if needed > memory:
        raise InputError(
            f"train: a query is asked up to {most} times and searched for again each time: keeping what was found "
            f"takes {needed / 1e9:,.0f} GB of memory of {memory / 1e9:,.0f} here; give positives: one, or fewer epochs"
        )
