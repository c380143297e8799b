"""False negatives: estimate how many of the negatives handed to training are relevant. One file an estimator."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from negbench.parts import Part
from negbench.types import Float64, Int32, Qrels, TruthKind

Unit = Literal["negative", "query", "instance"]


@dataclass(frozen=True, slots=True)
class Handed:
    """What training was handed, and what is known about relevance.

    ``queries`` [R] is the query row of each training row (a query with three positives has three rows),
    ``documents`` [R, k] its negatives (-1 where there is none), ``weights`` [R, k] what training multiplies each
    by. ``truth`` holds the fuller judgments of these queries, None where there are none.
    """

    queries: Int32
    documents: Int32
    weights: Float64
    truth: Qrels | None
    truth_kind: TruthKind


@dataclass(frozen=True, slots=True)
class Rate:
    """An estimated share of false negatives in [0, 1] with its 95 % interval.

    ``unit`` says of what: mined negatives weighted as training sees them, queries (mean of per-query shares), or
    training instances with at least one. ``note`` says what the figure rests on. ``clusters`` [2, n], where the rate
    is a ratio, holds hits and totals by distinct query, in ascending row, so that seeds can be pooled.
    """

    rate: float
    low: float
    high: float
    unit: Unit
    note: str
    clusters: Float64 | None = field(default=None, compare=False)


class Estimator(Part):
    """A way to estimate the false-negative rate."""

    kind: ClassVar[str] = "estimator"

    @abstractmethod
    def estimate(self, handed: Handed) -> dict[str, Rate]:
        """Return rates by name: the primary under the estimator's own name, others as ``name/unit``.

        An empty dict means that the estimator does not apply (for instance, no truth is known).
        """
