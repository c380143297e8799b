"""Samplers: draw negatives from a candidate pool. One file a sampler; a sampler is a pure function of its input."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from negbench.requirements import PoolPart
from negbench.rng import CounterRNG
from negbench.types import CandidatePool, Draw


class Sampler(PoolPart):
    """A way to draw k negatives a query from what the filters left.

    A sampler sees the pool and noise: no file, no clock, no config. It never returns what the pool marks as known
    or excluded, nor the same document twice for a query.
    """

    kind: ClassVar[str] = "sampler"
    leaves_slots: ClassVar[bool] = False
    """Whether it may leave slots empty while candidates are left: -2 for the row's batch, -1 for the fill."""

    @abstractmethod
    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        """Return positions [Q, k] into the pool, -1 where fewer than k candidates are left.

        A sampler that ``leaves_slots`` may return -1 and -2 anywhere.
        """
