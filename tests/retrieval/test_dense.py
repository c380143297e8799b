from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.errors import InputError
from negbench.retrieval import Search, blocks
from negbench.retrieval.blocks import pair_scores
from negbench.retrieval.dense import Dense, exact
from negbench.rng import CounterRNG, keys


def vectors(queries: int, documents: int, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers make float32 products exact in any order of summation, and many of them tie."""
    rng = np.random.default_rng(queries * 1000 + documents)
    made = [rng.integers(-2, 3, (n, 8)) if whole else rng.standard_normal((n, 8)) for n in (queries, documents)]
    return made[0].astype(np.float32), made[1].astype(np.float32)


def brute_force(queries: np.ndarray, documents: np.ndarray, k: int) -> tuple[list[list[int]], np.ndarray]:
    scores = queries.astype(np.float64) @ documents.astype(np.float64).T
    rows = [sorted(range(len(documents)), key=lambda row, mine=mine: (-mine[row], row))[:k] for mine in scores]
    return rows, np.array([mine[row] for mine, row in zip(scores, rows, strict=True)])


BYTES = [1, 40, 97, 192, 288, 7 * 40, 50 * 40, 2**20]
"""Of a block: from one score at a time to all at once."""


@pytest.mark.parametrize("block_bytes", BYTES)
@pytest.mark.parametrize("queries", [1, 2, 6, 7, 8])
def test_equals_brute_force_at_every_block_boundary(queries: int, block_bytes: int) -> None:
    q, d = vectors(queries, 50, whole=True)
    rows, scores = exact(q, d, 10, block_bytes)
    expected, best = brute_force(q, d, 10)
    assert rows.tolist() == expected
    np.testing.assert_array_equal(scores, best.astype(np.float32))


@given(st.integers(0, 9), st.integers(0, 70), st.integers(0, 80), st.integers(400, 2**14), st.sampled_from([1, 2, 5]))
def test_equals_brute_force_in_any_blocks(queries: int, documents: int, k: int, block_bytes: int, many: int) -> None:
    """``many`` copies of the documents tie in every query."""
    q, d = vectors(queries, documents, whole=True)
    d = np.tile(d, (many, 1))
    rows, scores = exact(q, d, k, block_bytes)
    expected, best = brute_force(q, d, k)
    here = min(k, len(d))
    assert rows.shape == scores.shape == (queries, k)
    assert (rows.dtype, scores.dtype) == (np.int32, np.float32)
    assert rows[:, :here].tolist() == expected
    np.testing.assert_array_equal(scores[:, :here], best.reshape(queries, here).astype(np.float32))
    assert (rows[:, here:] == -1).all()


@pytest.mark.parametrize("order", ["rising", "falling", "random", "equal"])
@pytest.mark.parametrize("k", [1, 10, 100, 700])
def test_thousands_of_documents_in_any_order(order: str, k: int) -> None:
    """In rising order each document is better than all before: nothing can be passed over."""
    rng = np.random.default_rng(0)
    d = rng.integers(0, 1000, (9001, 1)).astype(np.float32)
    d = {"rising": np.sort(d, axis=0), "falling": -np.sort(-d, axis=0), "random": d, "equal": d * 0}[order]
    q = np.array([[1], [2], [0.5], [0], [1]], np.float32)
    rows, _ = exact(q, d, k, 40 * 2000 * 3)
    assert rows.tolist() == brute_force(q, d, k)[0]


@pytest.mark.parametrize("block_bytes", [40, 16 * 40, 90 * 40, 2**20])
def test_vectors_that_are_nan_are_left_out(block_bytes: int) -> None:
    d = np.arange(90, dtype=np.float32)[:, None]
    d[[3, 40, 41, 89]] = np.nan
    real = [row for row in range(90) if row not in (3, 40, 41, 89)]
    rows, scores = exact(np.array([[1], [-1], [np.nan]], np.float32), d, 88, block_bytes)
    assert rows.tolist() == [real[::-1] + [-1] * 2, real + [-1] * 2, [-1] * 88]
    np.testing.assert_array_equal(scores[0, :86], np.array(real[::-1], np.float32))
    assert np.isnan(scores[rows < 0]).all()
    few, _ = exact(np.array([[1], [-1]], np.float32), d, 3, block_bytes)
    assert few.tolist() == [[88, 87, 86], [0, 1, 2]]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(("query", "document"), [(1.0, 1e300), (0.0, 1e300), (0.0, np.inf), (1e200, 1e200)])
def test_numbers_beyond_float32_are_refused_without_a_warning(kind: type, query: float, document: float) -> None:
    """Also where a product of 0 hides them, which would be NaN."""
    with np.errstate(over="ignore"):
        queries, documents = np.full((2, 3), query, kind), np.full((5, 3), document, kind)
    with pytest.raises(InputError, match="would be infinite"):
        exact(queries, documents, 2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("query", "document"), [(np.inf, 1), (1, -np.inf), (2e19, 2e19), (-2e19, 2e19)])
@pytest.mark.parametrize("block_bytes", [40, 2**20])
def test_scores_that_would_be_infinite_are_refused(query: float, document: float, block_bytes: int) -> None:
    """An infinite score, left out or first, would be a wrong ranking without a word."""
    q, d = np.ones((3, 4), np.float32), np.ones((90, 4), np.float32)
    q[1, 2], d[70, 3], d[5] = query, document, np.nan
    with pytest.raises(InputError, match="would be infinite"):
        exact(q, d, 5, block_bytes)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_memory_maps_that_may_not_be_written(dtype: type, tmp_path: Path) -> None:
    q, d = vectors(5, 200, whole=True)
    np.save(tmp_path / "d.npy", d.astype(dtype))
    mapped = np.load(tmp_path / "d.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows, scores = exact(q.astype(dtype), mapped, 7, 40 * 64)
        own = pair_scores(q.astype(dtype), mapped, rows, 64)
    assert rows.tolist() == brute_force(q, d, 7)[0]
    assert scores.dtype == own.dtype == np.float32
    np.testing.assert_array_equal(own, scores)


def test_a_block_stays_within_the_bytes_allowed() -> None:
    """Score, working memory, and the documents' vectors; wide vectors and deep rankings included."""
    for queries, documents, dimensions, k in itertools.product(
        [1, 30, 10**5], [1, 999, 10**7], [8, 384, 4096], [1, 10**4]
    ):
        for allowed in (2**20, 2**24, blocks.BLOCK_BYTES):
            size, width = blocks.block_shape(queries, documents, dimensions, min(k, documents), allowed)
            assert 1 <= size <= documents
            assert 1 <= width <= queries
            assert 30 * size * width + 4 * size * dimensions <= allowed


def test_real_vectors_near_brute_force() -> None:
    q, d = vectors(20, 300, whole=False)
    rows, scores = exact(q, d, 300)
    truth = q.astype(np.float64) @ d.astype(np.float64).T
    assert all(sorted(mine) == list(range(300)) for mine in rows.tolist())
    np.testing.assert_allclose(scores, np.take_along_axis(truth, rows, axis=1), rtol=1e-4, atol=1e-5)
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize(("queries", "documents", "k"), [(0, 5, 3), (3, 0, 3), (0, 0, 3), (2, 4, 9), (2, 1, 1)])
def test_nothing_and_little(queries: int, documents: int, k: int) -> None:
    q, d = vectors(queries, documents, whole=True)
    rows, scores = exact(q, d, k)
    here = min(k, documents)
    assert rows.shape == scores.shape == (queries, k)
    assert rows[:, :here].tolist() == brute_force(q, d, k)[0]
    assert (rows[:, here:] == -1).all()
    assert np.isnan(scores[:, here:]).all()


def test_pair_scores_and_the_retriever() -> None:
    q, d = vectors(4, 30, whole=True)
    positives = np.array([[3, 29, -1], [-1, -1, -1], [0, -1, 7], [5, 5, 5]], np.int32)
    scores = pair_scores(q, d, positives)
    assert scores.dtype == np.float32
    for query, mine in enumerate(positives.tolist()):
        for slot, row in enumerate(mine):
            expected = float(q[query] @ d[row]) if row >= 0 else np.nan
            np.testing.assert_equal(float(scores[query, slot]), expected)
    search = Search(
        queries=["q"] * 4,
        documents=["d"] * 30,
        query_keys=keys(list("abcd")),
        document_keys=keys([f"{n}" for n in range(30)]),
        positives=positives,
        rng=CounterRNG(0, "dense"),
        query_vectors=q,
        document_vectors=d,
    )
    ranking = Dense(depth=40).rank(search)
    assert ranking.documents[:, :30].tolist() == brute_force(q, d, 30)[0]
    assert (ranking.documents[:, 30:] == -1).all()
    np.testing.assert_array_equal(ranking.positive_scores, scores)
    assert ranking.recall == 1.0


@given(st.integers(0, 6), st.integers(0, 5), st.integers(1, 500), st.integers(0, 9))
def test_pair_scores_in_any_blocks(queries: int, slots: int, block_bytes: int, seed: int) -> None:
    q, d = vectors(queries, 20, whole=True)
    rows = np.random.default_rng(seed).integers(-1, 20, (queries, slots)).astype(np.int32)
    expected = np.where(rows >= 0, np.take_along_axis(q @ d.T, np.maximum(rows, 0).astype(int), axis=1), np.nan)
    np.testing.assert_array_equal(pair_scores(q, d, rows, block_bytes), expected)
