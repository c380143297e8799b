"""Candidate pools and mined negatives for tests: what a test does not name has a default that plays no part."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from negbench.features import Feature, PerCandidate, PerCandidateAndPositive, PerRank
from negbench.requirements import (
    AdapterScores,
    NearDuplicates,
    PoolFeature,
    PositiveSimilarity,
    RelevanceByRank,
    TeacherScores,
)
from negbench.retrieval.pool import pad
from negbench.rng import keys
from negbench.types import CandidatePool, Int32, Negatives, UInt64

FEATURES: dict[str, tuple[type[PoolFeature[Any]], type[Feature], str, type[np.generic], float]] = {
    "teacher_scores": (TeacherScores, PerCandidateAndPositive, "candidates", np.float32, np.nan),
    "positive_teacher_scores": (TeacherScores, PerCandidateAndPositive, "positives", np.float32, np.nan),
    "groups": (NearDuplicates, PerCandidateAndPositive, "candidates", np.int32, -1),
    "positive_groups": (NearDuplicates, PerCandidateAndPositive, "positives", np.int32, -1),
    "similarity": (PositiveSimilarity, PerCandidate, "candidates", np.float32, np.nan),
    "adapter": (AdapterScores, PerCandidate, "candidates", np.float32, np.nan),
    "judged": (RelevanceByRank, PerRank, "ranks", np.float64, np.nan),
}
"""Short names of the arrays of features: of which requirement, in which shape, and what stands where none is given."""


def with_features(pool: CandidatePool, **values: Any) -> CandidatePool:
    """Return the pool with arrays of its features changed, by their short names."""
    for name, value in values.items():
        kind, shape, field, dtype, missing = FEATURES[name]
        old = pool.features.get(kind)
        if old is None:
            empty = {"candidates": pool.documents.shape, "positives": pool.positives.shape, "ranks": (pool.depth,)}
            arrays = {it.name: np.full(empty[it.name], missing, dtype) for it in fields(shape)}  # type: ignore[arg-type]
        else:
            arrays = {it.name: getattr(old, it.name) for it in fields(shape)}  # type: ignore[arg-type]
        pool = pool.with_feature(kind, shape(**{**arrays, field: np.asarray(value, dtype)}))
    return pool


def feature_of(pool: CandidatePool, name: str) -> Any:
    """Return an array of a feature by its short name."""
    kind, _, field, _, _ = FEATURES[name]
    return getattr(pool.features[kind], field)


def candidate_pool(
    scores: Any,
    *,
    queries: Any = None,
    documents: Any = None,
    known: Any = None,
    positives: Any = None,
    positive_scores: Any = None,
    query_keys: UInt64 | None = None,
    document_keys: UInt64 | None = None,
    excluded: Any = None,
    **further: Any,
) -> CandidatePool:
    """Pool of candidates with ``scores`` [Q, K], NaN past the end of a short list; all else is as ``CandidatePool``.

    Arrays of features go by the short names of ``FEATURES``.

    Unless they are given: queries are rows 0 to Q - 1; every candidate is a document of its own, counted on from query
    to query, and -1 where it has no score; positives are documents that are no candidates, as many as there are
    ``positive_scores``, or none; their scores are unknown; ``known`` are the candidates that are positives; keys are
    those of the ids "q0" and "d0", of row 0. Tables are cast to the types of a pool.
    """
    table = np.asarray(scores, np.float32)
    count, depth = table.shape
    if documents is None:
        documents = np.where(np.isnan(table), -1, np.arange(count * depth).reshape(count, depth))
    documents = np.asarray(documents, np.int32)
    if positives is None:
        shape = (count, 0) if positive_scores is None else np.shape(positive_scores)
        positives = documents.max(initial=-1) + 1 + np.arange(np.prod(shape)).reshape(shape)
    positives = np.asarray(positives, np.int32)
    if positive_scores is None:
        positive_scores = np.full(positives.shape, np.nan)
    if known is None:
        known = (documents[:, :, None] == positives[:, None, :]).any(axis=2) & (documents >= 0)
    rows = np.asarray(range(count) if queries is None else queries, np.int32)
    pool = CandidatePool(
        queries=rows,
        documents=documents,
        scores=table,
        known=np.asarray(known, np.bool_),
        positives=positives,
        positive_scores=np.asarray(positive_scores, np.float32),
        query_keys=_keys("q", rows) if query_keys is None else query_keys,
        document_keys=_keys("d", documents) if document_keys is None else document_keys,
        excluded=None if excluded is None else np.asarray(excluded, np.bool_),
        **{name: value for name, value in further.items() if name not in FEATURES},
    )
    return with_features(pool, **{name: value for name, value in further.items() if name in FEATURES})


def _keys(letter: str, rows: Int32) -> UInt64:
    """Return the key of the id of each row, which is the letter and the row, in the shape of ``rows``."""
    distinct, place = np.unique(rows, return_inverse=True)
    return keys([f"{letter}{row}" for row in distinct.tolist()])[place.ravel()].reshape(rows.shape)


def read_only(pool: CandidatePool) -> CandidatePool:
    """Return the pool, no array of which can be written to any more."""
    records: list[Any] = [pool, *pool.features.values()]
    for record in records:
        for field in fields(record):
            if isinstance(value := getattr(record, field.name), np.ndarray):
                value.setflags(write=False)
    return pool


def mined(documents: Any, *, queries: Any = None, **further: Any) -> Negatives:
    """Negatives ``documents`` [Q, k], as ``Negatives.without_rules`` takes them.

    Unless they are given: queries are rows 0 to Q - 1; slot r was drawn from rank r, with a score that falls by rank;
    an empty slot, -1, has neither; and the effective size is 1.
    """
    table = np.asarray(documents, np.int32)
    slots = np.broadcast_to(np.arange(table.shape[1]), table.shape)
    rows = {
        "queries": (np.arange(len(table)) if queries is None else queries, np.int32),
        "origins": (np.zeros(table.shape), np.int32),
        "ranks": (np.where(table >= 0, slots, -1), np.int32),
        "scores": (np.where(table >= 0, -slots, np.nan), np.float32),
        "effective_size": (np.ones(len(table)), np.float32),
    }
    made = {name: np.asarray(further.pop(name, default), dtype) for name, (default, dtype) in rows.items()}
    return Negatives.without_rules(documents=table, **made, **further)


def ranked_pool(candidates: list[list[int]], positives: list[list[int]]) -> CandidatePool:
    """A pool of document rows by rank, with score 1000 - row and a score for every positive."""
    documents, labelled = (pad([np.array(row, np.int32) for row in rows]) for rows in (candidates, positives))
    return candidate_pool(
        np.where(documents >= 0, 1000.0 - documents, np.nan),
        documents=documents,
        positives=labelled,
        positive_scores=np.where(labelled >= 0, 1000.0 - labelled, np.nan),
    )
