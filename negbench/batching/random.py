"""Batches in random order, without regard to topics."""

from __future__ import annotations

from typing import ClassVar

from negbench.batching import Batching, cut
from negbench.rng import CounterRNG
from negbench.types import Int32, Int64, UInt64


class Random(Batching):
    """Rows in random order, the same for every method of a trial."""

    name: ClassVar[str] = "random"

    def batches(self, keys: UInt64, clusters: Int32 | None, size: int, rng: CounterRNG) -> list[Int64]:
        return cut(rng.order(keys), size)
