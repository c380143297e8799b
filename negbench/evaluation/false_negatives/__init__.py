"""Estimators of the false-negative rate: the share of relevant documents among the training negatives."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, Self, get_args

from negbench.errors import PartError
from negbench.registry import Part, registered
from negbench.types import Float64, Int32, Qrels, TruthKind

ROUNDING: Final = 1e-9
"""How far an estimate may lie outside of its interval."""

Unit = Literal["negative", "query", "instance"]
Reading = Literal["judge", "held-out"]
READINGS: Final[tuple[str, ...]] = get_args(Reading)
"""What is made for estimators alone where a grid asks for it: ``Pairs.judge``, and ``TrainingNegatives.held_out``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The N distinct pairs of query and mined negative, and what is known of each.

    ``queries``, ``documents`` [N] are rows; ``weights`` [N] add up what training gives a pair (0 for pairs that only
    another sampler drew); ``ranks`` [N] are zero-based, -1 where filled; ``scores`` [N] the retriever's and
    ``positive_scores`` [N] those of the query's lowest positive, NaN where there is none. ``judge`` and ``teacher``
    [N] are their scores, NaN where they gave none, None where nobody was asked. An audit gives ``strata`` [N],
    ``probability`` [N] of a drawn pair to be drawn (0: not drawn) and ``labels`` [N], 0 or 1, NaN where there is no
    answer.
    """

    queries: Int32
    documents: Int32
    weights: Float64
    ranks: Int32
    scores: Float64
    positive_scores: Float64
    judge: Float64 | None = None
    teacher: Float64 | None = None
    strata: Int32 | None = None
    probability: Float64 | None = None
    labels: Float64 | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """Counts of labelled positives and unlabelled documents by rank bin, for positive-unlabelled estimators.

    ``positives`` and ``unlabelled`` [Q, bins] count, by query and bin of rank (``rank_bins.rank_bin``), the documents
    that are labelled positive and those that are not; the last bin holds what lies below the candidate pool.
    """

    positives: Float64
    unlabelled: Float64


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Result of a separate mining pass with part of the labels hidden; nothing is trained on it.

    ``hits`` and ``totals`` [n] count, by distinct query, negatives that are hidden positives, and all, both weighted
    as training would weigh them; ``hidden`` is the share of all labelled pairs that was hidden, in [0, 1), as a
    query keeps one.
    """

    hits: Float64
    totals: Float64
    hidden: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingNegatives:
    """Training negatives, and what is known about their relevance.

    ``queries`` [R] is the query row of each training row (a query with three positives has three rows),
    ``documents`` [R, k] its negatives (-1 where there is none), ``weights`` [R, k] what training multiplies each
    by. ``truth`` holds the fuller judgments of these queries, None where there are none. ``copies`` are unlabelled
    documents with the text of a labelled positive, None where these count as positives. The rest is there where it was
    asked for.
    """

    queries: Int32
    documents: Int32
    weights: Float64
    truth: Qrels | None
    truth_kind: TruthKind
    pairs: Pairs | None = None
    labelled: Labelled | None = None
    held_out: HeldOut | None = None
    copies: Qrels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """An estimated share of false negatives in [0, 1] with its 95 % interval.

    ``unit`` says of what: mined negatives weighted as training sees them, queries (mean of per-query shares), or
    training instances with at least one. ``note`` says what the figure rests on. ``low`` and ``high`` are NaN where
    no interval can be given, and all three where the estimator fails: the note says why. ``clusters`` [2, n], where
    the rate is a ratio, holds hits and totals by distinct query, in ascending row, so that seeds can be pooled.
    ``index`` marks a figure that may order methods and is no share.
    """

    rate: float
    low: float
    high: float
    unit: Unit
    note: str
    clusters: Float64 | None = field(default=None, compare=False)
    index: bool = False

    @property
    def ends(self) -> tuple[float, float, float]:
        """The estimate and the two ends of its interval."""
        return self.rate, self.low, self.high

    @classmethod
    def of(cls, interval: tuple[float, float, float], unit: Unit, note: str, clusters: Float64 | None = None) -> Self:
        """Return the rate of an ``interval``: the estimate and its two ends."""
        rate, low, high = interval
        return cls(rate=rate, low=low, high=high, unit=unit, note=note, clusters=clusters)


class Estimator(Part):
    """A way to estimate the false-negative rate."""

    kind: ClassVar[str] = "estimator"
    reads: ClassVar[tuple[Reading, ...]] = ("judge", "held-out")
    """The ``READINGS`` that it uses; a grid with an estimator that reads anything else is refused."""
    meanings: ClassVar[Mapping[str, str]] = {}
    """What the rates are of, in a few words, that a table may show with their ``clusters``: by name, first choice
    first. A table shows one."""
    priority: ClassVar[int] = 50
    """Which estimator's rates a table shows where several have ``meanings``: the lowest that a trial has."""
    needs: ClassVar[str] = ""
    """What must be given for a rate to show, if not every grid has it: a key of the grid, or some words."""
    lacking: ClassVar[str] = "it does not apply"
    """Why there is none where ``estimate`` returns an empty dict, in a few words."""

    @abstractmethod
    def estimate(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        """Return rates by name: the primary under the estimator's own name, others as ``name/unit``.

        An empty dict means that the estimator does not apply (for instance, no truth is known).
        """

    def checked_rates(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        """Return the rates of ``estimate`` after a check.

        Raises PartError for what is no share from 0 to 1, and an interval that the estimate lies outside of. NaN is
        what cannot be told.
        """
        rates = self.estimate(negatives)
        for name, it in rates.items():
            if math.isinf(it.rate) or not (it.index or all(math.isnan(end) or 0 <= end <= 1 for end in it.ends)):
                raise PartError(self, f"{name}: rate {it.rate} [{it.low}, {it.high}]; expected shares from 0 to 1")
            if it.rate < it.low - ROUNDING or it.rate > it.high + ROUNDING:
                raise PartError(self, f"{name}: rate {it.rate} lies outside of its interval [{it.low}, {it.high}]")
        return rates


def every() -> tuple[Estimator, ...]:
    """Return all estimators that are registered, with their defaults, in alphabetical order."""
    return tuple(Estimator.model_validate(name) for name in registered("estimator"))


def meanings() -> dict[str, str]:
    """Return what the rates are of that a table may show, by name, first choice first."""
    kinds = [kind for kind in registered("estimator").values() if issubclass(kind, Estimator)]
    kinds.sort(key=lambda kind: kind.priority)
    return {name: meaning for kind in kinds for name, meaning in kind.meanings.items()}


def headline(known: Container[str]) -> str | None:
    """Return which of the ``known`` rates a table shows: the first that has a meaning; None where none has."""
    return next((name for name in meanings() if name in known), None)
