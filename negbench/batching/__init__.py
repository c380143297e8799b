"""Batching: which training rows sit in a batch together, and so are one another's negatives. One file a way."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from negbench.noise import Noise
from negbench.parts import Part
from negbench.types import Int32, Int64, UInt64


class Batching(Part):
    """A way to put the rows of an epoch into batches; every row stands in one batch."""

    kind: ClassVar[str] = "batching"

    @property
    def wants_clusters(self) -> int | None:
        """How many clusters of queries it has to be given; None for none."""
        return None

    @abstractmethod
    def batches(self, keys: UInt64, clusters: Int32 | None, size: int, noise: Noise) -> list[Int64]:
        """Return batches of at most ``size`` rows, as positions in ``keys`` [R], a stable hash of each row's ids.

        ``clusters`` [R] is the cluster of each row's query, where the batching wants clusters.
        """


def cut(order: Int64, size: int) -> list[Int64]:
    """Cut an order of rows into batches; the last may be short."""
    return [order[at : at + size] for at in range(0, len(order), size)]
