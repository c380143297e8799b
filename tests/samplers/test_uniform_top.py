from __future__ import annotations

import itertools

import numpy as np
import pytest
from pools import candidate_pool
from scipy.stats import chisquare

from negbench.rng import CounterRNG
from negbench.samplers.top import Top
from negbench.samplers.uniform import Uniform
from negbench.types import CandidatePool

NOISE = CounterRNG(0, "uniform")


def same(count: int, allowed: list[bool]) -> CandidatePool:
    """Queries with the same candidates, of which some are known or excluded, turn about."""
    depth = len(allowed)
    out = np.tile(~np.array(allowed), (count, 1))
    known = out & (np.arange(depth) % 2 == 0)
    return candidate_pool(
        np.tile(-np.arange(depth), (count, 1)),
        documents=[range(depth)] * count,
        known=known,
        positives=np.full((count, 1), -1),
        excluded=out & ~known,
    )


ALLOWED = [False, True, True, False, True, True, False, True, True, True]
LEFT = [column for column, free in enumerate(ALLOWED) if free]


@pytest.mark.parametrize("depth", [None, 1, 4, 8, 10, 50])
@pytest.mark.parametrize("k", [1, 3, 9])
def test_top_takes_the_first_that_are_left(depth: int | None, k: int) -> None:
    draw = Top(depth=depth).draw(same(3, ALLOWED), k, NOISE)
    expected = [column for column in LEFT if depth is None or column < depth][:k]
    assert draw.positions.tolist() == [expected + [-1] * (k - len(expected))] * 3
    assert draw.effective_size.tolist() == [1.0 if expected else 0.0] * 3
    assert Top(depth=depth).needed_depth == (depth or 0)


def test_top_goes_by_rank_not_by_score() -> None:
    pool = same(1, [True] * 4)
    pool.scores[:] = [[1.0, 5.0, -3.0, 2.0]]
    assert Top().draw(pool, 3, NOISE).positions.tolist() == [[0, 1, 2]]


def test_uniform_draws_every_order_as_often() -> None:
    chosen = Uniform(depth=6).draw(same(12_000, ALLOWED), 3, NOISE).positions
    orders = list(itertools.permutations([1, 2, 4, 5], 3))
    seen = [tuple(order) for order in chosen.tolist()]
    assert set(seen) <= set(orders)
    assert chisquare([seen.count(order) for order in orders]).pvalue > 1e-3


def test_uniform_draws_of_neighbours_are_independent() -> None:
    chosen = Uniform().draw(same(20_000, [True] * 5), 1, NOISE).positions[:, 0]
    pairs = np.bincount(chosen[::2] * 5 + chosen[1::2], minlength=25)
    assert chisquare(pairs).pvalue > 1e-3
    again = Uniform().draw(same(20_000, [True] * 5), 1, CounterRNG(1, "uniform")).positions[:, 0]
    assert chisquare(np.bincount(chosen * 5 + again, minlength=25)).pvalue > 1e-3


def test_uniform_effective_size_is_the_number_left() -> None:
    sizes = [float(Uniform(depth=depth).draw(same(1, ALLOWED), 2, NOISE).effective_size[0]) for depth in (1, 2, 6, 10)]
    assert sizes == pytest.approx([0, 1, 4, 7])
