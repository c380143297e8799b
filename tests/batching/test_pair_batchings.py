"""Batchings that look at pairs: their graphs, communities and clusters against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from negbench.batching.neighbours import Neighbours, communities, swapped
from negbench.batching.pair_clusters import PairClusters, tour
from negbench.batching.pairs import PairBatching, Pairs
from negbench.rng import CounterRNG, keys
from negbench.types import Float32, Int32

BATCHINGS: list[PairBatching] = [Neighbours(skip=2, width=8, community=8), PairClusters(pairs=16)]
both = pytest.mark.parametrize("batching", BATCHINGS, ids=["neighbours", "pair-clusters"])


def unit(vectors: np.ndarray) -> Float32:
    """Return vectors of about length 1 whose products are exact, so that ties are ties."""
    return (np.round(16 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)) / 16).astype(np.float32)


def pairs_of(count: int, topics: int = 12, seed: int = 0) -> Pairs:
    """Return pairs about several topics; some share a query, some a document."""
    random = np.random.default_rng(seed)
    queries = np.sort(random.integers(0, count, count)).astype(np.int32)
    documents = random.permutation(count).astype(np.int32) // 2 * 2
    about = random.normal(size=(topics, 16))[queries % topics]
    of_document = unit(about + 0.4 * random.normal(size=(count, 16)))
    first = {row: at for at, row in reversed([*enumerate(documents.tolist())])}
    of_query = unit(about + 0.4 * random.normal(size=(count, 16)))
    asked = {row: at for at, row in reversed([*enumerate(queries.tolist())])}
    return Pairs(
        queries,
        documents,
        of_query[[asked[row] for row in queries.tolist()]],
        of_document[[first[row] for row in documents.tolist()]],
    )


def similarity(pairs: Pairs) -> Float32:
    """Return how alike two pairs are [R, R]: the scores of each one's query with the other's document."""
    scores = pairs.query_vectors @ pairs.document_vectors.T
    return scores + scores.T


@pytest.mark.parametrize(("skip", "width"), [(0, 3), (4, 8), (60, 100)])
def test_edges_are_the_ranks_of_a_sorted_list(skip: int, width: int) -> None:
    pairs = pairs_of(70)
    found = Neighbours(skip=skip, width=width).graph(pairs).toarray()
    right = np.zeros((70, 70))
    labelled = {(q, d) for q, d in zip(pairs.queries.tolist(), pairs.documents.tolist(), strict=True)}
    for row in range(70):
        scores = pairs.query_vectors[row] @ pairs.document_vectors.T
        others = [at for at in range(70) if (int(pairs.queries[row]), int(pairs.documents[at])) not in labelled]
        ranked = sorted(others, key=lambda at: (-scores[at], at))[skip : skip + width]
        for at in ranked:
            right[row, at] += 1
            right[at, row] += 1
    np.testing.assert_array_equal(found, right)
    assert right.any() or skip > 60


def weight_inside(graph: np.ndarray, community: Int32) -> float:
    return float(graph[community[:, None] == community[None, :]].sum() / graph.sum())


def test_communities_are_of_one_size_and_hold_more_weight_than_others() -> None:
    """More than random ones by far, and no swap of the brute force's adds any."""
    pairs = pairs_of(150)
    sparse = Neighbours(skip=2, width=8).graph(pairs)
    graph = sparse.toarray()
    grown = communities(sparse, 8)
    found = swapped(sparse, grown)
    for community in (grown, found):
        assert sorted(np.bincount(community).tolist()) == [6, *[8] * 18]
    shuffled = np.random.default_rng(0).permutation(150).astype(np.int32) // 8
    assert weight_inside(graph, found) >= weight_inside(graph, grown) > 4 * weight_inside(graph, shuffled)
    better = 0
    for one in range(150):
        towards = np.bincount(found, graph[one], found.max() + 1)
        for other in np.flatnonzero(found == towards.argmax()):
            changed = found.copy()
            changed[[one, other]] = found[[other, one]]
            better += weight_inside(graph, changed) > weight_inside(graph, found) + 1e-9
    assert better <= 3  # three passes may leave one for a fourth


def test_planted_communities_are_found() -> None:
    """Where the graph falls apart into groups of the very size, whatever the order of rows."""
    order = np.random.default_rng(1).permutation(60)
    planted = order // 6
    graph = (planted[:, None] == planted[None, :]).astype(np.float32) - np.eye(60, dtype=np.float32)
    from scipy.sparse import csr_array

    found = communities(csr_array(graph), 6)
    assert len({*zip(found.tolist(), planted.tolist(), strict=True)}) == 10


def test_clusters_are_of_pairs_and_a_tour_visits_each_once() -> None:
    """Two topics whose queries are alike are told apart by their documents."""
    random = np.random.default_rng(0)
    query = np.eye(8)[np.zeros(40, int)]
    document = np.eye(8)[1 + np.arange(40) % 2]
    noise = [unit(table + 0.05 * random.normal(size=(40, 8))) for table in (query, document)]
    rows = np.arange(40, dtype=np.int32)
    groups = PairClusters(pairs=20).groups(Pairs(rows, rows, *noise))
    assert {(int(group), row % 2) for row, group in enumerate(groups)} in ({(0, 0), (1, 1)}, {(0, 1), (1, 0)})

    centres = np.array([[0.0], [9.0], [1.0], [4.0], [3.5]], np.float32)
    assert tour(centres).tolist() == [0, 2, 4, 3, 1]


@both
@pytest.mark.parametrize("count", [0, 1, 5, 150])
def test_every_row_has_a_group_numbered_from_0(batching: PairBatching, count: int) -> None:
    groups = batching.groups(pairs_of(count))
    assert groups.dtype == np.int32
    assert sorted({*groups.tolist()}) == list(range(int(groups.max(initial=-1)) + 1))
    assert len(groups) == count


@both
def test_rows_of_a_batch_are_more_alike_than_in_random_batches(batching: PairBatching) -> None:
    pairs = pairs_of(150)
    alike, names = similarity(pairs), keys([f"row {row}" for row in range(150)])
    groups = batching.groups(pairs)
    np.testing.assert_array_equal(groups, batching.groups(pairs))
    means = []
    for of_rows in (groups, np.random.default_rng(0).permutation(groups)):
        found = batching.batches(names, of_rows, 16, CounterRNG(0, "batches"))
        assert sorted(np.concatenate(found).tolist()) == list(range(150))
        means.append(np.mean([alike[np.ix_(batch, batch)][~np.eye(len(batch), dtype=bool)].mean() for batch in found]))
    assert means[0] > means[1] + 0.3


def test_batches_hold_whole_communities_other_ones_each_epoch() -> None:
    batching = Neighbours(community=8)
    groups = (np.arange(150) // 8).astype(np.int32)
    names = keys([f"row {row}" for row in range(150)])
    epochs = [batching.batches(names, groups, 16, CounterRNG(0, "batches", epoch)) for epoch in (0, 1)]
    together = [{frozenset(groups[batch].tolist()) for batch in epoch} for epoch in epochs]
    assert all(len(communities_) <= 2 for epoch in together for communities_ in epoch)
    assert len(together[0] & together[1]) < 3
