"""Batches of alike pairs, from a clustering of queries and documents together."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.batching import cut_by_group
from negbench.batching.pairs import PairBatching, Pairs
from negbench.rng import CounterRNG
from negbench.types import Float32, Int32, Int64, UInt64


class PairClusters(PairBatching):
    """Batches of pairs whose queries and documents are alike: contextual training of CDE, arXiv 2410.02525.

    Morris & Rush make hard batches by k-means over pairs, the vectors of document and query, of length 1 each, put one
    after the other. To pack clusters of any size into equal batches, they are laid out on a greedy tour from one to the
    nearest that is left, and cut; each epoch begins the tour elsewhere and shuffles each cluster.

    Differs from the paper in: a pair counts once; the paper adds each pair with query and document exchanged, which
    adds a mirror image of each cluster. The paper also leaves out of a query's negatives all that a given encoder
    scores above the positive: add ``loss: gist`` for that.
    """

    name: ClassVar[str] = "pair-clusters"

    pairs: int = Field(default=64, ge=1, description="Mean number of training pairs in a cluster.")

    def groups(self, pairs: Pairs) -> Int32:
        from sklearn.cluster import KMeans
        from sklearn.preprocessing import normalize

        count = len(pairs.queries)
        if not count:
            return np.zeros(0, np.int32)
        vectors = np.hstack([normalize(pairs.document_vectors), normalize(pairs.query_vectors)])
        clusters = min(max(1, round(count / self.pairs)), len(np.unique(vectors, axis=0)))
        kmeans = KMeans(clusters, n_init=1, random_state=0).fit(vectors)
        used, labels = np.unique(kmeans.labels_, return_inverse=True)
        places: Int32 = np.argsort(tour(kmeans.cluster_centers_[used])).astype(np.int32)
        return places[labels]

    def batches(self, keys: UInt64, clusters: Int32 | None, size: int, rng: CounterRNG) -> list[Int64]:
        """Put clusters in the order of the tour from a random one on, and cut."""
        assert clusters is not None, "pair-clusters needs clusters"
        count = int(clusters.max(initial=-1)) + 1
        begin = int(rng.bits(count) % np.uint64(max(count, 1)))
        return cut_by_group(keys, clusters, (np.arange(count) - begin) % max(count, 1), size, rng)


def tour(centres: Float32) -> Int64:
    """Return an order of ``centres`` [G, d]: from the first always on to the nearest that is left."""
    left = np.arange(1, len(centres))
    order = [0]
    while len(left):
        nearest = int(((centres[left] - centres[order[-1]]) ** 2).sum(axis=1).argmin())
        order.append(int(left[nearest]))
        left = np.delete(left, nearest)
    return np.array(order)
