"""Search for the queries of one batch at a time, over documents that do not move."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from negbench.encoders.tokens import Limits
from negbench.errors import InputError
from negbench.mining import mine
from negbench.plan.current import Current
from negbench.plan.draw import DrawNegatives
from negbench.plan.refreshing import BESIDE, Round, save_round
from negbench.plan.sources import At, read_collection
from negbench.retrieval.pool import Ground
from negbench.store import load_arrays
from negbench.types import CandidatePool, Int32, Int64, Negatives, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PER_PLACE = ("documents", "origins", "ranks", "scores", "effective_size")
"""The fields of ``Negatives`` that a new draw of a query changes."""


class LiveSearch:
    """As ``plan.refreshing.Refresher``, for the queries of the next batch alone; ``given`` has the documents.

    A query's n-th search belongs to round n: a round holds what was drawn for each query when it was searched for the
    n-th time on the way, and -1 for queries that were not.
    """

    def __init__(
        self,
        draw: DrawNegatives,
        at: At,
        limit: Limits,
        folder: Path,
        given: Mapping[str, Vectors],
    ) -> None:
        self.given = given
        self.draw, self.at, self.limit, self.folder = draw, at, limit, folder
        self.cost: Counter[str] = Counter()
        self.collection = read_collection(at(draw.pool.collection))
        self.ground = Ground(self.collection, draw.pool.split)
        self.copies = self.collection.known_copies()
        self.rounds: list[Round] = []
        self._times: Counter[int] = Counter()
        self._in_use = load_arrays(Negatives, at(draw))

    def __call__(self, model: SentenceTransformer, number: int, upcoming: Int32) -> tuple[Negatives, dict[str, float]]:
        """Return the negatives, those of the queries ``upcoming`` being new, and a point for each curve."""
        began = time.perf_counter()
        asked = np.unique(upcoming)
        current = Current(model, self.limit, self.collection, self.given)
        pool = self.draw.candidates_now(current, self.at, asked, self.ground)
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
        self._in_use = _with(self._in_use, drawn)
        self._keep(Round.of(drawn, pool))
        self.cost.update(current.cost)
        self.cost["searches"] += len(asked)
        points = self.points(pool, drawn)
        self.cost["refresh_seconds"] += time.perf_counter() - began  # type: ignore[assignment]
        return self._in_use, points

    def points(self, pool: CandidatePool, drawn: Negatives) -> dict[str, float]:
        """Return none: documents that stay are never behind."""
        return {}

    def _keep(self, found: Round) -> None:
        """Put what was found for each query into its own next round."""
        queries = found.negatives.queries
        self._times.update(queries.tolist())
        times = np.array([self._times[query] for query in queries.tolist()])
        while len(self.rounds) < times.max():
            self.rounds.append(_nothing(self._in_use))
        for number in np.unique(times).tolist():
            mine = times == number
            kept = self.rounds[number - 1]
            places = np.searchsorted(kept.negatives.queries, queries[mine])
            for name in BESIDE:
                getattr(kept, name)[places] = getattr(found, name)[mine]
            for name in PER_PLACE:
                getattr(kept.negatives, name)[places] = getattr(found.negatives, name)[mine]

    def save(self) -> None:
        """Write the rounds."""
        for number, one in enumerate(self.rounds, start=1):
            save_round(one, self.folder / str(number))


def _with(table: Negatives, drawn: Negatives) -> Negatives:
    """Return ``table`` with the rows of the queries that were drawn for."""
    places = np.searchsorted(table.queries, drawn.queries)
    changed = {name: getattr(table, name).copy() for name in PER_PLACE}
    for name, values in changed.items():
        values[places] = getattr(drawn, name)
    return replace(table, **changed)


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


def rounds_of(queries: Int32, batches: Sequence[Int64], due: Collection[int]) -> list[Int64]:
    """Return the round of each row of each batch: how often its query had been searched for before its step.

    ``queries`` [N] are those of the rows; ``due`` are the steps after which the next batch is searched for. Round 0 is
    what was there before.
    """
    times: Counter[int] = Counter()
    found = []
    for step, batch in enumerate(batches):
        asked = queries[batch]
        if step in due:
            times.update(np.unique(asked).tolist())
        found.append(np.array([times[query] for query in asked.tolist()], np.int64))
    return found


def check_memory(rounds: Sequence[Int64], rows: int, table: Negatives) -> None:
    """Raise InputError where all ``rounds`` of ``rows`` rows, with negatives as in ``table``, are too much to keep.

    Every round has a place for every query and row, which is little unless some queries are asked far more often.
    """
    queries, k = table.documents.shape
    place = sum(getattr(table, name).itemsize for name in PER_PLACE) + np.dtype(np.float64).itemsize
    most = max((int(batch.max()) for batch in rounds), default=0)
    needed = most * k * (queries * place + rows * table.documents.itemsize)
    there = psutil.virtual_memory().total
    if needed > there:
        raise InputError(
            f"train: a query is asked up to {most} times and searched for again each time: keeping what was found "
            f"takes {needed / 1e9:,.0f} GB of memory of {there / 1e9:,.0f} here; give positives: one, or fewer epochs"
        )
