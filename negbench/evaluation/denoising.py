"""Precision and recall of filters against the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negbench.evaluation.shares import Share, precision_and_recall
from negbench.filters import Filter
from negbench.types import Bool, CandidatePool

TOGETHER = "altogether"


def denoising(pool: CandidatePool, filters: Sequence[Filter], relevant: Bool) -> dict[str, dict[str, Share]]:
    """Return ``precision`` and ``recall`` of each filter in order, by its number and spelling, and ``altogether``.

    ``pool`` is as the first filter sees it, ``relevant`` [Q, K] what of it truth calls so. A filter is judged on what
    it could look at: unlabelled candidates that no earlier one threw out, down to its needed depth. All together are
    judged on the candidates, as deep as every one of them looks; a single filter is told once.

    Precision is the share of relevant ones in what is thrown out; ``reference`` it, the share in all it could look at,
    which throwing out by chance would reach. Recall is the share of the relevant ones that is thrown out; ``reference``
    it, the share of all. A candidate is a unit, whatever training would make of it.
    """
    precision: dict[str, Share] = {}
    recall: dict[str, Share] = {}

    def judge(name: str, looked: Bool, out: Bool) -> None:
        precision[name], recall[name] = precision_and_recall(looked, out, relevant)

    left = pool
    for number, rule in enumerate(filters, start=1):
        out = rule.reject(left)
        judge(f"{number}. {rule.spelling}", left.available() & _within(pool, rule.needed_depth), out)
        left = left.without(out)
    if len(filters) > 1:
        depth = min(rule.needed_depth or pool.depth for rule in filters)
        judge(TOGETHER, pool.available() & _within(pool, depth), ~left.available())
    return {"precision": precision, "recall": recall}


def _within(pool: CandidatePool, depth: int) -> Bool:
    """Return [K]: the first ``depth`` ranks; 0 means all."""
    return np.asarray(np.arange(pool.depth) < (depth or pool.depth))
