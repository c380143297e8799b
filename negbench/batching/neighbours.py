"""Batches of communities: pairs that a teacher ranks high for one another."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from negbench.batching import cut_by_group
from negbench.batching.pairs import PairBatching, Pairs
from negbench.retrieval.topk import top_k
from negbench.rng import CounterRNG
from negbench.types import Int32, Int64, UInt64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BLOCK = 256
_PASSES = 3


class Neighbours(PairBatching):
    """Batches of small communities of training pairs: B3, Thirukovalluru et al., arXiv 2505.11293.

    A teacher ranks the documents of all pairs for each query. Ranks ``skip`` + 1 to ``skip`` + ``width`` are strong
    negatives that are probably true; each makes an edge of an undirected graph over pairs. The graph is parted into
    communities of ``community`` pairs, and a batch is made of several communities drawn at random.

    Differs from the paper in: communities are grown one by one and improved by swaps, instead of by METIS; every row is
    used once an epoch, so where communities do not fill up batches one is split between two; documents that are
    labelled for the query take no rank. The paper skips 30 or 70 ranks, by data set.
    """

    name: ClassVar[str] = "neighbours"

    skip: int = Field(default=30, ge=0, description="First ranks that are left out, as they may be false negatives.")
    width: int = Field(default=100, ge=1, description="Number of ranks after these that make an edge.")
    community: int = Field(default=32, ge=2, description="Number of pairs in a community.")

    def groups(self, pairs: Pairs) -> Int32:
        graph = self.graph(pairs)
        return swapped(graph, communities(graph, self.community))

    def graph(self, pairs: Pairs) -> csr_array:
        """Return the weights [R, R] of edges: in how many of both directions one pair ranks the other as a negative."""
        from scipy.sparse import csr_array

        count = len(pairs.queries)
        _, asked = np.unique(pairs.queries, return_inverse=True)
        _, read = np.unique(pairs.documents, return_inverse=True)
        ones = np.ones(count, np.float32)
        square = (count, count)  # there are no more queries or documents than pairs
        labelled = csr_array((ones, (asked, read)), square) @ csr_array((ones, (read, np.arange(count))), square)
        rows, columns = [], []
        for start in range(0, count, _BLOCK):
            block = slice(start, min(start + _BLOCK, count))
            scores = pairs.query_vectors[block] @ pairs.document_vectors.T
            scores[labelled[asked[block]].nonzero()] = -np.inf
            ranked, _ = top_k(scores, self.skip + self.width)
            row, rank = np.nonzero(ranked[:, self.skip :] >= 0)
            rows.append(row + start)
            columns.append(ranked[row, self.skip + rank])
        edges = (np.concatenate([*rows, np.zeros(0, np.int64)]), np.concatenate([*columns, np.zeros(0, np.int32)]))
        directed = csr_array((np.ones(len(edges[0]), np.float32), edges), square)
        return csr_array(directed + directed.T)

    def batches(self, keys: UInt64, clusters: Int32 | None, size: int, rng: CounterRNG) -> list[Int64]:
        """Put communities in random order, full ones first so that batches hold whole ones, and cut."""
        assert clusters is not None, "neighbours needs communities"
        sizes = np.bincount(clusters)
        order = rng.order(np.arange(len(sizes), dtype=np.uint64))
        order = order[np.argsort(-sizes[order], kind="stable")]
        return cut_by_group(keys, clusters, np.argsort(order), size, rng)


def communities(graph: csr_array, size: int) -> Int32:
    """Return the community [R] of each row of a graph with symmetric weights [R, R]: ``size`` rows each, but the last.

    A community begins with the row that has the least weight towards rows without a community, so that none is left
    behind alone. It grows by the row with the most weight towards it, of equal ones again the one with the least
    towards the rest. Ties go to the first row.
    """
    count = graph.shape[0]
    community = np.full(count, -1, np.int32)
    starts, neighbours, weights = graph.indptr.tolist(), graph.indices.tolist(), graph.data.tolist()
    rest = graph.sum(axis=1).tolist()  # weight towards rows without a community
    seeds = [(weight, row) for row, weight in enumerate(rest)]
    heapq.heapify(seeds)
    frontier: list[tuple[float, float, int]] = []
    inside: dict[int, float] = {}
    for place in range(count):
        if place % size == 0:
            frontier, inside = [], {}
        row = -1
        while frontier and row < 0:
            gain, _, candidate = heapq.heappop(frontier)
            row = candidate if community[candidate] < 0 and -gain == inside[candidate] else -1
        while row < 0:
            weight, candidate = heapq.heappop(seeds)
            row = candidate if community[candidate] < 0 and weight == rest[candidate] else -1
        community[row] = place // size
        for at in range(starts[row], starts[row + 1]):
            other = neighbours[at]
            if community[other] < 0:
                rest[other] -= weights[at]
                inside[other] = inside.get(other, 0.0) + weights[at]
                heapq.heappush(frontier, (-inside[other], rest[other], other))
                heapq.heappush(seeds, (rest[other], other))
    return community


def swapped(graph: csr_array, community: Int32) -> Int32:
    """Return communities [R] of the same sizes with more weight inside, by swaps of two rows (Kernighan & Lin 1970).

    Each row in turn changes places with the row of the community that it has the most weight towards whose swap puts
    the most weight inside, if any does; three times over all rows at most.
    """
    community = community.copy()
    for _ in range(_PASSES if len(community) else 0):
        swaps = 0
        for row in range(len(community)):
            ends = slice(graph.indptr[row], graph.indptr[row + 1])
            towards = np.bincount(community[graph.indices[ends]], graph.data[ends], community.max() + 1)
            here, there = int(community[row]), int(towards.argmax())
            if towards[there] <= towards[here]:
                continue
            others = np.flatnonzero(community == there)
            block = graph[others]
            gain = block @ (community == here) - block @ (community == there) + towards[there] - towards[here]
            gain -= 2 * (block @ (np.arange(len(community)) == row))
            if gain.max() > 0:
                community[[row, others[gain.argmax()]]] = there, here
                swaps += 1
        if not swaps:
            break
    return community
