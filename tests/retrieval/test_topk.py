from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from negbench.retrieval.topk import Best, top_k

FEW = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 1.0, 1.5, np.nan, np.inf])  # few values, so that many tie
ANY = st.floats(width=32, allow_nan=True, allow_infinity=True)


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    shape = (draw(st.integers(0, 4)), draw(st.integers(0, 12)))
    return draw(hnp.arrays(np.float32, shape, elements=draw(st.sampled_from([FEW, ANY]))))


def by_sorting(row: np.ndarray, k: int) -> tuple[list[int], list[float]]:
    finite = [(-score, column) for column, score in enumerate(row.tolist()) if np.isfinite(score)]
    best = sorted(finite)[:k]
    pad = k - len(best)
    return [column for _, column in best] + [-1] * pad, [-score for score, _ in best] + [np.nan] * pad


@given(tables(), st.integers(0, 15))
def test_equals_a_stable_sort(scores: np.ndarray, k: int) -> None:
    before = scores.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        documents, values = top_k(scores, k)
    assert documents.shape == values.shape == (len(scores), k)
    assert (documents.dtype, values.dtype) == (np.int32, np.float32)
    for row, mine, scored in zip(scores, documents, values, strict=True):
        columns, best = by_sorting(row, k)
        assert mine.tolist() == columns
        np.testing.assert_array_equal(scored, np.array(best, np.float32))
    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize("k", [1, 3, 50, 99, 100, 101])
def test_ties_at_the_cut_in_long_rows(k: int) -> None:
    # Long enough for argpartition to leave its insertion sort, which happens to be stable.
    scores = np.random.default_rng(k).integers(0, 4, (20, 100)).astype(np.float32)
    documents, _ = top_k(scores, k)
    for row, mine in zip(scores, documents, strict=True):
        assert mine.tolist() == by_sorting(row, k)[0]


def test_all_equal_come_in_ascending_column() -> None:
    documents, values = top_k(np.full((2, 1000), 0.25, np.float32), 7)
    assert documents.tolist() == [list(range(7))] * 2
    assert (values == 0.25).all()


def test_what_is_not_finite_leaves_no_gap() -> None:
    documents, values = top_k(np.array([[np.inf, 2.0, np.nan, 3.0, -np.inf]], np.float32), 4)
    assert documents.tolist() == [[3, 1, -1, -1]]
    np.testing.assert_array_equal(values, np.array([[3.0, 2.0, np.nan, np.nan]], np.float32))


@given(tables(), st.integers(0, 15), st.lists(st.integers(0, 12), max_size=3), st.integers(0, 4), st.integers(1, 9))
def test_in_blocks_as_all_at_once(scores: np.ndarray, k: int, cuts: list[int], half: int, copies: int) -> None:
    """Documents come in blocks cut anywhere, queries in two slices."""
    scores = np.tile(scores, copies)  # long enough for several groups, and more ties
    documents = scores.shape[1]
    best = Best(len(scores), k)
    bounds = sorted({0, documents, *(cut * copies for cut in cuts if cut * copies < documents)})
    for first, end in itertools.pairwise(bounds):
        for queries in (slice(0, half), slice(half, len(scores))):
            best.offer(torch.tensor(scores[queries, first:end]), first, queries.start)
    found, values = best.ranking()
    assert (found.dtype, values.dtype) == (np.int32, np.float32)
    expected, highest = top_k(scores, k)
    assert found.tolist() == expected.tolist()
    np.testing.assert_array_equal(values, highest)
