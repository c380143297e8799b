from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.retrieval import two_pass as module
from negbench.retrieval.blocks import Rounding, in_blocks
from negbench.retrieval.dense import exact
from negbench.retrieval.two_pass import candidates, two_pass

KINDS = ["whole", "equal", "normal", "near", "huge", "tiny", "negative", "broken"]


def vectors(kind: str, queries: int, documents: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of 12 dimensions whose products are exact in float32 (``whole``), all but the same, out of range, ..."""
    rng = np.random.default_rng(seed)
    q, d = rng.standard_normal((queries, 12)), rng.standard_normal((documents, 12))
    if kind == "whole":
        q, d = np.round(q), np.round(2 * d)
    if kind == "equal":
        d = np.tile(d[:1], (documents, 1))
    if kind == "near":
        d = 1 + d / 1000
    if kind == "negative":
        q, d = abs(q), -abs(d)
    scale = {"huge": 1e18, "tiny": 1e-20}.get(kind, 1.0)
    q, d = (scale * q).astype(np.float32), (scale * d).astype(np.float32)
    if kind == "broken" and documents and queries:
        d[rng.integers(documents, size=2)] = [[np.nan], [np.inf]]
        d[0] = np.eye(12)[0] * 3.4e38  # which bfloat16 rounds to infinity
        q[0] = np.nan
    return q, d


def check(q: np.ndarray, d: np.ndarray, k: int, found: tuple[np.ndarray, np.ndarray]) -> None:
    """The scores are the k highest, each is the score of its row, and equal ones come in ascending row."""
    rows, scores = found
    with np.errstate(all="ignore"):
        truth = q.astype(np.float64) @ d.astype(np.float64).T
        slack = 12 * 2.0**-22 * np.linalg.norm(np.nan_to_num(q, posinf=0), axis=1, keepdims=True)
    assert rows.shape == scores.shape == (len(q), k)
    for mine, values, right, near in zip(rows, scores, truth, slack, strict=True):
        usable = np.flatnonzero(abs(right) <= np.finfo(np.float32).max)
        best = np.sort(right[usable])[::-1][:k]
        here = len(best)
        assert len(set(mine[:here].tolist())) == here
        assert (mine[here:] == -1).all()
        assert np.isnan(values[here:]).all()
        allowed = near * np.linalg.norm(d[usable].astype(np.float64), axis=1).max(initial=0) + 1e-44
        assert (abs(values[:here] - best) <= allowed).all()
        assert (abs(values[:here] - right[mine[:here]]) <= allowed).all()
        order = list(zip((-values[:here]).tolist(), mine[:here].tolist(), strict=True))
        assert order == sorted(order)


@given(
    st.sampled_from(KINDS),
    st.integers(0, 5),
    st.integers(0, 400),
    st.sampled_from([0, 1, 2, 10, 60]),
    st.integers(0, 99),
    st.sampled_from([1, 400, 4000, 2**20]),
)
def test_finds_what_a_float64_product_finds(
    kind: str, queries: int, documents: int, k: int, seed: int, block_bytes: int
) -> None:
    q, d = vectors(kind, queries, documents, seed)
    check(q, d, k, two_pass(q, d, k, block_bytes))


@pytest.mark.parametrize("kind", ["whole", "normal", "near", "tiny", "negative"])
def test_no_score_moves_further_than_the_bound(kind: str) -> None:
    q, d = vectors(kind, 30, 500, 1)
    rounding = Rounding(np.zeros(30))
    rows, rough = in_blocks(q, d, 500, 2**20, rounding)
    truth = np.take_along_axis(q.astype(np.float64) @ d.astype(np.float64).T, rows, axis=1)
    for column in range(500):
        assert (truth[:, column] <= module._ceiling(q, rough[:, column], rounding)).all()


def test_queries_without_enough_candidates_are_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand documents that rounding makes equal, the best lies anywhere."""
    rng = np.random.default_rng(0)
    d = np.ones((1000, 12), np.float32)
    d[:, 0] += rng.permutation(1000).astype(np.float32) / 2**20
    q = np.ones((2, 12), np.float32)
    q[1] = rng.standard_normal(12)
    d[:200] += rng.standard_normal((200, 12)).astype(np.float32)
    searched: list[int] = []

    def watched(queries, documents, k, block_bytes, rounding=None):  # type: ignore[no-untyped-def]
        if rounding is None:
            searched.append(len(queries))
        return in_blocks(queries, documents, k, block_bytes, rounding)

    monkeypatch.setattr(module, "in_blocks", watched)
    check(q[:, :], d, 5, two_pass(q, d, 5))
    flat = np.ones((1, 12), np.float32), d[200:]
    check(*flat, 5, two_pass(*flat, 5))
    assert searched
    assert candidates(5) < 800


def test_a_large_search_takes_two_passes_where_the_cpu_has_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr("negbench.retrieval.dense.two_pass", lambda q, d, k, b: taken.append(k))
    monkeypatch.setattr("negbench.retrieval.dense.LARGE", 1000)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    q, d = np.ones((2, 4), np.float32), np.ones((5000, 4), np.float32)
    for native, k in ((True, 3), (False, 3), (True, 300)):
        monkeypatch.setattr("negbench.retrieval.dense.has_native_bfloat16", lambda native=native: native)
        exact(q, d, k)
    assert taken == [3]
