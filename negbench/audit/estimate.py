"""From answers to each method's false-negative rate, and how far labellers agree with themselves and one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from negbench.audit.answers import Answer, Answers
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

    An unsure is an answer as good as any here. Kappa is NaN where all answers are the same: chance would agree as well.
    """

    pairs: int
    equal: float
    kappa: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """``rates`` by method, and by method the rate if all unsure ones were ``no`` and if all were ``yes``.

    ``labels`` counts the pairs with a yes or no, ``drawn`` those that were asked about, ``unsure`` and ``unanswered``
    the rest. ``certain`` pairs were not asked about. ``merged`` strata had fewer than two answers. ``agreement`` is
    that of annotators with themselves, ``between`` that of any two of them, where there are several; ``differing``
    pairs have a yes of one annotator and a no of another.
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
    between: dict[tuple[str, str], Agreement]
    differing: int


ByPair = dict[int, dict[str, list[Answer]]]
"""By pair and annotator, both in the order in which they first answered: the answers, in that of the items."""


def estimate(sheet: Sheet, answers: Answers) -> Estimate | None:
    """Estimate from the answers; None where there are fewer than two yes or no.

    An annotator's first yes or no about a pair counts, and of several annotators' the majority; a tie counts as the one
    of them who answered first. Since items come in a random order, the pairs of a stratum that were answered are a
    random sample of it, and its pairs' probability is their share of it. Unsure and unanswered ones are left out.
    """
    found = by_pair(sheet, answers)
    labels, unsure, differing = _labels(found, len(sheet.queries))
    answered = ~np.isnan(labels)
    drawn = sheet.probability > 0
    if answered.sum() < _FEWEST:
        return None
    strata, merged = _merged(sheet.strata, answered, sheet.probability == 1)

    def rates(labels: Float64) -> list[Rate]:
        return [_rate(sheet, weights, strata, labels) for weights in sheet.weights]

    found_rates = rates(labels)
    bounds = [rates(np.where(unsure, value, labels)) if unsure.any() else found_rates for value in (0.0, 1.0)]
    return Estimate(
        rates=dict(zip(sheet.methods, found_rates, strict=True)),
        unsure_as={name: (no.rate, yes.rate) for name, no, yes in zip(sheet.methods, *bounds, strict=True)},
        drawn=int(drawn.sum()),
        labels=int(answered.sum()),
        unsure=int(unsure.sum()),
        unanswered=int((drawn & ~answered & ~unsure).sum()),
        certain=int((sheet.strata == CERTAIN).sum()),
        merged=merged,
        agreement=agreement(found),
        between=between(found),
        differing=differing,
    )


def by_pair(sheet: Sheet, answers: Answers) -> ByPair:
    """Return what each annotator said of each pair: once, or twice where it was asked about twice."""
    items: dict[int, dict[str, dict[int, Answer]]] = {}
    for (item, annotator), answer in answers.items():
        items.setdefault(int(sheet.items[item - 1]), {}).setdefault(annotator, {})[item] = answer
    return {
        pair: {annotator: [said[item] for item in sorted(said)] for annotator, said in of.items()}
        for pair, of in items.items()
    }


def _own(said: Sequence[Answer]) -> Answer:
    """Return which of an annotator's answers about a pair counts: the first yes or no."""
    return next((answer for answer in said if answer != "unsure"), "unsure")


def _labels(found: ByPair, pairs: int) -> tuple[Float64, Bool, int]:
    """Return the labels [N], NaN without one, which pairs [N] have nothing but an unsure, and how many differ."""
    labels, unsure, differing = np.full(pairs, np.nan), np.zeros(pairs, np.bool_), 0
    for pair, of in found.items():
        sure = [answer for answer in map(_own, of.values()) if answer != "unsure"]
        unsure[pair] = not sure
        if sure:
            yes = sure.count("yes")
            labels[pair] = float(sure[0] == "yes" if 2 * yes == len(sure) else 2 * yes > len(sure))
            differing += 0 < yes < len(sure)
    return labels, unsure, differing


def _merged(strata: Int32, answered: Bool, heavy: Bool) -> tuple[Int32, int]:
    """Join each stratum with too few answers to the next one (of the same sampler, a rank bin further, mostly).

    None is joined to the ``heavy`` pairs [N], those asked about with certainty: they tell nothing of others' spread.
    """
    found, merged = strata.copy(), 0
    for stratum in np.unique(strata[strata != CERTAIN]).tolist():
        mine = found == stratum
        if (mine & answered).sum() >= min(_FEWEST, mine.sum()):
            continue
        others = np.unique(found[(found != CERTAIN) & (found != stratum) & ~heavy])
        if len(others):
            later = others[others > stratum]
            found[mine] = later[0] if len(later) else others[-1]
            merged += 1
    return found, merged


def _rate(sheet: Sheet, weights: Float64, strata: Int32, labels: Float64) -> Rate:
    """Return a method's rate over these very pairs: what is known, and what labels say of the rest.

    Known are the positives that nobody was asked about, and the pairs that were asked about with certainty, if all of
    these have an answer: they take part in full, and bring no error. The interval is that of the rest, by the rest's
    weight.
    """
    _, cells = np.unique(strata, return_inverse=True)
    answered = ~np.isnan(labels)
    drawn = sheet.probability > 0
    share = np.bincount(cells, answered) / np.maximum(np.bincount(cells, drawn), 1)
    known = (strata == CERTAIN) | (answered & (np.where(answered, sheet.probability * share[cells], 0.0) == 1))
    relevant = np.where(strata == CERTAIN, 1.0, np.nan_to_num(labels))
    total = float(weights.sum())
    exact, rest = float(weights[known] @ relevant[known]) / total, float(weights[~known].sum()) / total
    if rest == 0:
        return Rate(exact, exact, exact, "negative", "every pair has a label: exact for these very queries")
    open_ = ~known
    unknown = np.full(int(open_.sum()), np.nan)
    pairs = Pairs(
        queries=sheet.queries[open_],
        documents=np.arange(len(unknown), dtype=np.int32),
        weights=weights[open_],
        ranks=np.full(len(unknown), -1, np.int32),
        scores=unknown,
        positive_scores=unknown,
        judge=None if sheet.judge is None else sheet.judge[open_],
        strata=cells[open_].astype(np.int32),
        probability=sheet.probability[open_],
        labels=labels[open_],
    )
    found = PPI(inference="these-queries").of(pairs)
    rate, low, high = (exact + rest * value for value in (found.rate, found.low, found.high))
    heavy = int((known & (strata != CERTAIN) & (weights > 0)).sum())
    note = f"{found.note}; {heavy} more, the heaviest, are all labelled" if heavy else found.note
    return Rate(rate, low, high, found.unit, note)


def agreement(found: ByPair) -> Agreement | None:
    """Compare an annotator's two answers about a pair that was asked about twice; None where nobody gave both."""
    return _compared([(said[0], said[1]) for of in found.values() for said in of.values() if len(said) == 2])


def between(found: ByPair) -> dict[tuple[str, str], Agreement]:
    """Compare any two annotators over the pairs that both answered, by who came first; none who share no pair."""
    annotators = dict.fromkeys(annotator for of in found.values() for annotator in of)
    compared = {}
    for one, other in combinations(annotators, 2):
        shared = [of for of in found.values() if one in of and other in of]
        compared[one, other] = _compared([(_own(of[one]), _own(of[other])) for of in shared])
    return {both: how for both, how in compared.items() if how is not None}


def _compared(answers: Sequence[tuple[Answer, Answer]]) -> Agreement | None:
    from sklearn.metrics import cohen_kappa_score

    if not answers:
        return None
    first, second = zip(*answers, strict=True)
    equal = float(np.mean([one == other for one, other in answers]))
    one_kind = len({*first, *second}) == 1
    return Agreement(len(answers), equal, float("nan") if one_kind else float(cohen_kappa_score(first, second)))
