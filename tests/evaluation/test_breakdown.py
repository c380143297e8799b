from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import candidate_pool, mined

from negbench.evaluation import breakdown
from negbench.evaluation.false_negatives import TrainingNegatives
from negbench.evaluation.intervals import proportion
from negbench.types import CandidatePool, Negatives, Qrels

NAN = float("nan")


def name_of_rank(rank: int) -> str:
    """The bin of a zero-based rank, one after another."""
    if rank < 0:
        return {-1: "filled", -2: "random"}[rank]
    ends = ((4, "1-4"), (16, "5-16"), (64, "17-64"), (256, "65-256"), (10**9, "257-"))
    return next(name for end, name in ends if rank < end)


def name_of_gap(gap: float) -> str:
    if np.isnan(gap):
        return "unknown"
    if gap < -2:
        return "below -2"
    low = max(edge for edge in (-2, -1, 0, 1, 2, 4) if gap >= edge)
    return {-2: "-2 to -1", -1: "-1 to 0", 0: "0 to 1", 1: "1 to 2", 2: "2 to 4", 4: "4 and more"}[low]


@st.composite
def handed(draw: st.DrawFn) -> tuple[TrainingNegatives, Any, Any, Any]:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, k = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    judged = [(int(q), int(d), int(random.integers(0, 3))) for q in range(4) for d in range(8) if random.random() < 0.5]
    given = TrainingNegatives(
        queries=random.integers(0, 4, rows).astype(np.int32),
        documents=random.integers(-1, 8, (rows, k)).astype(np.int32),
        weights=random.choice([0.0, 0.5, 1.0], (rows, 1)).repeat(k, axis=1),
        truth=Qrels.of(judged),
        truth_kind="complete",
    )
    ranks = random.choice([-2, -1, 0, 3, 4, 15, 16, 255, 256], (rows, k)).astype(np.int32)
    gaps = random.choice([NAN, -3.0, -2.0, -0.5, 0.0, 1.5, 2.0, 4.0, 9.0], (rows, k))
    return given, ranks, gaps, random.integers(0, 2, rows)


@given(handed())
def test_against_a_count_one_by_one(case: tuple[TrainingNegatives, Any, Any, Any]) -> None:
    given, ranks, gaps, epochs = case
    assert given.truth is not None
    relevant = {
        (q, d) for q, d, g in zip(given.truth.queries, given.truth.documents, given.truth.grades, strict=True) if g >= 1
    }
    sums: Any = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    pairs: Any = defaultdict(set)
    whole = 0.0
    for row, column in np.ndindex(given.documents.shape):
        query, document, weight = given.queries[row], given.documents[row, column], given.weights[row, column]
        if document < 0 or weight == 0:
            continue
        whole += weight
        names = name_of_rank(ranks[row, column]), name_of_gap(gaps[row, column]), str(epochs[row] + 1)
        for place in zip(("rank", "gap", "epoch"), names, strict=True):
            sums[place][query][0] += weight * ((query, document) in relevant)
            sums[place][query][1] += weight
            pairs[place].add((query, document))
    found = breakdown.breakdown(given, ranks, gaps, epochs)
    assert {(group, name) for group, shares in found.items() for name in shares} == set(sums)
    for (group, name), by_query in sums.items():
        counts = np.array(list(by_query.values()))
        share = found[group][name]
        assert share.reference == pytest.approx(counts[:, 1].sum() / whole)
        scaled = counts * len(pairs[group, name]) / counts[:, 1].sum()
        assert share.interval() == pytest.approx(proportion(scaled[:, 0], scaled[:, 1]))
        assert share.clusters.shape == (2, len(np.unique(given.queries)))
    for shares in found.values():
        assert sum(share.reference for share in shares.values()) == pytest.approx(1)


def test_nothing_is_said_without_truth_or_negatives() -> None:
    some = {"queries": np.zeros(1, np.int32), "weights": np.ones((1, 1))}
    document, none = np.zeros((1, 1), np.int32), np.full((1, 1), -1, np.int32)
    places = document, np.zeros((1, 1)), np.zeros(1, np.int64)
    assert (
        breakdown.breakdown(TrainingNegatives(**some, documents=document, truth=None, truth_kind="none"), *places) == {}
    )
    truth = Qrels.of([(0, 0, 1)])
    assert (
        breakdown.breakdown(TrainingNegatives(**some, documents=none, truth=truth, truth_kind="complete"), *places)
        == {}
    )


def made() -> tuple[Negatives, CandidatePool]:
    """Scores 3, 1 and 2, a positive at 4 and one at 2.5; the second query's positive has no score."""
    pool = candidate_pool([[3, 2, 1], [5, 5, 5]], positives=[[8, 9], [8, -1]], positive_scores=[[4, 2.5], [6, np.nan]])
    negatives = mined([[0, 7], [3, 4]], origins=[[0, 1], [0, 0]], ranks=[[0, -1], [0, 1]], scores=[[3, np.nan], [5, 5]])
    return negatives, pool


def test_the_gap_is_to_the_lowest_positive_in_standard_deviations() -> None:
    ranks, gaps = breakdown.places(*made(), by_chance=False)
    assert ranks.tolist() == [[0, -1], [0, 1]]
    deviation = np.std([1, 2, 3])
    # filled in; and where all candidates score the same there is no scale
    assert gaps.ravel() == pytest.approx([(2.5 - 3) / deviation, NAN, NAN, NAN], nan_ok=True)


def test_a_lottery_has_neither_ranks_nor_gaps() -> None:
    ranks, gaps = breakdown.places(*made(), by_chance=True)
    assert ranks.tolist() == [[breakdown.BY_CHANCE, breakdown.FILLED], [breakdown.BY_CHANCE, breakdown.BY_CHANCE]]
    assert np.isnan(gaps).all()
