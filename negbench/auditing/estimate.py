"""Each method's false-negative rate from the answers, and the agreement within and between annotators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from negbench.auditing.answers import Answer, Answers
from negbench.auditing.draw import CERTAIN
from negbench.auditing.sheet import Sheet
from negbench.evaluation.false_negatives import Pairs, Rate
from negbench.evaluation.false_negatives.design import BINS
from negbench.evaluation.false_negatives.ppi import PPI
from negbench.types import Bool, Float64, Int32

_FEWEST = 2
"""Answers that a stratum needs for a variance."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two answers to each of ``pairs`` pairs: share of equal answers and Cohen's kappa.

    "Unsure" counts as an answer of its own. Kappa is NaN if all answers are the same.
    """

    pairs: int
    equal: float
    kappa: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRate:
    """The ``rate`` of a method's negatives at ``ranks`` such as ``5-16``, from 1; ``no rank`` for random ones.

    ``labels`` counts the pairs there that are answered with yes or no, ``share`` is their part of the method's weight.
    """

    method: str
    ranks: str
    labels: int
    share: float
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Estimated ``rates`` by method; ``unsure_as`` has the rates if all unsure pairs were ``no``, and if all were
    ``yes``.

    ``drawn`` counts the pairs on the sheet; of these, ``labels`` are answered with yes or no, the others are ``unsure``
    or ``unanswered``. ``certain`` pairs are known positives without a label. ``merged`` strata had fewer than two
    answers. ``agreement`` is that of repeated answers of one annotator, ``between`` that of any two annotators;
    ``differing`` pairs have a yes of one annotator and a no of another. ``by_rank`` has the rate by bin of rank, empty
    where no ranks are known.
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
    by_rank: list[RankRate]


ByPair = dict[int, dict[str, list[Answer]]]
"""Answers by pair and annotator, in the order of the first answer; the answers to a pair in the order of the items."""


def estimate(sheet: Sheet, answers: Answers) -> Estimate | None:
    """Estimate the rates from the answers; None with fewer than two yes or no.

    An annotator's first yes or no to a pair counts. Of several annotators the majority counts, in a tie the annotator
    who answered first. Items are in random order, so the answered pairs of a stratum are a random sample of it, and the
    inclusion probabilities are scaled by the answered share. Unsure and unanswered pairs are left out.
    """
    of_pairs = by_pair(sheet, answers)
    labels, unsure, differing = _labels(of_pairs, len(sheet.queries))
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
        agreement=agreement(of_pairs),
        between=between(of_pairs),
        differing=differing,
        by_rank=_by_rank(sheet, strata, labels),
    )


def _by_rank(sheet: Sheet, strata: Int32, labels: Float64) -> list[RankRate]:
    """Return the rate of each method in each bin of ranks where it has negatives, low ranks first.

    A bin is a domain of the same sample, so that the estimate of the whole serves with the other weights set to 0.
    """
    if sheet.ranks is None:
        return []
    found = []
    for method, weights, ranks in zip(sheet.methods, sheet.weights, sheet.ranks, strict=True):
        bins = np.searchsorted(BINS, ranks, side="right") - 1
        if (bins[weights > 0] < 0).all():
            continue
        for which in (*range(len(BINS)), -1):
            inside = (bins == which) & (weights > 0)
            if inside.any():
                of_bin = np.where(inside, weights, 0.0)
                found.append(
                    RankRate(
                        method=method,
                        ranks=_name(which),
                        labels=int((inside & ~np.isnan(labels)).sum()),
                        share=float(of_bin.sum() / weights.sum()),
                        rate=_rate(sheet, of_bin, strata, labels),
                    )
                )
    return found


def _name(which: int) -> str:
    """Return the ranks of a bin, from 1."""
    if which < 0:
        return "no rank"
    return f"{BINS[which] + 1}-{BINS[which + 1]}" if which + 1 < len(BINS) else f"{BINS[which] + 1}-"


def by_pair(sheet: Sheet, answers: Answers) -> ByPair:
    """Return each annotator's answers to each pair: one, or two if the pair is on the sheet twice."""
    items: dict[int, dict[str, dict[int, Answer]]] = {}
    for (item, annotator), answer in answers.items():
        items.setdefault(int(sheet.items[item - 1]), {}).setdefault(annotator, {})[item] = answer
    return {
        pair: {annotator: [said[item] for item in sorted(said)] for annotator, said in of.items()}
        for pair, of in items.items()
    }


def _own(said: Sequence[Answer]) -> Answer:
    """Return the answer of an annotator to a pair that counts: the first yes or no."""
    return next((answer for answer in said if answer != "unsure"), "unsure")


def _labels(found: ByPair, pairs: int) -> tuple[Float64, Bool, int]:
    """Return the labels [N] (NaN without one), a mask [N] of pairs with only unsure answers, and how many differ."""
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
    """Merge each stratum with too few answers into the next one, mostly the next rank bin of the same sampler.

    None is merged with the ``heavy`` pairs [N], whose inclusion probability is 1: their variance is not that of others.
    """
    merged_strata, merged = strata.copy(), 0
    for stratum in np.unique(strata[strata != CERTAIN]).tolist():
        of_stratum = merged_strata == stratum
        if (of_stratum & answered).sum() >= min(_FEWEST, of_stratum.sum()):
            continue
        others = np.unique(merged_strata[(merged_strata != CERTAIN) & (merged_strata != stratum) & ~heavy])
        if len(others):
            later = others[others > stratum]
            merged_strata[of_stratum] = later[0] if len(later) else others[-1]
            merged += 1
    return merged_strata, merged


def _rate(sheet: Sheet, weights: Float64, strata: Int32, labels: Float64) -> Rate:
    """Return a method's rate over its pairs, from the known part and an estimate of the rest.

    Known are the known positives, and the pairs with inclusion probability 1 if all of these have a label. They have no
    sampling error: the interval is that of the rest, scaled by the rest's weight.
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
        return Rate(
            rate=exact,
            low=exact,
            high=exact,
            unit="negative",
            note="every pair has a label: exact for these very queries",
        )
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
    estimated = PPI(inference="these-queries").of(pairs)
    rate, low, high = (exact + rest * value for value in (estimated.rate, estimated.low, estimated.high))
    heavy = int((known & (strata != CERTAIN) & (weights > 0)).sum())
    note = f"{estimated.note}; {heavy} more, the heaviest pairs, are all labelled" if heavy else estimated.note
    return Rate(rate=rate, low=low, high=high, unit=estimated.unit, note=note)


def agreement(found: ByPair) -> Agreement | None:
    """Compare the two answers of an annotator to a pair that is on the sheet twice; None without such answers."""
    return _compared([(said[0], said[1]) for of in found.values() for said in of.values() if len(said) == 2])


def between(found: ByPair) -> dict[tuple[str, str], Agreement]:
    """Compare any two annotators over the pairs that both answered; annotators without a shared pair are left out."""
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
