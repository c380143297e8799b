"""Equal texts: negatives with the same text as a labelled positive are certainly false."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Rate, Reading, TrainingNegatives
from negbench.evaluation.shares import by_query


class EqualTexts(Estimator):
    """Share of the mined negatives with the same text as a labelled positive of their query, under another id.

    A lower bound of the false-negative rate that needs no judgments: a copy of a relevant document is relevant.
    Applies to grids with ``equal_texts: unlabelled`` and collections with such copies. By default copies count as known
    positives and are never mined, so that the bound would be 0.
    """

    name: ClassVar[str] = "equal-texts"
    reads: ClassVar[tuple[Reading, ...]] = ()
    lacking: ClassVar[str] = "no unlabelled copies of labelled positives"
    meanings: ClassVar[Mapping[str, str]] = {
        "equal-texts": "lower bound: share of the mined negatives with the same text as a labelled positive",
    }
    priority: ClassVar[int] = 40

    def estimate(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        weights = np.where(negatives.documents >= 0, negatives.weights, 0.0)
        if negatives.copies is None or not len(negatives.copies) or not (weights > 0).any():
            return {}
        copies = negatives.copies.contains(negatives.queries[:, None], negatives.documents)
        queries, cluster = np.unique(negatives.queries, return_inverse=True)
        pairs = (negatives.queries[:, None].astype(np.int64) << 32) + negatives.documents
        distinct = len(np.unique(pairs[weights > 0]))
        hits, totals = by_query(cluster, len(queries), (weights * copies).sum(axis=1), weights.sum(axis=1), distinct)
        note = "a lower bound: counts only negatives with the same text as a labelled positive of their query"
        return {self.name: Rate.of(intervals.proportion(hits, totals), "negative", note, np.stack([hits, totals]))}
