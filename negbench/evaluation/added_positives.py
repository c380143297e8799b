"""Precision and recall of the positives that label rules add, against the truth."""

from __future__ import annotations

from negbench.evaluation.shares import Share, precision_and_recall
from negbench.types import Bool


def added_positives(rules: str, candidates: Bool, added: Bool, relevant: Bool) -> dict[str, dict[str, Share]]:
    """Return ``added-precision`` and ``added-recall`` of the label rules called ``rules``; empty if nothing is added.

    ``candidates`` [Q, K] marks the unlabelled candidates of each query, ``added`` those that become positives, and
    ``relevant`` those that truth calls so. Precision is the share of relevant ones in what is added; ``reference`` it,
    the share in all candidates, which adding by chance would reach. Recall is the share of the relevant ones that is
    added; ``reference`` it, the share of all.
    """
    if not added.any():
        return {}
    precision, recall = precision_and_recall(candidates, added, relevant)
    return {"added-precision": {rules: precision}, "added-recall": {rules: recall}}
