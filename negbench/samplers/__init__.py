"""Samplers: draw negatives from a candidate pool. One file a sampler; a sampler is a pure function of its input."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from negbench.asks import Asking
from negbench.noise import Noise
from negbench.types import CandidatePool, Draw


class Sampler(Asking):
    """A way to draw k negatives a query from what the filters left.

    A sampler sees the pool and noise: no file, no clock, no config. It never returns what the pool marks as known
    or excluded, nor the same document twice for a query.
    """

    kind: ClassVar[str] = "sampler"

    @abstractmethod
    def draw(self, pool: CandidatePool, k: int, noise: Noise) -> Draw:
        """Return positions [Q, k] into the pool, -1 where fewer than k candidates are left."""
