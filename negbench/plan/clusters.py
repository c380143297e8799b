"""The stage that groups training queries by topic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.plan.sources import At, Embed, read_collection, read_vectors
from negbench.store import Stage
from negbench.types import Int32


@dataclass(frozen=True, eq=False)
class ClusterQueries(Stage):
    """K-means over the vectors of a split's queries; the same for every seed."""

    kind: ClassVar[str] = "clusters"
    queries: Embed
    clusters: int

    @property
    def label(self) -> str:
        """How many."""
        return f"cluster queries into {self.clusters}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Cluster (scikit-learn's KMeans), with no more clusters than queries."""
        from sklearn.cluster import KMeans

        collection = read_collection(at(self.queries.collection))
        assert self.queries.split is not None
        vectors = np.asarray(read_vectors(at(self.queries)), np.float32)
        found = KMeans(min(self.clusters, len(vectors)), n_init=4, random_state=0).fit(vectors)
        np.save(out / "rows.npy", collection.split_queries(self.queries.split))
        np.save(out / "clusters.npy", found.labels_.astype(np.int32))
        return {}

    def of(self, folder: Path, queries: Int32) -> Int32:
        """Return the cluster of each of ``queries``, rows of the collection, from what lies in ``folder``."""
        rows = np.load(folder / "rows.npy", allow_pickle=False)
        found: Int32 = np.load(folder / "clusters.npy", allow_pickle=False)
        return found[np.searchsorted(rows, queries)]
