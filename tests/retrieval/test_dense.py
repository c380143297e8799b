from __future__ import annotations

import numpy as np
import pytest

from negbench.noise import Noise, keys
from negbench.retrieval import Search, dense
from negbench.retrieval.dense import Dense, exact, pair_scores


def vectors(queries: int, documents: int, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers make float32 products exact in any order of summation, and many of them tie."""
    rng = np.random.default_rng(queries * 1000 + documents)
    made = [rng.integers(-2, 3, (n, 8)) if whole else rng.standard_normal((n, 8)) for n in (queries, documents)]
    return made[0].astype(np.float32), made[1].astype(np.float32)


def brute_force(queries: np.ndarray, documents: np.ndarray, k: int) -> tuple[list[list[int]], np.ndarray]:
    scores = queries.astype(np.float64) @ documents.astype(np.float64).T
    rows = [sorted(range(len(documents)), key=lambda row, mine=mine: (-mine[row], row))[:k] for mine in scores]
    return rows, np.array([mine[row] for mine, row in zip(scores, rows, strict=True)])


@pytest.mark.parametrize("per_block", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("queries", [1, 2, 6, 7, 8])
def test_equals_brute_force_at_every_block_boundary(
    queries: int, per_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, d = vectors(queries, 50, whole=True)
    monkeypatch.setattr(dense, "_BLOCK_BYTES", per_block * 4 * len(d))
    rows, scores = exact(q, d, 10)
    expected, best = brute_force(q, d, 10)
    assert rows.tolist() == expected
    np.testing.assert_array_equal(scores, best.astype(np.float32))


def test_blocks_hold_as_many_queries_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    product = dense._product
    monkeypatch.setattr(dense, "_product", lambda q, d: seen.append(len(q)) or product(q, d))
    for size, sizes in ((3 * 4 * 50, [3, 3, 1]), (1, [1] * 7)):  # a row that is too large goes alone
        seen.clear()
        monkeypatch.setattr(dense, "_BLOCK_BYTES", size)
        exact(*vectors(7, 50, whole=True), 5)
        assert seen == sizes


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
    search = Search(["q"] * 4, ["d"] * 30, keys(list("abcd")), keys([f"{n}" for n in range(30)]), positives,
                    Noise(0, "dense"), q, d)  # fmt: skip
    ranking = Dense(depth=40).rank(search)
    assert ranking.documents[:, :30].tolist() == brute_force(q, d, 30)[0]
    assert (ranking.documents[:, 30:] == -1).all()
    np.testing.assert_array_equal(ranking.positive_scores, scores)
    assert ranking.recall == 1.0
