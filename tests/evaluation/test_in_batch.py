from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.evaluation.in_batch import false_negatives
from negbench.evaluation.intervals import proportion
from negbench.types import Qrels


def measure(batches, rows, known, truth, grade=1):
    """Measure (query, positive, [negatives]) rows against {(query, document): grade} judgments."""

    def qrels(judged):
        return Qrels.of([(q, d, g) for (q, d), g in judged.items()])

    return false_negatives(
        [np.array(batch, np.int32) for batch in batches],
        np.array([query for query, _, _ in rows], np.int32),
        np.array([positive for _, positive, _ in rows], np.int32),
        np.array([negatives for _, _, negatives in rows] or np.zeros((0, 1)), np.int32),
        qrels(known),
        qrels(truth),
        grade,
    )


def brute(batches, rows, known, truth, grade) -> dict[int, list[int]]:
    """Count [relevant, all] in-batch negatives by query, one pair at a time."""
    counts = defaultdict(lambda: [0, 0])
    for batch in batches:
        documents = {rows[row][1] for row in batch} | {d for row in batch for d in rows[row][2]}
        for row in batch:
            query, positive, negatives = rows[row]
            for document in documents - {-1, positive} - set(negatives):
                if known.get((query, document), 0) < 1:
                    counts[query][0] += truth.get((query, document), 0) >= grade
                    counts[query][1] += 1
    return counts


def test_a_case_counted_by_hand():
    """Rows of queries 0, 1 and again 0 in one batch; documents 10, 11, 12 positives, 20, 21 and 22 mined.

    Row 0 faces 11, 21 and 22: not 10 (its own), not 12 (known), not 20 (mined by itself). Row 1 faces 10, 12, 20
    and 22. Row 2 faces 11, 20 and 21.
    """
    rows = [(0, 10, [20]), (1, 11, [21]), (0, 12, [22])]
    known = {(0, 10): 1, (0, 12): 2, (1, 11): 1}
    truth = {**known, (0, 21): 1, (0, 20): 1, (1, 12): 1}
    rate = measure([[0, 1, 2]], rows, known, truth)
    assert rate.rate == pytest.approx((1 + 1 + 2) / (3 + 4 + 3))
    assert rate.unit == "negative"
    assert "after masking" in rate.note
    # Alone in a batch, a row faces nobody; query 0's two rows face only one another's mined negative.
    assert math.isnan(measure([[0], [1], [2]], rows, known, truth).rate)
    assert measure([[0, 2], [1]], rows, known, truth).rate == pytest.approx(1 / 2)


def test_grades_cut_the_truth_and_known_zeros_mask_nothing():
    rows = [(0, 10, [20]), (1, 11, [21])]
    known = {(0, 10): 1, (1, 11): 1, (0, 11): 0}
    truth = {(0, 11): 2, (0, 21): 1}
    assert measure([[0, 1]], rows, known, truth, grade=1).rate == pytest.approx(2 / 4)
    assert measure([[0, 1]], rows, known, truth, grade=2).rate == pytest.approx(1 / 4)


def test_every_epoch_counts():
    rows = [(0, 10, []), (1, 11, []), (2, 12, [])]
    truth = {(0, 11): 1}
    assert measure([[0, 1], [2]], rows, {}, truth).rate == pytest.approx(1 / 2)
    assert measure([[0, 1], [2], [1, 2], [0]], rows, {}, truth).rate == pytest.approx(1 / 4)


def test_no_batches_and_no_rows():
    assert math.isnan(measure([], [(0, 10, [20])], {}, {}).rate)
    assert math.isnan(measure([], [], {}, {}).rate)


@st.composite
def cases(draw):
    k = draw(st.integers(0, 3))
    document, query = st.integers(0, 9), st.integers(0, 4)
    negatives = st.lists(st.integers(-1, 9), min_size=k, max_size=k)
    rows = draw(st.lists(st.tuples(query, document, negatives), min_size=1, max_size=10))
    epochs = [draw(st.permutations(range(len(rows)))) for _ in range(draw(st.integers(1, 2)))]
    size = draw(st.integers(1, 5))
    batches = [list(epoch[start : start + size]) for epoch in epochs for start in range(0, len(rows), size)]
    judgments = st.dictionaries(st.tuples(query, document), st.integers(0, 3), max_size=20)
    return batches, rows, draw(judgments), draw(judgments), draw(st.integers(1, 3))


@given(cases())
def test_against_a_count_one_by_one(case):
    rate = measure(*case)
    counts = np.array(list(brute(*case).values()), np.float64).reshape(-1, 2)
    if counts[:, 1].sum() == 0:
        assert math.isnan(rate.rate)
        return
    assert rate.rate == pytest.approx(counts[:, 0].sum() / counts[:, 1].sum())
    # Its interval takes the query as the cluster.
    assert (rate.rate, rate.low, rate.high) == pytest.approx(proportion(counts[:, 0], counts[:, 1]))
