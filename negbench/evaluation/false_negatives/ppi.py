"""PPI: a judge's scores of all negatives, corrected by labels of a sample."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Pairs, Rate, Reading, TrainingNegatives, design
from negbench.evaluation.false_negatives.calibration import NO_SCORE, cross_fitted, filled, folds, unscored
from negbench.types import Bool, Float64, Int32

_NAN = float("nan")
Inference = Literal["queries-like-these", "these-queries"]


class PPI(Estimator):
    """Prediction-powered inference over strata, clustered by query.

    The rate is the mean of lambda x f over all negatives plus the mean of y - lambda x f over the audited ones,
    weighted by training weight over the probability to be drawn (a combined ratio, so that a sampler's share of a
    shared audit is a domain). f is the judge's score as a probability, calibrated on labels of other queries; without
    a judge, or with one that does not help, lambda is 0 and the rate is the classical stratified one. lambda is tuned
    on the labels to the least variance. Angelopoulos et al. 2023 (Science 382, 669) and, for the tuning, their
    arXiv:2311.01453.

    Differs from them in strata and clusters, in the cross-fitted calibration, and in the interval: Korn and Graubard's
    (``evaluation.intervals``), since with few relevant pairs a normal one covers far too little. While fewer than
    ``few`` labels say relevant, or all say the same, their spread is not to be trusted: the effective number of labels
    is then at most Kish's, (sum w)^2 / sum w^2 with w the weight over the probability p to be drawn; for these queries
    (sum w)^2 / sum (1 - p / 2) w^2, since pairs are not put back (Wise 1954, Biometrika 41, 317-329: the binomial
    limit of the hypergeometric distribution). A judge may then move the estimate, not narrow the interval.

    Inference is for queries like these (a query is the unit that was sampled, its negatives stand or fall together),
    or, with ``these-queries``, for the negatives of these very queries, weighted as they are: what ``negbench audit``
    prints. The variance is that of the design alone (``of_design``), and clusters do not matter, since pairs were
    drawn one by one; the interval is the mid-P one.

    Assumes that the audited pairs were drawn as the probabilities say and that labels are right; not that the judge
    is any good. Pairs without an answer count as not drawn, which is only right where answers are missing at random.
    Pairs without a judge's score count as if scored at the mean of their stratum's, which costs precision alone.
    """

    name: ClassVar[str] = "ppi"
    reads: ClassVar[tuple[Reading, ...]] = ("judge",)
    lacking: ClassVar[str] = "no audited labels"
    version: ClassVar[int] = 3

    inference: Inference = Field(
        default="queries-like-these",
        description="Whether the interval is for queries like these or for the negatives of these queries alone.",
    )
    few: int = Field(
        default=10,
        ge=0,
        description="Number of audited labels that say relevant from which on their spread is trusted.",
    )

    def estimate(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        """Return the rate of negatives; none without audited labels."""
        pairs = negatives.pairs
        if pairs is None or pairs.labels is None:
            return {}
        return {self.name: self.of(pairs)}

    def of(self, pairs: Pairs, fold: Int32 | None = None) -> Rate:
        """Return the rate of audited ``pairs``; ``fold`` [N] splits them by query, by a hash where it is not given."""
        if pairs.labels is None or pairs.strata is None or pairs.probability is None:
            raise ValueError("these pairs were not audited: labels, strata and probability are needed")
        weights = pairs.weights / pairs.weights.sum()
        asked = (pairs.probability > 0) & ~np.isnan(pairs.labels)
        n, hits = int((asked & (weights > 0)).sum()), int((pairs.labels[asked & (weights > 0)] == 1).sum())
        _, query = np.unique(pairs.queries, return_inverse=True)
        clusters = len(np.unique(query[asked & (weights > 0)]))
        if self.inference == "queries-like-these" and clusters < 2:
            note = f"not estimable: labels of {clusters} queries; at least two are needed"
            return Rate(rate=_NAN, low=_NAN, high=_NAN, unit="negative", note=note)
        if n < 2:
            note = f"not estimable: {n} randomly drawn labels of this method's pairs; at least two are needed"
            return Rate(rate=_NAN, low=_NAN, high=_NAN, unit="negative", note=note)
        if pairs.judge is not None and np.isnan(pairs.judge).all():
            return Rate(rate=_NAN, low=_NAN, high=_NAN, unit="negative", note=NO_SCORE)

        labels = np.where(asked, pairs.labels, 0.0)
        chance = _answered(pairs.strata, pairs.probability, asked)
        each = np.where(asked, weights / chance, 0.0)
        each /= each.sum()
        predicted, power = np.zeros(len(weights)), 0.0
        if pairs.judge is not None:
            fold = folds(pairs.queries) if fold is None else fold
            predicted = cross_fitted(filled(pairs.judge, pairs.strata), labels, asked, fold)
            power = _power(each, labels, predicted, pairs.strata, asked)
        correction = float(each @ (labels - power * predicted))
        rate = min(max(power * float(weights @ predicted) + correction, 0.0), 1.0)

        counted = asked & (weights > 0)
        kish = design.effective(each[counted])
        most = float((weights > 0).sum())
        same = hits in (0, n)  # no spread among the labels tells nothing
        if self.inference == "these-queries":
            errors = each * (labels - power * predicted - correction)  # of a ratio, linearised
            variance = 0.0 if same else of_design(errors[asked], chance[asked], pairs.strata[asked])
            if hits < self.few:
                most = 1 / float((1 - chance[counted] / 2) @ each[counted] ** 2)
            degrees = n - 1 if same else max(n - len(np.unique(pairs.strata[counted])), 1)
            low, high = intervals.of_sample(rate, variance, degrees, most)
        else:
            # what the labels lead one to expect of each pair: the judge's part, and its stratum's mean error
            left = _stratum_mean(each, labels - power * predicted, pairs.strata)
            expected = power * predicted + np.where(np.isnan(left), correction, left)[pairs.strata]
            shares = np.bincount(query, weights * (expected - rate) + each * (labels - expected))
            variance = 0.0 if same else clusters / (clusters - 1) * float(shares @ shares)
            most = min(kish, most) if hits < self.few else most
            low, high = intervals.of_variance(rate, variance, n if same else clusters, most)
        helped = "without a judge"
        if pairs.judge is not None:
            helped = f"with a judge (lambda {power:.2f}){unscored(pairs.judge, weights)}"
        return Rate(rate=rate, low=low, high=high, unit="negative", note=self._note(n, hits, kish, clusters, helped))

    def _note(self, n: int, hits: int, kish: float, clusters: int, helped: str) -> str:
        who = "queries like these" if self.inference == "queries-like-these" else "these queries"
        caution = "; t quantiles, for fewer than 40 queries" if clusters < 40 and who == "queries like these" else ""
        worth = f" (effective number {kish:.0f})" if round(kish) < n else ""
        labels = f"{n} labels{worth} of {clusters} queries"
        return f"{labels}, {hits} relevant, {helped}; the interval is for {who}{caution}"


def _answered(strata: Int32, probability: Float64, asked: Bool) -> Float64:
    """Return the probability [N] to be drawn and answered, by stratum; 1 where it does not matter."""
    drawn, answered = np.bincount(strata[probability > 0]), np.bincount(strata[asked])
    share = np.ones(int(strata.max()) + 1)
    share[: len(answered)] = answered / np.maximum(drawn[: len(answered)], 1)
    return np.where(asked, probability * share[strata], 1.0)


def _stratum_mean(each: Float64, values: Float64, strata: Int32) -> Float64:
    """Return the weighted mean of ``values`` [N] in each stratum, NaN where no weight is."""
    total = np.bincount(strata, each)
    with np.errstate(invalid="ignore"):
        return np.bincount(strata, each * values) / np.where(total > 0, total, np.nan)


def _power(each: Float64, labels: Float64, predicted: Float64, strata: Int32, asked: Bool) -> float:
    """Return the lambda in [0, 1] with the least variance of labels - lambda x predicted within strata."""
    y, f = (values - _stratum_mean(each, values, strata)[strata] for values in (labels, predicted))
    square = each[asked] ** 2
    below = float(square @ f[asked] ** 2)
    return min(max(float(square @ (y * f)[asked]) / below, 0.0), 1.0) if below > 0 else 0.0


def of_design(values: Float64, chance: Float64, strata: Int32) -> float:
    """Return the variance of the sum of ``values`` [n], each divided by its ``chance`` [n], over samples like this one.

    Hajek's (1964) approximation within each of the ``strata`` [n], for unequal probabilities and a fixed number of
    pairs: n / (n - 1) x sum of (1 - chance) x (value - mean)^2, the mean weighted by 1 - chance. With equal
    probabilities it is the textbook's, with its correction for a finite number of pairs.
    """
    free, cells = 1 - chance, np.unique(strata, return_inverse=True)[1]
    n, total = np.bincount(cells), np.bincount(cells, free)
    mean = np.bincount(cells, free * values) / np.where(total > 0, total, 1.0)
    return float((n / np.maximum(n - 1, 1))[cells] @ (free * (values - mean[cells]) ** 2))
