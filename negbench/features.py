"""Feature values of a candidate pool, for Q queries of K candidates and P positives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

Values = NDArray[Any]


class Feature(ABC):
    """Values of a feature of a pool (``requirements.PoolFeature``)."""

    @abstractmethod
    def of_queries(self, rows: Values) -> Self:
        """Return the values for the queries at ``rows`` of the pool, in that order."""


@dataclass(frozen=True, slots=True)
class PerCandidate(Feature):
    """``candidates`` [Q, K]: a value for each candidate."""

    candidates: Values

    def of_queries(self, rows: Values) -> Self:
        return type(self)(self.candidates[rows])


@dataclass(frozen=True, slots=True)
class PerCandidateAndPositive(Feature):
    """``candidates`` [Q, K] and ``positives`` [Q, P]: a value for each candidate and each labelled positive."""

    candidates: Values
    positives: Values

    def of_queries(self, rows: Values) -> Self:
        return type(self)(self.candidates[rows], self.positives[rows])


@dataclass(frozen=True, slots=True)
class PerRank(Feature):
    """``ranks`` [K]: a value for each rank, the same for all queries."""

    ranks: Values

    def of_queries(self, rows: Values) -> Self:
        return self
