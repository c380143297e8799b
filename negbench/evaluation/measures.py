"""The common ranking measures, for all queries at once, as ir-measures and trec_eval define them.

ir-measures goes through rankings as dictionaries of text, document by document; for a few hundred queries that takes
longer than the search. These functions count the same things in arrays, add up in the same order and so give the
same numbers. What is not here is left to ir-measures.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from negbench.types import Bool, Float64, Int32, Int64

NAMES = ("nDCG", "RR", "R", "P", "AP", "Success", "Judged")


@dataclass(frozen=True, slots=True)
class Judged:
    """Rankings of Q queries with the judgment of each document, and all judgments of each query.

    ``grades`` [Q, K] holds the grade at each rank, 0 where the document is not judged or past the end;
    ``judged`` [Q, K] tells where it is judged; ``lengths`` [Q] says how many documents were ranked. ``owners`` [n] and
    ``owned`` [n] are the query (0 to Q - 1) and grade of all n judgments, in any order, ranked or not.
    """

    grades: Int32
    judged: Bool
    lengths: Int64
    owners: Int64
    owned: Int32

    def relevant(self, grade: int) -> Int64:
        """Return for each query [Q] how many documents have ``grade`` or more."""
        return np.bincount(self.owners[self.owned >= grade], minlength=len(self.grades))


def computed(measure: Any) -> bool:
    """Return whether this ir-measures measure is computed here; its cutoff and ``rel`` may be any."""
    free = ("cutoff", "rel", "judged_only") if measure.NAME == "nDCG" else ("cutoff", "rel")
    fixed = {name: value for name, value in measure.params.items() if name not in free}
    default = {name: measure.SUPPORTED_PARAMS[name].default for name in fixed}
    return measure.NAME in NAMES and fixed == default and isinstance(measure.params.get("rel", 1), int)


def deepest(measures: list[Any]) -> int | None:
    """Return the number of ranks that these measures look at, None for all."""
    cutoffs = [None if measure.params.get("judged_only") else measure.params.get("cutoff") for measure in measures]
    limits = [cutoff for cutoff in cutoffs if cutoff is not None]
    return max(limits, default=0) if len(limits) == len(cutoffs) else None


def compute(measure: Any, found: Judged) -> Float64:
    """Return the values [Q] of a measure that is ``computed`` here; 0 where nothing is ranked or nothing relevant.

    nDCG has linear gain, and a gain below 0 counts as 0; with ``judged_only`` it is that of the condensed list, from
    which unjudged documents are taken out. RR, R, P, AP and Success count a document of grade ``rel``
    (1 unless given) or more. R and AP divide by the number of those that exist, P by the cutoff, Judged by the
    number of ranks within the cutoff that hold a document.
    """
    cutoff = measure.params.get("cutoff", sys.maxsize)
    rel = measure.params.get("rel", 1)
    within = slice(0, cutoff)
    if measure.NAME == "nDCG":
        grades = _condensed(found) if measure.params.get("judged_only") else found.grades
        return _ratio(_discounted(grades[:, within]), _discounted(_ideal(found, cutoff)))
    if measure.NAME == "Judged":
        return _ratio(found.judged[:, within].sum(axis=1), np.minimum(found.lengths, cutoff))
    hits = found.grades[:, within] >= rel
    ranks = np.arange(1, hits.shape[1] + 1)
    if measure.NAME == "P":
        return np.asarray(hits.sum(axis=1) / float(cutoff))
    if measure.NAME == "R":
        return _ratio(hits.sum(axis=1), found.relevant(rel))
    if measure.NAME == "AP":
        return _ratio(_sum(hits * (hits.cumsum(axis=1) / ranks)), found.relevant(rel))
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf) if hits.size else np.full(len(hits), np.inf)
    return np.asarray(1 / first if measure.NAME == "RR" else np.isfinite(first) * 1.0)


def _discounted(grades: Int32) -> Float64:
    return _sum(np.maximum(grades, 0) / np.log2(np.arange(2, grades.shape[1] + 2)))


def _condensed(found: Judged) -> Int32:
    """Return the grades [Q, K] of the rankings that are left when the unjudged are taken out, then 0.

    trec_eval takes a grade below 0 for unjudged here.
    """
    out = ~found.judged | (found.grades < 0)
    return np.take_along_axis(np.where(out, 0, found.grades), np.argsort(out, axis=1, kind="stable"), axis=1)


def _ideal(found: Judged, cutoff: int) -> Int32:
    """Return the highest grades of each query [Q, at most cutoff], in descending order."""
    order = np.lexsort((-found.owned, found.owners))
    counts = np.bincount(found.owners, minlength=len(found.grades))
    ranks = np.arange(len(order)) - np.repeat(counts.cumsum() - counts, counts)
    ideal = np.zeros((len(found.grades), min(cutoff, counts.max(initial=0))), np.int32)
    kept = ranks < ideal.shape[1]
    ideal[found.owners[order][kept], ranks[kept]] = found.owned[order][kept]
    return ideal


def _sum(terms: Float64) -> Float64:
    """Return the sums [Q] of the rows, added from the first rank on as trec_eval does: to the last bit the same."""
    return terms.cumsum(axis=1)[:, -1] if terms.shape[1] else np.zeros(len(terms))


def _ratio(part: Int64 | Float64, whole: Int64 | Float64) -> Float64:
    """Return part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
