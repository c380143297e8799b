"""From answers to each method's false-negative rate, and how far labellers agree with themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from negbench.audit.answers import Answer
from negbench.audit.draw import CERTAIN
from negbench.audit.sheet import Sheet
from negbench.evaluation.false_negatives import Pairs, Rate
from negbench.evaluation.false_negatives.ppi import PPI
from negbench.types import Bool, Float64, Int32

_FEWEST = 2
"""Answers that a stratum needs: one tells nothing about its spread."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the two answers about ``pairs`` pairs agree: the share of equal ones, and Cohen's kappa.

    Kappa is NaN where all answers are the same: chance would agree as well.
    """

    pairs: int
    equal: float
    kappa: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """``rates`` by method, and by method the rate if all unsure ones were ``no`` and if all were ``yes``.

    ``labels`` counts the pairs with a yes or no, ``drawn`` those that were asked about, ``unsure`` and ``unanswered``
    the rest. ``certain`` pairs were not asked about. ``merged`` strata had fewer than two answers.
    """

    rates: dict[str, Rate]
    unsure_as: dict[str, tuple[float, float]]
    drawn: int
    labels: int
    unsure: int
    unanswered: int
    certain: int
    merged: int
    agreement: Agreement | None


def estimate(sheet: Sheet, answers: Mapping[int, Answer]) -> Estimate | None:
    """Estimate from the answers by item; None where there are fewer than two yes or no.

    The first yes or no about a pair counts. Since items come in a random order, the pairs of a stratum that were
    answered are a random sample of it, and its pairs' probability is their share of it. Unsure and unanswered ones
    are left out.
    """
    labels, unsure = _labels(sheet, answers)
    answered = ~np.isnan(labels)
    drawn = sheet.probability > 0
    if answered.sum() < _FEWEST:
        return None
    strata, merged = _merged(sheet.strata, answered)
    by_method = list(zip(sheet.methods, sheet.weights, strict=True))

    def if_unsure(value: float) -> list[float]:
        filled = np.where(unsure, value, labels)
        return [_rate(sheet, weights, strata, filled).rate for _, weights in by_method]

    return Estimate(
        rates={name: _rate(sheet, weights, strata, labels) for name, weights in by_method},
        unsure_as=dict(zip(sheet.methods, zip(if_unsure(0.0), if_unsure(1.0), strict=True), strict=True)),
        drawn=int(drawn.sum()),
        labels=int(answered.sum()),
        unsure=int(unsure.sum()),
        unanswered=int((drawn & ~answered & ~unsure).sum()),
        certain=int((sheet.strata == CERTAIN).sum()),
        merged=merged,
        agreement=agreement(sheet, answers),
    )


def _labels(sheet: Sheet, answers: Mapping[int, Answer]) -> tuple[Float64, Bool]:
    """Return the labels [N], NaN without one, and which pairs [N] have nothing but an unsure."""
    labels = np.full(len(sheet.queries), np.nan)
    unsure = np.zeros(len(sheet.queries), np.bool_)
    for item, pair in enumerate(sheet.items.tolist(), 1):
        answer = answers.get(item)
        if answer == "unsure":
            unsure[pair] = True
        elif answer is not None and np.isnan(labels[pair]):
            labels[pair] = float(answer == "yes")
    return labels, unsure & np.isnan(labels)


def _merged(strata: Int32, answered: Bool) -> tuple[Int32, int]:
    """Join each stratum with too few answers to the next one (of the same sampler, a rank bin further, mostly)."""
    found, merged = strata.copy(), 0
    for stratum in np.unique(strata[strata != CERTAIN]).tolist():
        mine = found == stratum
        if (mine & answered).sum() >= min(_FEWEST, mine.sum()):
            continue
        others = np.unique(found[(found != CERTAIN) & (found != stratum)])
        if len(others):
            later = others[others > stratum]
            found[mine] = later[0] if len(later) else others[-1]
            merged += 1
    return found, merged


def _rate(sheet: Sheet, weights: Float64, strata: Int32, labels: Float64) -> Rate:
    """Return a method's rate over these very pairs: what is certain, and what labels say of the rest."""
    certain = float(weights[strata == CERTAIN].sum() / weights.sum())
    rest = strata != CERTAIN
    mine, labels = weights[rest], labels[rest]
    _, cells = np.unique(strata[rest], return_inverse=True)
    answered = ~np.isnan(labels)
    if answered[mine > 0].all():
        rate = certain + float(mine @ np.nan_to_num(labels)) / float(weights.sum())
        return Rate(rate, rate, rate, "negative", "every pair has a label: exact for these very queries")
    share = np.bincount(cells, answered) / np.bincount(cells)
    unknown = np.full(len(labels), np.nan)
    pairs = Pairs(
        queries=sheet.queries[rest],
        documents=np.arange(len(labels), dtype=np.int32),
        weights=mine,
        ranks=np.full(len(labels), -1, np.int32),
        scores=unknown,
        positive_scores=unknown,
        judge=None if sheet.judge is None else sheet.judge[rest],
        strata=cells.astype(np.int32),
        probability=np.where(answered, share[cells], 0.0),
        labels=labels,
    )
    found = PPI(inference="these-queries").of(pairs)
    rate, low, high = (certain + (1 - certain) * value for value in (found.rate, found.low, found.high))
    return Rate(rate, low, high, found.unit, found.note)


def agreement(sheet: Sheet, answers: Mapping[int, Answer]) -> Agreement | None:
    """Compare the answers about pairs that were asked about twice; None where none of them has both."""
    from sklearn.metrics import cohen_kappa_score

    items: dict[int, list[Answer]] = {}
    for item, pair in enumerate(sheet.items.tolist(), 1):
        if item in answers:
            items.setdefault(pair, []).append(answers[item])
    twice = [found for found in items.values() if len(found) == 2]
    if not twice:
        return None
    first, second = zip(*twice, strict=True)
    equal = float(np.mean([one == other for one, other in twice]))
    one_kind = len({*first, *second}) == 1
    return Agreement(len(twice), equal, float("nan") if one_kind else float(cohen_kappa_score(first, second)))
