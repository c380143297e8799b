"""Counter-based randomness: every random number is a hash of what it is for, so order never matters.

A draw for (query, document) depends on the seed, the part, the round and the two ids alone: not on the order
of queries, the batch size, or what other samplers did. The mixing function is splitmix64's finaliser
(Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from negbench.types import Float64, UInt64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key(text: str) -> int:
    """Return a stable 64-bit hash of ``text``."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def keys(texts: Sequence[str]) -> UInt64:
    """Return the stable 64-bit hash of each text, e.g. of ids."""
    digests = b"".join([hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _mix(bits: UInt64) -> UInt64:
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is the point
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class CounterRNG:
    """A source of random numbers named by (seed, part, round)."""

    seed: int
    part: str
    round: int = 0

    def bits(self, *counters: NDArray[np.integer] | np.integer | int) -> UInt64:
        """Return uniform 64-bit integers for the counters (ids' keys, step numbers), broadcast together."""
        state: UInt64 = np.asarray(key(f"{self.seed}\x1f{self.part}\x1f{self.round}"), np.uint64)
        with np.errstate(over="ignore"):
            for counter in counters:
                state = _mix((state + _GOLDEN) ^ _mix(np.asarray(counter).astype(np.uint64) + _GOLDEN))
        return state

    def uniform(self, *counters: NDArray[np.integer] | np.integer | int) -> Float64:
        """Return floats strictly between 0 and 1 for the counters."""
        fraction = ((self.bits(*counters) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        return np.minimum(fraction, 1 - 2.0**-53)  # the very last one rounds up to 1

    def gumbel(self, *counters: NDArray[np.integer] | np.integer | int) -> Float64:
        """Return standard Gumbel numbers; the argmax of log-weights plus these is a draw by weight."""
        return -np.log(-np.log(self.uniform(*counters)))

    def order(self, counters: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return a random permutation of ``counters`` [n], as positions."""
        return np.argsort(self.bits(counters), kind="stable")
