"""Which rows sit in which batch, against what the design promises."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.batching.random import Random
from negbench.rng import keys
from negbench.training.batches import epoch_batches
from negbench.types import Int32, UInt64

POSITIVES: list[Literal["each", "one"]] = ["each", "one"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[Int32, UInt64]:
    """Query rows [R] in ascending order, one to four rows each, and distinct keys."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=12))
    queries = np.repeat(np.arange(len(sizes), dtype=np.int32) * 3, sizes)
    names = [f"{draw(st.integers(0, 5))}/{query}/{at}" for at, query in enumerate(queries)]
    return queries, keys(names)


def as_keys(batches: list[Any], row_keys: UInt64) -> list[list[int]]:
    return [row_keys[batch].tolist() for batch in batches]


@given(table=tables(), size=st.integers(2, 9), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_each_row_stands_once_in_an_epoch(table: tuple[Int32, UInt64], size: int, seed: int, epoch: int) -> None:
    queries, row_keys = table
    batches = epoch_batches(queries, row_keys, size, seed, epoch, "each", Random())
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(queries)))
    assert all(len(batch) == size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= size


@given(table=tables(), size=st.integers(2, 9), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_one_takes_one_row_of_each_query(table: tuple[Int32, UInt64], size: int, seed: int, epoch: int) -> None:
    queries, row_keys = table
    rows = np.concatenate(epoch_batches(queries, row_keys, size, seed, epoch, "one", Random()))
    assert Counter(queries[rows].tolist()) == Counter(set(queries.tolist()))


@pytest.mark.parametrize("positives", POSITIVES)
@given(table=tables(), seed=st.integers(0, 5), shuffle=st.integers(0, 99))
def test_the_order_of_rows_has_no_say(
    positives: Literal["each", "one"], table: tuple[Int32, UInt64], seed: int, shuffle: int
) -> None:
    queries, row_keys = table
    order = np.random.default_rng(shuffle).permutation(len(queries))
    there = as_keys(epoch_batches(queries, row_keys, 4, seed, 1, positives, Random()), row_keys)
    assert there == as_keys(
        epoch_batches(queries[order], row_keys[order], 4, seed, 1, positives, Random()), row_keys[order]
    )


@pytest.mark.parametrize("positives", POSITIVES)
def test_seed_and_epoch_decide(positives: Literal["each", "one"]) -> None:
    queries, row_keys = np.repeat(np.arange(20, dtype=np.int32), 3), keys([str(row) for row in range(60)])

    def found(seed: int, epoch: int) -> list[list[int]]:
        return as_keys(epoch_batches(queries, row_keys, 8, seed, epoch, positives, Random()), row_keys)

    assert found(0, 0) == found(0, 0)
    assert len({str(found(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_one_gives_each_positive_its_turn() -> None:
    """A query's rows are drawn alike: over 600 epochs each of three stands about 200 times."""
    queries, row_keys = np.zeros(3, np.int32), keys(["a", "b", "c"])
    drawn = Counter(int(epoch_batches(queries, row_keys, 2, 0, epoch, "one", Random())[0][0]) for epoch in range(600))
    assert set(drawn) == {0, 1, 2}
    assert all(abs(times - 200) < 5 * (600 * 1 / 3 * 2 / 3) ** 0.5 for times in drawn.values())


def test_who_meets_whom_is_random() -> None:
    """Two of 40 rows share one of the batches of 8 with probability 7/39."""
    queries, row_keys = np.arange(40, dtype=np.int32), keys([f"row {row}" for row in range(40)])
    process_group = 0
    for epoch in range(400):
        place = np.empty(40, int)
        for at, batch in enumerate(epoch_batches(queries, row_keys, 8, 7, epoch, "each", Random())):
            place[batch] = at
        process_group += int(place[0] == place[1])
    assert abs(process_group - 400 * 7 / 39) < 5 * (400 * 7 / 39 * 32 / 39) ** 0.5
