"""The pools that every sampler is tried on, and a digest of what it draws from one."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from pools import candidate_pool, read_only

from negbench.registry import registered
from negbench.rng import CounterRNG, keys
from negbench.samplers import Sampler
from negbench.types import CandidatePool

OURS = {name: kind for name, kind in registered("sampler").items() if kind.__module__.startswith("negbench.")}
VARIANTS = [
    "top(depth=3)",
    "uniform(depth=5)",
    "simans(a=0.0)",
    "simans(a=50.0, b=0.3, form=code, scale=zscore, positive=max, depth=7)",
    "simans(form=laplace, scale=temperature, temperature=0.01, positive=min)",
    "simans(a=2.0, b=-1.0, scale=zscore, positive=mean)",
    "simans(form=laplace, tau=1e9)",
    "softmax(temperature=10.0, depth=6)",
    "teacher-hardest(depth=4)",
    "margin-balanced(bins=3, depth=9)",
    "rance(depth=8, degree=2)",
    "stratified(depth=9)",
    "discounted(gamma=3.0, depth=8)",
    "trisampler(depth=6)",
    "mixture(share=0.5, of=softmax(depth=7), rest=corpus)",
]


def samplers() -> dict[str, Sampler]:
    """Every sampler of negbench with its defaults, by name, and further settings of some, by spelling."""
    return {name: kind() for name, kind in OURS.items()} | {it: Sampler.model_validate(it) for it in VARIANTS}


def make(scores: Any, known: Any = None, excluded: Any = None, positive_scores: Any = None) -> CandidatePool:
    """A pool of scores [Q, K], NaN past the end; each row has documents of its own. No array can be written to."""
    table = np.array(scores, np.float32)
    count, depth = table.shape
    documents = np.arange(count * depth, dtype=np.int32).reshape(count, depth) * 3
    positives = np.zeros((count, 0)) if positive_scores is None else np.array(positive_scores)
    chance, names = CounterRNG(3, "asked"), keys([f"d{n}" for n in documents.ravel().tolist()]).reshape(table.shape)
    pool = candidate_pool(
        table,
        documents=np.where(np.isnan(table), -1, documents),
        known=np.zeros(table.shape, bool) if known is None else np.array(known, bool).reshape(table.shape),
        positives=np.arange(positives.size).reshape(positives.shape) * 3 + 1,
        positive_scores=positives,
        document_keys=names,
        excluded=None if excluded is None else np.array(excluded, bool).reshape(table.shape),
        teacher_scores=np.where(np.isnan(table), np.nan, chance.uniform(names, 1)),
        positive_teacher_scores=np.full(positives.shape, 0.9),
        groups=np.where(np.isnan(table), -1, documents // 6),
        positive_groups=np.full(positives.shape, -1),
        similarity=np.where(np.isnan(table), np.nan, chance.uniform(names, 2)),
        adapter=np.where(np.isnan(table), np.nan, chance.uniform(names, 3)),
        judged=np.linspace(0.5, 0.0, depth),
    )
    return read_only(pool)


def varied(count: int = 60, depth: int = 20) -> CandidatePool:
    """Descending scores in steps of 1/64, short lists, known and excluded ones, 0 to 3 positives a query."""
    rng = CounterRNG(1, "varied")
    query, rank = np.arange(count)[:, None], np.arange(depth)
    scores = -np.sort(-np.round(rng.uniform(query, rank) * 256) / 64, axis=1)
    scores = np.where(rank < 4 + rng.bits(query, 99) % np.uint64(depth), scores, np.nan)
    positives = np.round(rng.uniform(query, np.arange(200, 203)) * 256) / 64
    positives = np.where(np.arange(3) < (query % 4), positives, np.nan)
    return make(scores, rng.uniform(query, rank + 300) < 0.15, rng.uniform(query, rank + 400) < 0.2, positives)


def golden_draw(sampler: Sampler) -> str:
    """A digest of what a sampler draws from ``varied(200)`` in two rounds: 16 hexadecimal digits."""
    state = hashlib.blake2b(digest_size=8)
    for round_ in (0, 1):
        draw = sampler.draw(varied(200), 5, CounterRNG(3, "golden", round_))
        state.update(draw.positions.astype("<i4").tobytes())
    return state.hexdigest()
