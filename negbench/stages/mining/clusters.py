"""The stages that group training rows for their batches: queries by topic, or pairs by what is near them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.batching.pairs import PairBatching, Pairs
from negbench.stages.inputs import Embed, PathOf, read_collection, read_vectors
from negbench.store import Stage
from negbench.training.data import Instances, instances
from negbench.types import Int32


@dataclass(frozen=True, eq=False)
class RowGroups(Stage):
    """A group for each training row."""

    @abstractmethod
    def of(self, folder: Path, data: Instances) -> Int32:
        """Return the group of each row [R] of an epoch of ``data``, from what lies in ``folder``."""


@dataclass(frozen=True, eq=False)
class ClusterQueries(RowGroups):
    """K-means over the vectors of a split's queries; the same for every seed."""

    kind: ClassVar[str] = "clusters"
    queries: Embed
    clusters: int

    @property
    def label(self) -> str:
        return f"cluster queries into {self.clusters} clusters"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Cluster (scikit-learn's KMeans), with no more clusters than queries."""
        from sklearn.cluster import KMeans

        collection = read_collection(path_of(self.queries.collection))
        assert self.queries.split is not None
        vectors = np.asarray(read_vectors(path_of(self.queries)), np.float32)
        kmeans = KMeans(min(self.clusters, len(vectors)), n_init=4, random_state=0).fit(vectors)
        np.save(out / "rows.npy", collection.split_queries(self.queries.split))
        np.save(out / "clusters.npy", kmeans.labels_.astype(np.int32))
        return {}

    def of(self, folder: Path, data: Instances) -> Int32:
        rows = np.load(folder / "rows.npy", allow_pickle=False)
        clusters: Int32 = np.load(folder / "clusters.npy", allow_pickle=False)
        return clusters[np.searchsorted(rows, data.queries[: len(data.keys)])]


@dataclass(frozen=True, eq=False)
class GroupPairs(RowGroups):
    """Groups of all labelled pairs of a split by a batching that looks at their vectors; the same for every seed."""

    kind: ClassVar[str] = "pair-groups"
    batching: PairBatching
    queries: Embed
    documents: Embed

    @property
    def label(self) -> str:
        return f"group training pairs by {self.batching.spelling}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Group the pairs; keep them by the hash of their ids."""
        collection = read_collection(path_of(self.queries.collection))
        assert self.queries.split is not None
        data = instances(collection, self.queries.split, None)
        asked = np.searchsorted(collection.split_queries(self.queries.split), data.queries)
        pairs = Pairs(
            data.queries,
            data.positives,
            np.asarray(read_vectors(path_of(self.queries))[asked], np.float32),
            np.asarray(read_vectors(path_of(self.documents))[data.positives], np.float32),
        )
        order = np.argsort(data.keys)
        np.save(out / "keys.npy", data.keys[order])
        np.save(out / "groups.npy", self.batching.groups(pairs)[order])
        return {}

    def of(self, folder: Path, data: Instances) -> Int32:
        keys = np.load(folder / "keys.npy", allow_pickle=False)
        groups: Int32 = np.load(folder / "groups.npy", allow_pickle=False)
        return groups[np.searchsorted(keys, data.keys)]
