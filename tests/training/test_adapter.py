"""The classifier of vectors: its optimum, what it tells apart, and that it is fitted across queries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pools import candidate_pool
from sklearn.linear_model import LogisticRegression

from negbench.training import adapter
from negbench.types import Bool, CandidatePool, Float32

QUERIES, DEPTH, SIZE = 120, 30, 16


def planted() -> tuple[CandidatePool, Float32, Float32, Bool]:
    """A pool, vectors of queries and documents, and which candidates are relevant, though most have no label.

    A relevant document agrees with the query in the first 4 of 16 dimensions, the others in all the rest, so that
    scores say little and a classifier of products can say much.
    """
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((QUERIES, SIZE)).astype(np.float32)
    relevant = rng.random((QUERIES, DEPTH + 1)) < 0.2
    relevant[:, DEPTH] = True  # the labelled one
    agrees = np.where(relevant[:, :, None], np.arange(SIZE) < 4, np.arange(SIZE) >= 4)
    noise = rng.standard_normal((QUERIES, DEPTH + 1, SIZE))
    documents = (agrees * queries[:, None] + noise).astype(np.float32)
    rows = np.arange(documents.shape[0] * documents.shape[1]).reshape(QUERIES, DEPTH + 1)
    scores = (queries[:, None] * documents).sum(axis=2)[:, :DEPTH]
    pool = candidate_pool(scores, documents=rows[:, :DEPTH], positives=rows[:, DEPTH:])
    return pool, queries, documents.reshape(-1, SIZE), relevant[:, :DEPTH]


FOLD = np.arange(QUERIES, dtype=np.int64) % 2


def auc(values: Float32, relevant: Bool) -> float:
    """The share of (relevant, other) pairs of a query's candidates in the right order, over all queries."""
    above = [
        (values[row][relevant[row]][:, None] > values[row][~relevant[row]]).mean()
        for row in range(QUERIES)
        if relevant[row].any()
    ]
    return float(np.mean(above))


def test_unlabelled_relevant_candidates_are_told_apart_where_scores_do_not() -> None:
    pool, queries, documents, relevant = planted()
    found = adapter.relevance(pool, queries, documents, FOLD)
    assert ((found >= 0) & (found <= 1)).all()
    assert auc(pool.scores, relevant) < 0.4
    assert auc(found, relevant) > 0.8
    assert found[relevant].mean() > 2 * found[~relevant].mean()


def test_labels_of_a_query_have_no_say_in_what_it_is_told() -> None:
    pool, queries, documents, _ = planted()
    found = adapter.relevance(pool, queries, documents, FOLD)
    turned = np.where((FOLD == 0)[:, None], pool.documents[:, :1], pool.positives)  # others than before in one fold
    other = adapter.relevance(replace(pool, positives=turned.astype(np.int32)), queries, documents, FOLD)
    np.testing.assert_array_equal(other[FOLD == 0], found[FOLD == 0])
    assert (other[FOLD == 1] != found[FOLD == 1]).all()


def test_scikit_learn_finds_the_same_optimum() -> None:
    rng = np.random.default_rng(1)
    pairs = np.concatenate([rng.standard_normal((200, 5)) * [1, 3, 0.1, 1, 1], np.ones((200, 1))], axis=1)
    labels = (pairs[:, 0] - pairs[:, 1] / 3 + rng.standard_normal(200) > 1).astype(np.float64)
    scale = pairs[:, :5].std(axis=0)
    peer = LogisticRegression(C=1 / (200 * adapter.RIDGE), class_weight="balanced", tol=1e-10, max_iter=999)
    peer.fit(pairs[:, :5] / scale, labels)
    expected = np.append(peer.coef_[0] / scale, peer.intercept_)
    np.testing.assert_allclose(adapter.fit(pairs, labels), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("length", [0.01, 100.0])
def test_the_length_of_vectors_does_not_matter(length: float) -> None:
    pool, queries, documents, _ = planted()
    found = adapter.relevance(pool, queries * np.float32(length), documents * np.float32(length), FOLD)
    np.testing.assert_allclose(found, adapter.relevance(pool, queries, documents, FOLD), atol=1e-3)


def test_nothing_to_learn_from_is_no_relevance() -> None:
    pool, queries, documents, _ = planted()
    bare = replace(pool, positives=np.full((QUERIES, 1), -1, np.int32))
    assert (adapter.relevance(bare, queries, documents, FOLD) == 0).all()
    assert (adapter.relevance(pool, queries, documents, np.zeros(QUERIES, np.int64)) == 0).all()
    short = replace(pool, documents=np.where(np.arange(DEPTH) < 9, pool.documents, -1).astype(np.int32))
    found = adapter.relevance(short, queries, documents, FOLD)
    assert (np.isnan(found) == (short.documents < 0)).all()
