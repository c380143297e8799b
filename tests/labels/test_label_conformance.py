"""What every label rule owes, and what each of them does. A new rule is in this suite by being registered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pools import candidate_pool, feature_of, read_only, with_features

from negbench.labels import LabelRule, Labels
from negbench.labels.best_positive import BestPositive
from negbench.labels.check_positives import CheckPositives
from negbench.labels.drop_instances import DropInstances
from negbench.labels.promote import Promote
from negbench.labels.promote_above_positive import PromoteAbovePositive
from negbench.labels.promote_duplicates import PromoteDuplicates
from negbench.registry import registered
from negbench.rng import CounterRNG
from negbench.types import CandidatePool

OURS = {name: kind for name, kind in registered("label-rule").items() if kind.__module__.startswith("negbench.")}
VARIANTS = ["promote(threshold=0.3, most=1)", "drop-instances(flags=3, depth=9)", "check-positives(weight=0.5)"]
RULES = [pytest.param(kind(), id=name) for name, kind in OURS.items()]
RULES += [pytest.param(LabelRule.model_validate(spelling), id=spelling) for spelling in VARIANTS]
every = pytest.mark.parametrize("rule", RULES)


def make(count: int = 30, depth: int = 25) -> CandidatePool:
    """A pool with all that a rule may look at, short lists and unasked candidates included."""
    rng = CounterRNG(1, "labels")
    query, rank = np.arange(count)[:, None], np.arange(depth)
    documents = np.where(rank < depth - (query % 4) * 5, query * depth + rank, -1).astype(np.int32)
    teacher = np.where((documents >= 0) & (rng.uniform(query, rank) < 0.9), rng.uniform(query, rank + 500), np.nan)
    positives = np.where(np.arange(3) <= query % 3, 10_000 + query * 3 + np.arange(3), -1).astype(np.int32)
    sure = np.where(positives >= 0, rng.uniform(query, np.arange(3) + 900), np.nan)
    pool = candidate_pool(
        np.where(documents >= 0, 10.0 - rank, np.nan),
        documents=documents,
        known=(documents >= 0) & (rng.uniform(query, rank + 100) < 0.1),
        positives=positives,
        positive_scores=sure,
        teacher_scores=teacher,
        positive_teacher_scores=sure,
        groups=np.where(documents >= 0, documents % 11, -1),
        positive_groups=np.where(positives >= 0, query % 11, -1),
    )
    return read_only(pool)


@every
def test_the_shape_of_the_answer(rule: LabelRule) -> None:
    pool = make()
    before = Labels.given(pool)
    found, again = rule.apply(pool, before), rule.apply(pool, before)
    assert (found.promoted.shape, found.promoted.dtype) == (pool.documents.shape, np.bool_)
    assert (found.positive_weights.shape, found.positive_weights.dtype) == (pool.positives.shape, np.float32)
    assert found.promoted.tolist() == again.promoted.tolist()
    assert found.positive_weights.tolist() == again.positive_weights.tolist()
    assert not (found.promoted & ~pool.available()).any()  # neither a known positive nor nothing is promoted
    assert ((found.positive_weights >= 0) & (found.positive_weights <= 1)).all()
    assert found.promoted.any() or (found.positive_weights < 1).any()


@every
def test_it_builds_on_what_rules_before_it_said(rule: LabelRule) -> None:
    pool = make()
    given = Labels.given(pool)
    before = replace(
        given,
        promoted=pool.available() & (np.arange(25) == 3),
        positive_weights=given.positive_weights * np.float32(0.25),
    )
    found, alone = rule.apply(pool, before), rule.apply(pool, given)
    assert (found.promoted == (before.promoted | alone.promoted)).all()
    assert (found.positive_weights == before.positive_weights * alone.positive_weights).all()


@every
def test_the_order_of_queries_has_no_say(rule: LabelRule) -> None:
    pool = make()
    order = np.random.default_rng(0).permutation(len(pool.queries))
    turned = pool.of_queries(order)
    found, other = rule.apply(pool, Labels.given(pool)), rule.apply(turned, Labels.given(turned))
    assert other.promoted.tolist() == found.promoted[order].tolist()
    assert other.positive_weights.tolist() == found.positive_weights[order].tolist()


@every
@pytest.mark.parametrize(("count", "depth"), [(0, 25), (3, 0), (0, 0), (2, 1)])
def test_small_pools(rule: LabelRule, count: int, depth: int) -> None:
    pool = make(count, depth)
    found = rule.apply(pool, Labels.given(pool))
    assert found.promoted.shape == (count, depth)
    assert found.positive_weights.shape == (count, 3)


def by_hand(pool: CandidatePool, row: int, depth: int, threshold: float) -> list[int]:
    """The ranks that a teacher scores above the threshold, the highest score first."""
    scored = [
        (-float(feature_of(pool, "teacher_scores")[row, rank]), rank)
        for rank in range(depth)
        if pool.available()[row, rank] and feature_of(pool, "teacher_scores")[row, rank] > threshold
    ]
    return [rank for _, rank in sorted(scored)]


def test_promotion_takes_the_surest() -> None:
    pool = make()
    found = Promote(threshold=0.6, depth=12, most=2).apply(pool, Labels.given(pool))
    for row in range(30):
        assert np.flatnonzero(found.promoted[row]).tolist() == sorted(by_hand(pool, row, 12, 0.6)[:2])


def test_an_instance_goes_by_its_number_of_flags() -> None:
    pool = make()
    found = DropInstances(threshold=0.7, flags=2, depth=15).apply(pool, Labels.given(pool))
    many = [len(by_hand(pool, row, 15, 0.7 - 1e-9)) > 2 for row in range(30)]
    assert 0 < sum(many) < 30
    assert (found.positive_weights == 0).all(axis=1).tolist() == many
    assert ((found.positive_weights == 0) | (found.positive_weights == 1)).all()


def test_planted_mismatches_are_distrusted_far_above_chance() -> None:
    """A teacher that orders 9 of 10 pairs right finds wrong positives: most distrusted ones are planted."""
    rng = CounterRNG(2, "mismatches")
    count = 2000
    pool = make(count, 1)
    planted = rng.uniform(np.arange(count)) < 0.1
    right = np.clip(0.75 + 0.25 * rng.gumbel(np.arange(count)) / 3, 0, 1)
    scores = np.where(planted, 1 - right, right)[:, None].repeat(3, axis=1).astype(np.float32)
    pool = with_features(pool, positive_teacher_scores=np.where(pool.positives >= 0, scores, np.nan).astype(np.float32))
    positive_weights = CheckPositives(threshold=0.4).apply(pool, Labels.given(pool)).positive_weights[:, 0]
    assert planted[positive_weights == 0].mean() > 0.6
    assert planted[positive_weights == 1].mean() < 0.03


def test_copies_of_a_positive_are_positives() -> None:
    pool = make()
    found = PromoteDuplicates().apply(pool, Labels.given(pool))
    for row in range(30):
        copies = [
            rank for rank in range(25) if pool.documents[row, rank] % 11 == row % 11 and pool.available()[row, rank]
        ]
        assert np.flatnonzero(found.promoted[row]).tolist() == copies


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_a_suspicious_positive_weighs_what_it_is_told_to(weight: float) -> None:
    pool = make()
    found = CheckPositives(threshold=0.5, weight=weight).apply(pool, Labels.given(pool))
    expected = [
        [weight if score < 0.5 else 1.0 for score in row]
        for row in feature_of(pool, "positive_teacher_scores").tolist()
    ]
    assert found.positive_weights.tolist() == expected  # padding, without a score, keeps 1


@pytest.mark.parametrize("flags", [0, 1, 3])
def test_so_many_flags_and_no_more_are_let_pass(flags: int) -> None:
    pool = make(6, 6)
    scores = (np.arange(6) < np.arange(6)[:, None]).astype(np.float32)  # row r has r flags
    bare = replace(pool, documents=np.arange(36, dtype=np.int32).reshape(6, 6), scores=np.ones((6, 6), np.float32))
    bare = with_features(replace(bare, known=np.zeros((6, 6), np.bool_)), teacher_scores=scores)
    found = DropInstances(flags=flags).apply(bare, Labels.given(bare))
    assert (found.positive_weights == 1).all(axis=1).tolist() == [count <= flags for count in range(6)]
    assert (found.positive_weights == 0).all(axis=1).tolist() == [count > flags for count in range(6)]


def test_a_candidate_above_every_positive_is_promoted_and_the_best_takes_their_place() -> None:
    pool = make()
    above = PromoteAbovePositive(depth=9).apply(pool, Labels.given(pool))
    best = BestPositive(depth=9).apply(pool, Labels.given(pool))
    taken = 0
    for row in range(30):
        sure = [it for it in feature_of(pool, "positive_teacher_scores")[row].tolist() if it == it]
        higher = by_hand(pool, row, 9, max(sure))  # the highest score first
        assert np.flatnonzero(above.promoted[row]).tolist() == sorted(higher)
        assert np.flatnonzero(best.promoted[row]).tolist() == higher[:1]
        assert best.positive_weights[row].tolist() == [0.0 if higher else 1.0] * 3
        taken += bool(higher)
    assert 0 < taken < 30
    assert (above.positive_weights == 1).all()


@pytest.mark.parametrize("rule", [PromoteAbovePositive(), BestPositive()], ids=lambda rule: rule.name)
def test_without_a_judged_positive_labels_stay(rule: LabelRule) -> None:
    pool = make()
    unsure = with_features(pool, positive_teacher_scores=np.full(pool.positives.shape, np.nan, np.float32))
    found = rule.apply(unsure, Labels.given(unsure))
    assert not found.promoted.any()
    assert (found.positive_weights == 1).all()


def test_of_equally_good_candidates_the_nearest_becomes_the_positive() -> None:
    pool = candidate_pool(
        [[0.9, 0.8, 0.7, 0.6]],
        positive_scores=[[0.5, 0.4]],
        teacher_scores=[[0.0, 1.0, 1.0, np.nan]],
        positive_teacher_scores=[[np.nan, 2 / 3]],
    )
    assert BestPositive().apply(pool, Labels.given(pool)).promoted.tolist() == [[False, True, False, False]]
