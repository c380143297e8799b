"""Batches of queries on one topic, from a clustering of the query vectors."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.batching import Batching, cut_by_group
from negbench.rng import CounterRNG
from negbench.types import Int32, Int64, UInt64


class Topics(Batching):
    """Batches of queries on one topic, so that in-batch negatives are hard: TAS, Hofstätter et al., arXiv 2104.06967.

    Queries are clustered once, by k-means over the starting encoder's vectors. Differs from the paper in: every row
    is used once an epoch, so a batch at the border of two clusters holds both (the paper draws clusters afresh and
    drops what does not fill a batch), which keeps rows and steps equal to those of other methods.

    The paper's clusters hold about 200 queries each, its batches 32.
    """

    name: ClassVar[str] = "topics"

    clusters: int = Field(
        default=25,
        ge=1,
        description="Number of k-means clusters of the training queries; the paper has 2,000 for 400,000 queries.",
    )

    @property
    def wants_clusters(self) -> int:
        return self.clusters

    def batches(self, keys: UInt64, clusters: Int32 | None, size: int, rng: CounterRNG) -> list[Int64]:
        """Put clusters in random order, rows in random order within each, cut, and shuffle the batches."""
        assert clusters is not None, "topics needs clusters"
        places = np.argsort(rng.order(np.arange(self.clusters, dtype=np.uint64)))
        return cut_by_group(keys, clusters, places, size, rng)
