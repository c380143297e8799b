"""Batching: which training rows sit in a batch together, and so are one another's negatives. One file a way."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from negbench.registry import Part
from negbench.rng import CounterRNG
from negbench.types import Int32, Int64, UInt64


class Batching(Part):
    """A way to put the rows of an epoch into batches; every row stands in one batch."""

    kind: ClassVar[str] = "batching"

    @property
    def wants_clusters(self) -> int | None:
        """How many clusters of queries it has to be given; None for none."""
        return None

    @abstractmethod
    def batches(self, keys: UInt64, clusters: Int32 | None, size: int, rng: CounterRNG) -> list[Int64]:
        """Return batches of at most ``size`` rows, as positions in ``keys`` [R], a stable hash of each row's ids.

        ``clusters`` [R] is the cluster of each row's query, where the batching wants clusters, or the group of each
        row, where it makes ``groups``.
        """


def cut(order: Int64, size: int) -> list[Int64]:
    """Cut an order of rows into batches; the last may be short."""
    return [order[start : start + size] for start in range(0, len(order), size)]


def cut_by_group(keys: UInt64, groups: Int32, places: Int64, size: int, rng: CounterRNG) -> list[Int64]:
    """Return batches of ``size`` rows, group after group.

    Group g of ``groups`` [R] comes at ``places[g]``, with its rows in random order; what is cut from that is shuffled.
    """
    shuffled = rng.order(keys)
    batches = cut(shuffled[np.argsort(places[groups[shuffled]], kind="stable")], size)
    turns = rng.order(np.array([keys[batch].min() for batch in batches], np.uint64) ^ np.uint64(1))
    return [batches[turn] for turn in turns.tolist()]
