"""Equal texts: negatives with a labelled positive's own text are false for certain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Handed, Rate, Reading
from negbench.evaluation.shares import by_query


class EqualTexts(Estimator):
    """Count the mined negatives whose text is that of a labelled positive of their query, under another id.

    A lower bound of the false-negative rate, free of any judgment: what answers a question does so whatever its id.
    Applies where a grid leaves such copies unlabelled (``equal_texts: unlabelled``) and there are some; by default
    they count as positives, none is mined, and the bound would be 0.
    """

    name: ClassVar[str] = "equal-texts"
    reads: ClassVar[tuple[Reading, ...]] = ()
    meanings: ClassVar[Mapping[str, str]] = {
        "equal-texts": "a lower bound: of the mined negatives, those with the text of a labelled positive",
    }
    priority: ClassVar[int] = 40

    def estimate(self, handed: Handed) -> dict[str, Rate]:
        """Return the share of mined negatives, weighted as training sees them."""
        weights = np.where(handed.documents >= 0, handed.weights, 0.0)
        if handed.copies is None or not len(handed.copies) or not (weights > 0).any():
            return {}
        copies = handed.copies.contains(handed.queries[:, None], handed.documents)
        found, cluster = np.unique(handed.queries, return_inverse=True)
        pairs = (handed.queries[:, None].astype(np.int64) << 32) + handed.documents
        distinct = len(np.unique(pairs[weights > 0]))
        hits, totals = by_query(cluster, len(found), (weights * copies).sum(axis=1), weights.sum(axis=1), distinct)
        note = (
            "a lower bound: negatives with the text of a labelled positive of their query; other false ones come on top"
        )
        return {self.name: Rate(*intervals.proportion(hits, totals), "negative", note, np.stack([hits, totals]))}
