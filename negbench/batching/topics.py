"""Topic-aware batches."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.batching import Batching, cut
from negbench.noise import Noise
from negbench.types import Int32, Int64, UInt64


class Topics(Batching):
    """Batches of queries on one topic, so that in-batch negatives are hard: TAS, Hofstätter et al., arXiv 2104.06967.

    Queries are clustered once, by k-means over the starting encoder's vectors. Differs from the paper in: every row
    is used once an epoch, so a batch at the border of two clusters holds both (the paper draws clusters afresh and
    drops what does not fill a batch), which keeps rows and steps equal to those of other methods.

    clusters: of the training queries; the paper has 2,000 for 400,000 (200 queries each) and batches of 32.
    """

    name: ClassVar[str] = "topics"

    clusters: int = Field(default=25, ge=1)

    @property
    def wants_clusters(self) -> int:
        """As many as there are topics."""
        return self.clusters

    def batches(self, keys: UInt64, clusters: Int32 | None, size: int, noise: Noise) -> list[Int64]:
        """Put clusters in random order, rows in random order within each, cut, and shuffle the batches."""
        assert clusters is not None, "topics needs clusters"
        place = np.argsort(noise.order(np.arange(self.clusters, dtype=np.uint64)))  # of each cluster in the order
        shuffled = noise.order(keys)
        found = cut(shuffled[np.argsort(place[clusters[shuffled]], kind="stable")], size)
        turns = noise.order(np.array([keys[batch].min() for batch in found], np.uint64) ^ np.uint64(1))
        return [found[turn] for turn in turns.tolist()]
