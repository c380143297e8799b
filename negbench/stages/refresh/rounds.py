"""Rounds: the negatives of each refresh, and the round of each row in a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from negbench.evaluation.breakdown import places
from negbench.refresh import Refresh
from negbench.store import load_arrays, save_arrays
from negbench.training.batches import epoch_ends
from negbench.types import Bool, CandidatePool, Float64, Int32, Int64, Negatives

PER_PLACE = ("documents", "origins", "ranks", "scores", "effective_size")
"""The fields of ``Negatives`` that a new draw of a query changes."""
PLACES = ("gaps", "positives", "found")
"""Fields of ``Round`` about the position of its negatives in the pool."""


@dataclass(frozen=True, slots=True)
class Round:
    """The negatives of a round and their position in its pool, which is not kept.

    ``gaps`` [Q, k] are as in ``evaluation.breakdown.places``; ``positives`` [Q] are the scores of the queries' lowest
    positives; ``found`` [Q] tells whether a labelled positive was among the first ten ranks.
    """

    negatives: Negatives
    gaps: Float64
    positives: Float64
    found: Bool

    @classmethod
    def of(cls, negatives: Negatives, pool: CandidatePool) -> Round:
        """Build from negatives that were drawn from ``pool``."""
        return cls(negatives, places(negatives, pool, False)[1], pool.positive_score("lowest"), found_in(pool))


def with_draws(table: Negatives, drawn: Negatives) -> Negatives:
    """Return ``table`` with the rows of ``drawn`` in place of those of the same queries."""
    places = np.searchsorted(table.queries, drawn.queries)
    changed = {name: getattr(table, name).copy() for name in PER_PLACE}
    for name, values in changed.items():
        values[places] = getattr(drawn, name)
    return replace(table, **changed)


def found_in(pool: CandidatePool, ranks: int = 10) -> Bool:
    """Return bool [Q]: whether a labelled positive is among the first ``ranks``."""
    hits = pool.documents[:, :ranks, None] == pool.positives[:, None, :]
    is_found: Bool = (hits & (pool.positives >= 0)[:, None, :]).any(axis=(1, 2))
    return is_found


def save_round(drawn: Round, folder: Path) -> None:
    """Write a round into ``folder``, which is created."""
    (folder / "negatives").mkdir(parents=True)
    save_arrays(drawn.negatives, folder / "negatives")
    for name in PLACES:
        np.save(folder / f"{name}.npy", getattr(drawn, name), allow_pickle=False)


def read_rounds(folder: Path) -> list[Round]:
    """Read the rounds that lie in ``folder`` as ``1``, ``2``, ...; none where there is no such folder."""
    rounds: list[Round] = []
    while (subfolder := folder / str(len(rounds) + 1)).is_dir():
        tables = {name: np.load(subfolder / f"{name}.npy", allow_pickle=False) for name in PLACES}
        rounds.append(Round(load_arrays(Negatives, subfolder / "negatives"), **tables))
    return rounds


def rounds_of_batches(refresh: Refresh, queries: Int32, epochs: Sequence[Sequence[Int64]]) -> list[Int64]:
    """Return the round of each row of each batch: how often its negatives had been replaced before the batch's step.

    ``queries`` [N] are those of the rows, ``epochs`` the batches of a training by epoch, as row numbers. Round 0 is
    the draw before the training.
    """
    batches = [batch for epoch in epochs for batch in epoch]
    steps = refresh.checked_steps(epoch_ends(epochs))
    if not refresh.per_batch:
        return [np.full(len(batch), np.searchsorted(steps, step, side="right")) for step, batch in enumerate(batches)]
    searched: Counter[int] = Counter()
    refreshed = set(steps)
    rounds = []
    for step, batch in enumerate(batches):
        asked = queries[batch]
        if step in refreshed:
            searched.update(np.unique(asked).tolist())
        rounds.append(np.array([searched[query] for query in asked.tolist()], np.int64))
    return rounds
