"""A light classifier of pairs of vectors, cross-fitted by query: which candidates are relevant."""

from __future__ import annotations

import numpy as np

from negbench.rng import CounterRNG
from negbench.types import CandidatePool, Float32, Float64, Int32, Int64, Vectors

NEGATIVES = 8
"""Unlabelled candidates of a query that a classifier is trained on, drawn at random."""
RIDGE = 0.1
"""Weight of half the squared coefficients, beside a mean of the loss over both classes.

Of 0.003 to 0.3 the one that ordered the unlabelled candidates of helpdesk best.
"""


def relevance(pool: CandidatePool, queries: Vectors, documents: Vectors, fold: Int64) -> Float32:
    """Return the probability [Q, K] that each candidate is relevant, NaN past the end of a list.

    ``queries`` [Q, d] and ``documents`` [N, d] are vectors of the pool's queries and of the corpus. Those of a ``fold``
    [Q] are judged by a classifier that was trained on the labels of all others, to whom labelled and unlabelled pairs
    weigh the same in sum: it takes half of what it is shown for relevant. Where no pair of one class is left to train
    on, the probability is 0.
    """
    asked = np.asarray(queries, np.float64)
    found = np.full(pool.documents.shape, np.nan, np.float32)
    found[pool.documents >= 0] = 0.0
    for number in np.unique(fold).tolist():
        rows, columns, labels = training_pairs(pool, np.flatnonzero(fold != number))
        if not 0 < labels.sum() < len(labels):
            continue
        weights = fit(features(asked[rows], documents[columns]), labels)
        for query in np.flatnonzero(fold == number).tolist():
            listed = pool.documents[query] >= 0
            pairs = features(asked[[query]], documents[pool.documents[query, listed]])
            found[query, listed] = _sigmoid(pairs @ weights)
    return found


def training_pairs(pool: CandidatePool, members: Int64) -> tuple[Int32, Int32, Float64]:
    """Return query position, document row and label (1 or 0) of each pair to train on, of the queries at ``members``.

    All labelled positives, and ``NEGATIVES`` unlabelled candidates a query.
    """
    source = CounterRNG(0, "adapter negatives")
    available = pool.available()
    pairs: list[tuple[int, int, int]] = []
    for query in members.tolist():
        ranks = np.flatnonzero(available[query])
        order = ranks[source.order(pool.document_keys[query, ranks] ^ pool.query_keys[query])][:NEGATIVES]
        pairs += [(query, row, 1) for row in pool.positives[query].tolist() if row >= 0]
        pairs += [(query, row, 0) for row in pool.documents[query, order].tolist()]
    table = np.array(pairs, np.int32).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2].astype(np.float64)


def features(queries: Float64, documents: Vectors) -> Float64:
    """Return the products of vectors [P, d], and a 1: [P, d + 1].

    Differences and sums, linear as they are here, would say which documents have labels at all, whatever the query.
    """
    others = np.asarray(documents, np.float64)
    return np.concatenate([queries * others, np.ones((len(others), 1))], axis=1)


def fit(pairs: Float64, labels: Float64) -> Float64:
    """Return the coefficients [F] of a logistic regression, the two classes balanced, with a ridge on all but the last.

    Each feature counts in its own standard deviations, whatever the length of the vectors. The problem is convex, so
    there is nothing random about it.
    """
    from scipy.optimize import minimize

    weight = np.where(labels == 1, 0.5 / labels.sum(), 0.5 / (1 - labels).sum())
    spread = pairs.std(axis=0)
    scale = np.divide(1.0, spread, out=np.ones_like(spread), where=spread > 0)
    scaled = pairs * scale
    ridge = np.full(pairs.shape[1], RIDGE)
    ridge[-1] = 0.0

    def loss(coefficients: Float64) -> tuple[float, Float64]:
        logits = scaled @ coefficients
        value = weight @ (np.logaddexp(0, logits) - labels * logits) + 0.5 * (ridge * coefficients) @ coefficients
        return float(value), scaled.T @ (weight * (_sigmoid(logits) - labels)) + ridge * coefficients

    found: Float64 = minimize(loss, np.zeros(pairs.shape[1]), jac=True, method="L-BFGS-B").x * scale
    return found


def _sigmoid(logits: Float64) -> Float64:
    from scipy.special import expit

    return np.asarray(expit(logits), np.float64)
