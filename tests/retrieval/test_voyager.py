from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import voyager

from negbench.errors import InputError
from negbench.retrieval import Search
from negbench.retrieval import voyager as module
from negbench.retrieval.voyager import Voyager
from negbench.rng import CounterRNG, keys

STORAGE: tuple[Literal["float32", "e4m3"], ...] = ("float32", "e4m3")


def search(queries: np.ndarray, documents: np.ndarray, positives: list[list[int]] | None = None) -> Search:
    rows = np.zeros((len(queries), 0), np.int32) if positives is None else np.array(positives, np.int32)
    names = [[f"{side}{n}" for n in range(len(table))] for side, table in (("q", queries), ("d", documents))]
    return Search(
        queries=names[0],
        documents=names[1],
        query_keys=keys(names[0]),
        document_keys=keys(names[1]),
        positives=rows,
        rng=CounterRNG(0, "voyager"),
        query_vectors=queries,
        document_vectors=documents,
    )


def vectors(count: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def top(queries: np.ndarray, documents: np.ndarray, k: int) -> list[set[int]]:
    scores = queries.astype(np.float64) @ documents.astype(np.float64).T
    return [set(order[:k]) for order in np.argsort(-scores, axis=1, kind="stable").tolist()]


def test_two_builds_are_byte_identical(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[voyager.Index] = []
    made = voyager.Index

    def kept(*arguments: object, **named: object) -> voyager.Index:
        graphs.append(made(*arguments, **named))
        return graphs[-1]

    monkeypatch.setattr(voyager, "Index", kept)
    inputs = search(vectors(20, 16, 1), vectors(3000, 16, 2), [[5]] * 20)
    one, other = Voyager(depth=30).rank(inputs), Voyager(depth=30).rank(inputs)
    assert len(graphs) == 2
    assert graphs[0].as_bytes() == graphs[1].as_bytes()
    assert one.recall == other.recall
    for field in ("documents", "scores", "positive_scores"):
        assert getattr(one, field).tobytes() == getattr(other, field).tobytes()


def test_scores_are_exact_dot_products_in_order() -> None:
    q, d = vectors(30, 24, 3), vectors(2000, 24, 4)
    found = Voyager(depth=50).rank(search(q, d, [[n, 1999, -1] for n in range(30)]))
    truth = q.astype(np.float64) @ d.astype(np.float64).T
    np.testing.assert_allclose(found.scores, np.take_along_axis(truth, found.documents, axis=1), rtol=1e-4, atol=1e-5)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert all(len(set(mine)) == 50 for mine in found.documents.tolist())
    np.testing.assert_allclose(found.positive_scores[:, 1], truth[:, 1999], rtol=1e-4, atol=1e-5)
    assert np.isnan(found.positive_scores[:, 2]).all()


def test_ties_come_in_ascending_row() -> None:
    d = np.random.default_rng(0).integers(0, 4, (200, 6)).astype(np.float32)
    found = Voyager(depth=150).rank(search(np.ones((1, 6), np.float32), d))
    pairs = list(zip((-found.scores[0]).tolist(), found.documents[0].tolist(), strict=True))
    assert len(set(found.scores[0].tolist())) < 20
    assert pairs == sorted(pairs)


def test_recall_is_that_of_brute_force_over_the_first_500_queries() -> None:
    q, d = vectors(520, 48, 5), vectors(4000, 48, 6)
    found = Voyager(depth=20, m=4, ef_construction=20, query_ef=20).rank(search(q, d))
    hits = [len(want & set(got)) / 20 for want, got in zip(top(q, d, 20), found.documents.tolist(), strict=True)]
    assert found.recall == pytest.approx(np.mean(hits[:500]), abs=1e-4)
    assert 0.05 < found.recall < 0.95  # else the next assertion says nothing
    assert found.recall != pytest.approx(np.mean(hits), abs=1e-6)


def test_any_copy_of_a_document_is_a_hit() -> None:
    """Forty directions, each a hundred times: the list of fifty may be any fifty copies of the nearest."""
    copies = np.tile(vectors(40, 16, 21), (100, 1))
    found = Voyager(depth=50).rank(search(vectors(10, 16, 22), copies))
    nearest = [rows.pop() % 40 for rows in top(vectors(10, 16, 22), copies[:40], 1)]
    assert [set((rows % 40).tolist()) for rows in found.documents] == [{row} for row in nearest]
    assert found.recall == 1.0
    poor = Voyager(depth=50, m=2, ef_construction=1, query_ef=50).rank(search(vectors(10, 16, 22), copies))
    right = [(rows % 40 == row).mean() for rows, row in zip(poor.documents, nearest, strict=True)]
    assert poor.recall == pytest.approx(np.mean(right))
    assert poor.recall < 1


@pytest.mark.slow
def test_recall_of_the_default_on_a_hard_case() -> None:
    # Random directions have no neighbourhoods; text embeddings are easier. Measured here: 0.992.
    found = Voyager(depth=110).rank(search(vectors(100, 64, 7), vectors(20_000, 64, 8)))
    assert 0.98 <= found.recall < 1.0


def test_strided_vectors_are_read_as_what_they_are() -> None:
    q, d = vectors(80, 16, 13), vectors(1000, 16, 14)
    plain = Voyager(depth=10).rank(search(q[::4].copy(), d))
    strided = Voyager(depth=10).rank(search(q[::4], np.asfortranarray(d)))
    assert plain.recall > 0.95
    np.testing.assert_array_equal(strided.documents, plain.documents)


@pytest.mark.parametrize(("queries", "documents"), [(3, 1), (3, 7), (3, 300), (0, 5), (3, 0), (0, 0)])
def test_deeper_than_the_corpus(queries: int, documents: int) -> None:
    q, d = vectors(queries, 8, 9), vectors(documents, 8, 10)
    found = Voyager(depth=400).rank(search(q, d))
    assert found.documents.shape == found.scores.shape == (queries, 400)
    assert (found.documents[:, documents:] == -1).all()
    assert np.isnan(found.scores[:, documents:]).all()
    assert [set(mine[:documents]) for mine in found.documents.tolist()] == [set(range(documents))] * queries
    assert found.recall == 1.0


def test_a_graph_with_too_few_links_is_a_clear_error() -> None:
    copies = np.repeat(vectors(10, 16, 11), 300, axis=0)  # links lead to copies, and seldom out
    with pytest.raises(InputError, match=r"voyager\(depth=3000\) reached fewer than 3000 of 3000 documents; raise m"):
        Voyager(depth=3000).rank(search(vectors(5, 16, 12), copies))


def test_scores_that_would_be_infinite_are_refused() -> None:
    q, d = vectors(3, 8, 5), vectors(90, 8, 6)
    d[70, 3] = np.inf
    with pytest.raises(InputError, match="would be infinite"):
        Voyager(depth=5).rank(search(q, d))


def test_the_graph_is_the_same_in_any_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Documents are added some at a time, from a file that cannot be written to as from memory."""
    graphs: list[voyager.Index] = []
    made = voyager.Index

    def kept(*arguments: Any, **named: Any) -> voyager.Index:
        graphs.append(made(*arguments, **named))
        return graphs[-1]

    monkeypatch.setattr(voyager, "Index", kept)
    np.save(tmp_path / "d.npy", vectors(1000, 16, 2))
    ranked = []
    for at_once in (1000, 300, 1):
        monkeypatch.setattr(module, "_AT_ONCE", at_once)
        inputs = search(vectors(20, 16, 1), np.load(tmp_path / "d.npy", mmap_mode="r"))
        ranked.append(Voyager(depth=30).rank(inputs).documents)
    whole = made(voyager.Space.InnerProduct, 16, M=16, ef_construction=200, random_seed=1)
    whole.add_items(vectors(1000, 16, 2), num_threads=1)
    assert {graph.as_bytes() for graph in graphs} == {whole.as_bytes()}
    assert len(graphs) == 3
    assert all((one == ranked[0]).all() for one in ranked)


@pytest.mark.parametrize("length", [1e-4, 1.0, 300.0, 1e6])
def test_one_byte_a_number_finds_most_whatever_the_length(length: float) -> None:
    """Scores are those of the vectors, and the graph takes less than half of the memory."""
    queries, documents = vectors(30, 64, 1), vectors(1500, 64, 2) * np.float32(length)
    documents[7] = 0
    plain, coarse = (Voyager(depth=20, storage=storage).rank(search(queries, documents)) for storage in STORAGE)
    truth = top(queries, documents, 20)
    for ranking, least in ((plain, 0.99), (coarse, 0.9)):
        found = [len(set(row) & wanted) / 20 for row, wanted in zip(ranking.documents.tolist(), truth, strict=True)]
        assert np.mean(found) >= least
        assert ranking.recall == pytest.approx(np.mean(found), abs=1e-6)
    expected = np.einsum("qd,qkd->qk", queries, documents[coarse.documents])
    np.testing.assert_allclose(coarse.scores, expected, rtol=1e-5, atol=1e-5 * length)


def test_what_is_built_by_threads_says_that_it_is_not_repeatable() -> None:
    inputs = search(vectors(20, 16, 1), vectors(800, 16, 2))
    threaded, plain = Voyager(depth=10, build_threads=2).rank(inputs), Voyager(depth=10).rank(inputs)
    assert "cannot be repeated" in threaded.note
    assert plain.note == ""
    assert threaded.recall > 0.95


def test_the_defaults_are_known_by_the_parameters_that_they_always_had() -> None:
    """Pools that are stored stay found; another storage or several threads are another pool."""
    assert Voyager().identity()["parameters"].keys() == {"depth", "m", "ef_construction", "query_ef"}
    others = [Voyager(storage="e4m3"), Voyager(build_threads=2), Voyager()]
    assert len({str(other.identity()) for other in others}) == 3
