"""Separability of written negatives from texts of the corpus, by a linear probe."""

from __future__ import annotations

import numpy as np

from negbench.types import Float32, Int32


def told_apart(written: Float32, found: Float32, written_queries: Int32, found_queries: Int32, folds: int = 5) -> float:
    """Return the area under the ROC curve of a probe that tells ``written`` [n, d] from ``found`` [m, d] vectors.

    Logistic regression (scikit-learn) over the starting encoder's vectors, cross-fitted over ``folds`` so that a query
    is never in both parts. 0.5: it can't; 1: always, and an encoder may learn to push away what is written rather than
    what is irrelevant. NaN where there are fewer than two texts of a kind in some part.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    vectors = np.concatenate([written, found]).astype(np.float64)
    kinds = np.concatenate([np.ones(len(written)), np.zeros(len(found))])
    fold = np.concatenate([written_queries, found_queries]) % folds
    scores = np.zeros(len(kinds))
    for part in range(folds):
        here = fold == part
        if min(np.bincount(kinds[~here].astype(int), minlength=2)) < 2 or not here.any():
            return float("nan")
        scores[here] = (
            LogisticRegression(max_iter=1000).fit(vectors[~here], kinds[~here]).decision_function(vectors[here])
        )
    return float(roc_auc_score(kinds, scores))
