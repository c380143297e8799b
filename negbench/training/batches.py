"""Batches of training rows: a pure function of the seed, the epoch and the rows' ids."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np

from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.errors import InputError
from negbench.part_checks import check_batches
from negbench.rng import CounterRNG
from negbench.training.data import Instances
from negbench.training.recipe import Recipe
from negbench.types import Int32, Int64, UInt64


def epoch_batches(
    queries: Int32,
    row_keys: UInt64,
    batch_size: int,
    seed: int,
    epoch: int,
    positives: Literal["each", "one"],
    batching: Batching,
    clusters: Int32 | None = None,
) -> list[Int64]:
    """Return the batches of one epoch, as row numbers; the last one may be short.

    ``queries`` [R] are the rows' query rows, ``row_keys`` [R] a stable hash of each row's (query id, document id),
    ``clusters`` [R] the clusters of their queries, if ``batching`` wants any. With ``one``, each query takes part with
    one of its rows, drawn afresh each epoch.
    """
    rows = np.arange(len(queries))
    if positives == "one":
        ticket = CounterRNG(seed, "positive", epoch).bits(row_keys)
        by_query = np.lexsort((ticket, queries))
        first = np.flatnonzero(np.diff(queries[by_query], prepend=-1))
        rows = np.sort(by_query[first])
    chosen = None if clusters is None else clusters[rows]
    batches = batching.batches(row_keys[rows], chosen, batch_size, CounterRNG(seed, "batches", epoch))
    check_batches(batching, batches, len(rows), batch_size)
    return [rows[batch] for batch in batches]


def epoch_ends(batches: Sequence[Sequence[Int64]]) -> list[int]:
    """Return how many optimizer steps are done at the end of each epoch."""
    return [int(end) for end in np.cumsum([len(epoch) for epoch in batches])]


def all_batches(
    data: Instances,
    recipe: Recipe,
    seed: int,
    batching: Batching | None = None,
    clusters: Int32 | None = None,
    step_range: tuple[float, float] | None = None,
) -> list[list[Int64]]:
    """Return the batches of a training by epoch, as row numbers of ``data``, in order; rows that are not kept are out.

    ``step_range``: only those that lie between two shares of it, (0.2, 0.5) say, and only epochs that have some. Raises
    InputError where there is none.
    """
    rows = len(data.keys)
    epochs = []
    for epoch in range(recipe.epochs):
        here = np.arange(rows)
        if data.kept is not None:
            here = np.flatnonzero(data.kept[epoch * rows : (epoch + 1) * rows])
        batches = epoch_batches(
            data.queries[here],
            data.keys[here],
            recipe.batch_size,
            seed,
            epoch,
            recipe.positives,
            batching or Random(),
            None if clusters is None else clusters[here],
        )
        epochs.append([epoch * rows + here[batch] for batch in batches])
    return epochs if step_range is None else _between(epochs, *step_range)


def _between(epochs: list[list[Int64]], low: float, high: float) -> list[list[Int64]]:
    steps = sum(map(len, epochs))
    taken = range(round(low * steps), round(high * steps))
    if not taken:
        raise InputError(
            f"no step lies between {low:g} and {high:g} of a training of {steps} steps; train for more epochs, in "
            "smaller batches or in fewer phases"
        )
    step = itertools.count()
    cut = [[batch for batch in epoch if next(step) in taken] for epoch in epochs]
    return [epoch for epoch in cut if epoch]
