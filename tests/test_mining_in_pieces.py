"""Negatives that are drawn for some queries at a time are those that are drawn for all at once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from pools import ranked_pool

from negbench import mining
from negbench.filters.score_cap import ScoreCap
from negbench.mining import Rules
from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.samplers.simans import SimANS
from negbench.samplers.top import Top
from negbench.samplers.uniform import Uniform
from negbench.types import CandidatePool, Negatives


def _mined(pool: CandidatePool, sampler: Sampler) -> Negatives:
    rules = Rules(sampler=sampler, filters=[ScoreCap(cap=970)])
    return mining.mine(pool, rules, 3, 0, np.full(len(pool.queries), -1, np.int32), 100)


@pytest.mark.parametrize("sampler", [Top(), Uniform(), SimANS(depth=6, scale="zscore")], ids=str)
def test_a_large_pool_is_drawn_from_a_few_queries_at_a_time(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    """And every byte is the same as when it is drawn from at once."""
    random = np.random.default_rng(0)
    ranked = [random.permutation(90)[: random.integers(0, 9)].tolist() for _ in range(40)]
    pool = ranked_pool(ranked, [random.permutation(90)[:2].tolist() for _ in ranked])
    at_once = _mined(pool, sampler)
    sizes = []
    real = type(sampler).draw

    def counted(self: Any, some: CandidatePool, k: int, rng: CounterRNG) -> Any:
        sizes.append(len(some.queries))
        return real(self, some, k, rng)

    monkeypatch.setattr(type(sampler), "draw", counted)
    monkeypatch.setattr(mining, "AT_A_TIME", 7 * pool.depth)
    in_blocks = _mined(pool, sampler)
    assert sizes == [7] * 5 + [5]
    for field in fields(Negatives):
        one, other = getattr(at_once, field.name), getattr(in_blocks, field.name)
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes(), field.name
