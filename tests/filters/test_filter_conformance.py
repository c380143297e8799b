"""What every filter owes. A new filter is in this suite by being registered."""

from __future__ import annotations

from dataclasses import replace

import annotated_types
import numpy as np
import pytest
from pools import candidate_pool, read_only, with_features
from pydantic import ValidationError

from negbench.filters import Filter
from negbench.registry import registered
from negbench.requirements import TeacherScores, find
from negbench.rng import CounterRNG
from negbench.types import CandidatePool

OURS = {name: kind for name, kind in registered("filter").items() if kind.__module__.startswith("negbench.")}
VARIANTS = [
    "rank-band(low=0, high=3)",
    "rank-band(low=5, high=1000)",
    "denoise(threshold=0.6, depth=4)",
    "denoise(threshold=0.5, unit=quantile, depth=1000)",
    "denoise(threshold=-1.0)",
    "score-cap(cap=5.0)",
    "gap-band(low=-3.0, high=0.0)",
    "teacher-band(low=0.5, high=0.6, depth=7)",
    "sieve(depth=5)",
    "without-near-duplicates(threshold=0.5)",
    "triangle(angle=1.0)",
    "margin(teacher=trained-cross-encoder, teacher_depth=7)",
]
FILTERS = [pytest.param(kind(), id=name) for name, kind in OURS.items()]
FILTERS += [pytest.param(Filter.model_validate(spelling), id=spelling) for spelling in VARIANTS]
every = pytest.mark.parametrize("rule", FILTERS)


def make(count: int = 30, depth: int = 25) -> CandidatePool:
    """A pool with everything a filter may look at, short lists included. No array can be written to."""
    rng = CounterRNG(1, "filters")
    query, rank = np.arange(count)[:, None], np.arange(depth)
    length = depth - (query % 4) * 5
    documents = np.where(rank < length, query * depth + rank, -1).astype(np.int32)
    teacher = np.where((documents >= 0) & (rng.uniform(query, rank) < 0.9), rng.uniform(query, rank + 500), np.nan)
    pool = candidate_pool(
        np.where(documents >= 0, 10.0 - rank, np.nan),
        documents=documents,
        known=(documents >= 0) & (rng.uniform(query, rank + 100) < 0.1),
        positives=np.full((count, 2), 7),
        positive_scores=np.full((count, 2), 8.5),
        teacher_scores=teacher,
        excluded=rng.uniform(query, rank + 200) < 0.3,
        positive_teacher_scores=np.full((count, 2), 0.9),
        groups=np.where(documents >= 0, documents // 3, -1),
        positive_groups=np.full((count, 2), 2),
        similarity=np.where(documents >= 0, 20 * rng.uniform(query, rank + 900), np.nan),
        judged=np.linspace(0.5, 0.0, depth),
    )
    return read_only(pool)


@every
def test_marks_candidates_and_touches_nothing(rule: Filter) -> None:
    pool = make()
    marked, again = rule.reject(pool), rule.reject(pool)
    assert (marked.shape, marked.dtype) == (pool.documents.shape, np.bool_)
    assert marked.tolist() == again.tolist()


@every
def test_takes_away_and_never_gives_back(rule: Filter) -> None:
    pool = make()
    after = pool.without(rule.reject(pool))
    assert after.excluded is not None
    assert pool.excluded is not None
    assert (after.excluded | ~pool.excluded).all()
    assert not (after.available() & ~pool.available()).any()
    fresh = replace(pool, excluded=None)
    assert fresh.without(rule.reject(fresh)).available().sum() < fresh.available().sum()


@every
def test_earlier_filters_shift_no_rank(rule: Filter) -> None:
    pool = make()
    known = pool.known if rule.depends_on_known else np.zeros_like(pool.known)
    bare = replace(pool, excluded=None, known=known)
    assert rule.reject(pool).tolist() == rule.reject(bare).tolist()


@every
def test_order_of_queries_does_not_matter(rule: Filter) -> None:
    pool = make()
    order = np.random.default_rng(0).permutation(len(pool.queries))
    assert rule.reject(pool.of_queries(order)).tolist() == rule.reject(pool)[order].tolist()


@every
@pytest.mark.parametrize(("count", "depth"), [(0, 25), (3, 0), (0, 0), (2, 1)])
def test_small_pools(rule: Filter, count: int, depth: int) -> None:
    assert rule.reject(make(count, depth)).shape == (count, depth)


@every
def test_pools_without_a_single_number(rule: Filter) -> None:
    pool = make(4, 25)
    nothing = np.full(pool.scores.shape, np.nan, np.float32)
    pool = replace(pool, scores=nothing, documents=np.full_like(pool.documents, -1))
    pool = with_features(pool, teacher_scores=nothing)
    assert not pool.without(rule.reject(pool)).available().any()


@every
def test_needs_are_stated(rule: Filter) -> None:
    assert rule.needed_depth >= 0
    scores = find(rule.requires, TeacherScores)
    assert scores is None or 1 <= scores.depth <= rule.needed_depth


def outside(kind: type[Filter]) -> list[tuple[str, object]]:
    """Values that the declared bounds of the fields rule out."""
    wrong: list[tuple[str, object]] = [("no_such_parameter", 1)]
    for field, info in kind.model_fields.items():
        wrong.append((field, object()))
        wrong += [(field, bound.ge - 1) for bound in info.metadata if isinstance(bound, annotated_types.Ge)]
        wrong += [(field, bound.gt) for bound in info.metadata if isinstance(bound, annotated_types.Gt)]
    return wrong


@pytest.mark.parametrize(
    ("name", "field", "value"), [(name, *wrong) for name, kind in OURS.items() for wrong in outside(kind)]
)
def test_bad_parameters_are_refused_by_name(name: str, field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        OURS[name].model_validate({field: value})
