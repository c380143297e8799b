"""Judge: relevance scores of the negatives by a model that took no part in mining."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Pairs, Rate, Reading, TrainingNegatives
from negbench.evaluation.false_negatives.calibration import FOLDS, NO_SCORE, cross_fitted, filled, folds, unscored
from negbench.types import Bool, Float64, Int32

_NAN = float("nan")


class Judge(Estimator):
    """The mean of a judge's scores, as probabilities, over all negatives.

    With audited labels the scores are calibrated (logistic regression, cross-fitted by query), and only then is the
    mean a rate; its variance is a jackknife over groups of queries, refitted without each (Quenouille; Wolter 2007,
    ch. 4). The labels must come from the same region of the ranking: where more than ``uncovered`` of the weight lies
    in strata (sampler x rank bin) without a label, or nothing is labelled, the answer is ``judge/index``, the plain
    mean of the scores, which orders methods at best and has no interval. While fewer than ``few`` labels say relevant
    (or say not) the rate has no interval either: the jackknife's then misses the truth up to nine times in ten.

    Assumes that a pair's score tells all that its stratum knows about relevance: unlike ``ppi`` it does not correct
    what the calibration gets wrong, so its interval is narrower and may miss. Refuses a judge that was the teacher,
    whose errors shaped the negatives; else the note says how their errors correlate (audited pairs). Pairs without a
    score (an LLM that refuses) count as if scored at the mean of those that have one, of their stratum's where it has
    any; the note says how many these are.
    """

    name: ClassVar[str] = "judge"
    reads: ClassVar[tuple[Reading, ...]] = ("judge",)
    lacking: ClassVar[str] = "no judge"
    version: ClassVar[int] = 2

    uncovered: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description=(
            "Largest share of the negatives' weight in strata without an audited label at which a rate is given."
        ),
    )
    few: int = Field(
        default=10,
        ge=1,
        description="Least number of audited labels that say relevant, and that say not, for an interval.",
    )

    def estimate(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        """Return the rate or the index; none without a judge."""
        pairs = negatives.pairs
        if pairs is None or pairs.judge is None:
            return {}
        rate = self.of(pairs)
        return {f"{self.name}/index" if rate.index else self.name: rate}

    def of(self, pairs: Pairs, fold: Int32 | None = None) -> Rate:
        """Return the rate of ``pairs``, or the index; ``fold`` [N] as in ``PPI.of``."""
        if pairs.judge is None:
            raise ValueError("these pairs were not judged")
        if np.isnan(pairs.judge).all():
            return Rate(rate=_NAN, low=_NAN, high=_NAN, unit="negative", note=NO_SCORE)
        if pairs.teacher is not None and np.array_equal(pairs.judge, pairs.teacher, equal_nan=True):
            return Rate(
                rate=_NAN,
                low=_NAN,
                high=_NAN,
                unit="negative",
                note="refused: the judge is the teacher that chose the negatives",
            )
        judge, weights = filled(pairs.judge, pairs.strata), pairs.weights / pairs.weights.sum()
        without = unscored(pairs.judge, weights)
        note = f"the judge's mean score, not calibrated: no rate{without}"
        index = Rate(rate=float(weights @ judge), low=_NAN, high=_NAN, unit="negative", note=note, index=True)
        if pairs.labels is None or pairs.strata is None:
            return index
        asked = ~np.isnan(pairs.labels)
        labelled = np.isin(np.arange(int(pairs.strata.max()) + 1), pairs.strata[asked])
        if (share := float(weights[~labelled[pairs.strata]].sum())) > self.uncovered:
            note = f"not calibrated: {share:.0%} of the weight is in strata without a label; the judge's mean score"
            return replace(index, note=note + without)
        labels = np.where(asked, pairs.labels, 0.0)
        fold = folds(pairs.queries) if fold is None else fold
        clusters = len(np.unique(pairs.queries[asked]))
        if clusters < 2:
            return index
        predicted = cross_fitted(judge, labels, asked, fold)
        rate = float(weights @ predicted)
        hits = int(labels[asked].sum())
        basis = f"calibrated on {asked.sum()} labels of {clusters} queries, {hits} relevant"
        if min(hits, int(asked.sum()) - hits) < self.few:
            return Rate(
                rate=rate,
                low=_NAN,
                high=_NAN,
                unit="negative",
                note=f"{basis}; no interval with fewer than {self.few}{without}",
            )
        parts = _leave_out(pairs.queries, judge, labels, asked, fold, weights)
        variance = (len(parts) - 1) / len(parts) * float(((parts - rate) ** 2).sum())
        low, high = intervals.of_variance(rate, variance, len(parts), float((weights > 0).sum()))
        note = basis + _correlation(pairs, predicted, asked, fold) + without
        return Rate(
            rate=rate, low=low, high=high, unit="negative", note=note + "; the interval is for queries like these"
        )


GROUPS = 4 * FOLDS
"""Groups of queries that the jackknife leaves out in turn."""


def _leave_out(queries: Int32, judge: Float64, labels: Float64, asked: Bool, fold: Int32, weights: Float64) -> Float64:
    """Return the rate without each group of queries in turn, judged and calibrated anew."""
    group = np.unique(queries, return_inverse=True)[1] % GROUPS
    rates = []
    for out in np.unique(group).tolist():
        kept = group != out
        predicted = cross_fitted(judge[kept], labels[kept], asked[kept], fold[kept])
        rates.append(float(weights[kept] @ predicted) / float(weights[kept].sum()))
    return np.array(rates)


def _correlation(pairs: Pairs, predicted: Float64, asked: Bool, fold: Int32) -> str:
    if pairs.teacher is None:
        return ""
    both = asked & ~np.isnan(pairs.teacher)
    if both.sum() < 3:
        return "; too few audited pairs with a teacher's score to correlate errors"
    assert pairs.labels is not None
    labels = np.where(both, pairs.labels, 0.0)
    taught = cross_fitted(np.where(np.isnan(pairs.teacher), 0.0, pairs.teacher), labels, both, fold)
    errors = np.corrcoef((labels - predicted)[both], (labels - taught)[both])[0, 1]
    return f"; errors correlate {errors:.2f} with the teacher's"
