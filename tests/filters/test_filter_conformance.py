"""What every filter owes. A new filter is in this suite by being registered."""

from __future__ import annotations

from dataclasses import fields, replace

import annotated_types
import numpy as np
import pytest
from pydantic import ValidationError

from negbench.asks import TeacherScores
from negbench.filters import Filter
from negbench.filters.sieve import Sieve
from negbench.noise import Noise, keys
from negbench.parts import registered
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
]
FILTERS = [pytest.param(kind(), id=name) for name, kind in OURS.items()]
FILTERS += [pytest.param(Filter.model_validate(spelling), id=spelling) for spelling in VARIANTS]
every = pytest.mark.parametrize("rule", FILTERS)


def make(count: int = 30, depth: int = 25) -> CandidatePool:
    """A pool with everything a filter may look at, short lists included. No array can be written to."""
    noise = Noise(1, "filters")
    query, rank = np.arange(count)[:, None], np.arange(depth)
    length = depth - (query % 4) * 5
    documents = np.where(rank < length, query * depth + rank, -1).astype(np.int32)
    teacher = np.where((documents >= 0) & (noise.uniform(query, rank) < 0.9), noise.uniform(query, rank + 500), np.nan)
    pool = CandidatePool(
        queries=np.arange(count, dtype=np.int32),
        documents=documents,
        scores=np.where(documents >= 0, 10.0 - rank, np.nan).astype(np.float32),
        known=(documents >= 0) & (noise.uniform(query, rank + 100) < 0.1),
        positives=np.full((count, 2), 7, np.int32),
        positive_scores=np.full((count, 2), 8.5, np.float32),
        query_keys=keys([f"q{n}" for n in range(count)]),
        document_keys=keys([f"d{n}" for n in documents.ravel().tolist()]).reshape(documents.shape),
        teacher_scores=teacher.astype(np.float32),
        excluded=noise.uniform(query, rank + 200) < 0.3,
        positive_teacher_scores=np.full((count, 2), 0.9, np.float32),
        groups=np.where(documents >= 0, documents // 3, -1).astype(np.int32),
        positive_groups=np.full((count, 2), 2, np.int32),
        similarity=np.where(documents >= 0, 20 * noise.uniform(query, rank + 900), np.nan).astype(np.float32),
        judged=np.linspace(0.5, 0.0, depth),
    )
    for field in fields(pool):
        if isinstance(value := getattr(pool, field.name), np.ndarray):
            value.setflags(write=False)
    return pool


@every
def test_marks_candidates_and_touches_nothing(rule: Filter) -> None:
    pool = make()
    marked, again = rule.throws_out(pool), rule.throws_out(pool)
    assert (marked.shape, marked.dtype) == (pool.documents.shape, np.bool_)
    assert marked.tolist() == again.tolist()


@every
def test_takes_away_and_never_gives_back(rule: Filter) -> None:
    pool = make()
    after = pool.without(rule.throws_out(pool))
    assert after.excluded is not None
    assert pool.excluded is not None
    assert (after.excluded | ~pool.excluded).all()
    assert not (after.available() & ~pool.available()).any()
    fresh = replace(pool, excluded=None)
    assert fresh.without(rule.throws_out(fresh)).available().sum() < fresh.available().sum()


@every
def test_earlier_filters_shift_no_rank(rule: Filter) -> None:
    pool = make()
    known = pool.known if isinstance(rule, Sieve) else np.zeros_like(pool.known)  # it compares with unlabelled ones
    bare = replace(pool, excluded=None, known=known)
    assert rule.throws_out(pool).tolist() == rule.throws_out(bare).tolist()


@every
def test_order_of_queries_does_not_matter(rule: Filter) -> None:
    pool = make()
    order = np.random.default_rng(0).permutation(len(pool.queries))
    table = {field.name: getattr(pool, field.name) for field in fields(pool) if field.name != "judged"}
    turned = replace(pool, **{name: value[order] for name, value in table.items() if isinstance(value, np.ndarray)})
    assert rule.throws_out(turned).tolist() == rule.throws_out(pool)[order].tolist()


@every
@pytest.mark.parametrize(("count", "depth"), [(0, 25), (3, 0), (0, 0), (2, 1)])
def test_small_pools(rule: Filter, count: int, depth: int) -> None:
    assert rule.throws_out(make(count, depth)).shape == (count, depth)


@every
def test_pools_without_a_single_number(rule: Filter) -> None:
    pool = make(4, 25)
    nothing = np.full(pool.scores.shape, np.nan, np.float32)
    pool = replace(pool, scores=nothing, teacher_scores=nothing, documents=np.full_like(pool.documents, -1))
    assert not pool.without(rule.throws_out(pool)).available().any()


@every
def test_needs_are_stated(rule: Filter) -> None:
    assert rule.needed_depth >= 0
    for ask in rule.asks:
        if isinstance(ask, TeacherScores):
            assert 1 <= ask.depth <= rule.needed_depth


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
