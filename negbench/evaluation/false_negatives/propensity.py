"""Propensity: from how densely labelled positives lie along the ranking to how many relevant ones are unlabelled."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Labelled, Pairs, Rate, Reading, TrainingNegatives
from negbench.evaluation.false_negatives.rank_bins import BIN_COUNT, rank_bin
from negbench.types import Float64

_NAN = float("nan")


class Propensity(Estimator):
    """Positive-unlabelled learning (Elkan and Noto 2008) with the rank as the only feature.

    If a relevant pair is labelled with probability e, there are (1 - e) / e unlabelled relevant pairs for each
    labelled one of its kind. In the rank bins of the pool (edges 0, 4, 16, 64, 256, and what lies below it) L labelled
    and U unlabelled candidates are counted; an unlabelled one of the bin is then relevant with probability
    (1 - e) / e x L / U, and the rate is the mean over the negatives' bins. ``frequency`` gives e where labels are
    missing at random, ``curve`` gives one a bin where the bin decides. Audited labels, where there are any, fit the
    curve: e = L / (L + U x audited share), a bin.

    Without any of these e is **not identified**, and only bounds are given: labels alone say that e is at least the
    largest share of labelled pairs in a bin, whose lower confidence limit is used, and at most 1, which makes the
    rate 0 to (1 - e) / e times the labelled density.

    Assumes that within a bin the sampler draws relevant and other candidates alike: wrong for filters and samplers
    that look at scores, margins or a teacher within the bin; those are told apart by ``held-out``.
    """

    name: ClassVar[str] = "propensity"
    reads: ClassVar[tuple[Reading, ...]] = ()
    lacking: ClassVar[str] = "no candidates with fixed ranks"

    frequency: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Probability e that a relevant pair is labelled, the same at all ranks; null where it is unknown.",
    )
    curve: tuple[float, ...] | None = Field(
        default=None,
        min_length=BIN_COUNT,
        max_length=BIN_COUNT,
        description="Probability e that a relevant pair is labelled, one for each rank bin; null where it is unknown.",
    )

    def estimate(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        """Return the rate, or bounds without one; none without a pool's labelled positives."""
        if negatives.pairs is None or negatives.labelled is None:
            return {}
        return {self.name: self.of(negatives.pairs, negatives.labelled)}

    def of(self, pairs: Pairs, labelled: Labelled) -> Rate:
        """Return the rate of ``pairs`` that were drawn from the pool of ``labelled``."""
        share = np.bincount(rank_bin(pairs.ranks), pairs.weights, minlength=BIN_COUNT) / pairs.weights.sum()
        positives, unlabelled = labelled.positives.sum(axis=0), labelled.unlabelled.sum(axis=0)
        density = np.divide(positives, unlabelled, out=np.zeros(BIN_COUNT), where=unlabelled > 0)
        # each query's part in the error of the densities
        parts = (labelled.positives - density * labelled.unlabelled) / np.maximum(unlabelled, 1)
        given, why = self._given(pairs, positives, unlabelled)
        if given is None:
            least = _least(labelled)
            top = min(float(share @ density) * (1 - least) / least, 1.0)
            note = f"not identified: bounds if labels are missing at random and at least {least:.1%} of pairs have one"
            return Rate(rate=_NAN, low=0.0, high=top, unit="negative", note=note)
        odds = np.divide(1 - given, given, out=np.zeros(BIN_COUNT), where=given > 0)
        rate = min(float(share @ (odds * density)), 1.0)
        errors = parts @ (share * odds)
        n = len(errors)
        low, high = _NAN, _NAN
        if n > 1 and 0 < rate < 1:
            low, high = intervals.of_variance(rate, n / (n - 1) * float(errors @ errors), n, float(unlabelled.sum()))
        return Rate(
            rate=rate,
            low=low,
            high=high,
            unit="negative",
            note=f"{why}; the interval is for queries like these, given that",
        )

    def _given(self, pairs: Pairs, positives: Float64, unlabelled: Float64) -> tuple[Float64 | None, str]:
        if self.curve is not None:
            return np.array(self.curve), "label propensity by rank bin as given"
        if self.frequency is not None:
            return np.full(BIN_COUNT, self.frequency), f"{self.frequency:.0%} labelled, missing at random, as given"
        if pairs.labels is None:
            return None, ""
        asked = ~np.isnan(pairs.labels)
        bins = rank_bin(pairs.ranks)[asked]
        n = np.bincount(bins, minlength=BIN_COUNT)
        audited = np.bincount(bins, pairs.labels[asked], minlength=BIN_COUNT) / np.maximum(n, 1)
        false = unlabelled * audited
        fitted = np.divide(positives, positives + false, out=np.ones(BIN_COUNT), where=positives + false > 0)
        return fitted, f"label propensity by rank bin fitted on {asked.sum()} audited labels, whose error is left out"


def _least(labelled: Labelled) -> float:
    """Return the lower confidence limit of the share of labelled pairs in the bin where it is largest."""
    limits = [
        intervals.proportion(positive, positive + rest)[1]
        for positive, rest in zip(labelled.positives.T, labelled.unlabelled.T, strict=True)
    ]
    return max(1e-6, float(np.nanmax(limits)))
