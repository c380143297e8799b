"""What every batching owes. A new one is in this suite by being registered."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.batching import Batching
from negbench.batching.pairs import PairBatching
from negbench.batching.random import Random
from negbench.batching.topics import Topics
from negbench.registry import registered
from negbench.rng import CounterRNG, keys

OURS = [kind() for kind in registered("batching").values() if kind.__module__.startswith("negbench.")]
every = pytest.mark.parametrize("batching", [*OURS, Topics(clusters=3)], ids=str)


def rows(count: int, batching: Batching) -> tuple[np.ndarray, np.ndarray | None]:
    """Keys and, where they are wanted, clusters or groups of rows."""
    wanted = 9 if isinstance(batching, PairBatching) else batching.wants_clusters
    clusters = None if wanted is None else (np.arange(count) * 7 % wanted).astype(np.int32)
    return keys([f"row {n}" for n in range(count)]), clusters


@every
@given(count=st.integers(0, 90), size=st.integers(1, 40), seed=st.integers(0, 5))
def test_every_row_stands_in_one_batch(batching: Batching, count: int, size: int, seed: int) -> None:
    names, clusters = rows(count, batching)
    found = batching.batches(names, clusters, size, CounterRNG(seed, "batches"))
    assert sorted(np.concatenate([*found, np.zeros(0, np.int64)]).tolist()) == list(range(count))
    assert len(found) == -(-count // size)  # as many steps as any other batching has
    assert sum(len(batch) < size for batch in found) <= 1


@every
def test_noise_alone_decides_and_the_order_of_rows_does_not(batching: Batching) -> None:
    names, clusters = rows(70, batching)
    rng = CounterRNG(0, "batches", 1)
    found = batching.batches(names, clusters, 8, rng)
    order = np.random.default_rng(0).permutation(70)
    turned = batching.batches(
        names[order], None if clusters is None else clusters[order], 8, CounterRNG(0, "batches", 1)
    )
    assert [order[batch].tolist() for batch in turned] == [batch.tolist() for batch in found]
    others = [
        batching.batches(names, clusters, 8, rng) for rng in (CounterRNG(1, "batches", 1), CounterRNG(0, "batches", 2))
    ]
    for other in others:
        assert [batch.tolist() for batch in other] != [batch.tolist() for batch in found]


def test_a_batch_is_of_one_topic_or_at_a_border_of_two() -> None:
    batching = Topics(clusters=5)
    names, clusters = rows(400, batching)
    assert clusters is not None
    found = batching.batches(names, clusters, 16, CounterRNG(0, "batches"))
    kinds = [len(set(clusters[batch].tolist())) for batch in found]
    assert kinds.count(1) >= len(found) - 5
    assert max(kinds) <= 2
    mixed = Random().batches(names, None, 16, CounterRNG(0, "batches"))
    assert np.mean([len(set(clusters[batch].tolist())) for batch in mixed]) > 4
    runs = [clusters[batch[0]] for batch in found]
    assert sum(a == b for a, b in pairwise(runs)) < len(found) / 2  # topics do not come in a row
