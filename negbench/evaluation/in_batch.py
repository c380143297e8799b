"""In-batch false negatives: other rows' documents that serve as negatives and are relevant, after masking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Rate
from negbench.types import Int32, Qrels, TruthKind

NAMES: Final[Mapping[TruthKind, str]] = {"complete": "exact/in-batch", "proxy": "exact-proxy/in-batch"}
"""Names of the rate, by the judgments that it is counted against."""


def false_negatives(
    batches: Sequence[Int32],
    queries: Int32,
    positives: Int32,
    negatives: Int32,
    known: Qrels,
    truth: Qrels,
    grade: int = 1,
) -> Rate:
    """Return the share of in-batch negatives that ``truth`` calls relevant, at ``grade`` or above.

    Each batch holds training rows, indices into ``queries`` [R], ``positives`` [R] and ``negatives`` [R, k]
    (-1 where there is none). The documents of a batch are the distinct positives and negatives of its rows;
    each is a negative for each row, except the row's own positive, its own mined negatives (they have a rate of
    their own) and its query's positives in ``known`` (grade 1 or above), which the loss masks. Every batch of
    every epoch counts. The rate is NaN where no in-batch negative is left.
    """
    visible, relevant = known.at_least(1), truth.at_least(grade)
    hits, totals = np.zeros(len(queries)), np.zeros(len(queries))
    for rows in batches:
        documents = np.unique(np.concatenate([positives[rows], negatives[rows].ravel()]))
        documents = documents[documents >= 0]
        of_batch = queries[rows]
        own = (documents == positives[rows][:, None]) | (documents == negatives[rows][:, :, None]).any(axis=1)
        counted = ~own & ~visible.contains(of_batch[:, None], documents)
        np.add.at(totals, rows, counted.sum(axis=1))
        np.add.at(hits, rows, (counted & relevant.contains(of_batch[:, None], documents)).sum(axis=1))
    _, cluster = np.unique(queries, return_inverse=True)
    rate = intervals.proportion(
        np.bincount(cluster, weights=hits).astype(np.float64),
        np.bincount(cluster, weights=totals).astype(np.float64),
    )
    note = (
        "documents of the other rows of each batch, after masking known positives, looked up in the truth; "
        "the interval is for queries like these"
    )
    return Rate.of(rate, "negative", note)
