"""Checks of the output of parts: a wrong part fails its trial by name, and publishes no number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negbench.errors import PartError
from negbench.registry import Part
from negbench.types import Bool, CandidatePool, Collection, Float32, Int32, Int64


def check_positions(part: Part, positions: Int32, pool: CandidatePool, k: int, leaves_slots: bool = False) -> None:
    """Check what a sampler drew: ``positions`` [Q, k] of available candidates, each once, -1, or -2
    from a sampler that ``leaves_slots``.

    Raises PartError with the part's name and the first row that is wrong.
    """
    if positions.shape != (len(pool.queries), k) or not np.issubdtype(positions.dtype, np.integer):
        raise PartError(
            part, f"returned {positions.dtype} {list(positions.shape)}; expected integers [{len(pool.queries)}, {k}]"
        )
    outside = (positions < -2) | (positions >= pool.depth)
    _refuse(part, outside, positions, f"is outside of the pool's {pool.depth} columns")
    _refuse(part, (positions == -2) & (not leaves_slots), positions, "is a slot for the batch, and it leaves none")
    drawn = positions >= 0
    columns = np.maximum(positions, 0)
    if pool.depth:
        known = drawn & np.take_along_axis(pool.known, columns, axis=1)
        _refuse(part, known, positions, "is a known positive")
        unavailable = drawn & ~np.take_along_axis(pool.available(), columns, axis=1)
        _refuse(part, unavailable, positions, "was taken out by a filter or has no score")
    _refuse_repeated(part, positions, "was drawn twice")


def check_sizes(part: Part, sizes: Float32, queries: int) -> None:
    """Check a sampler's effective numbers of candidates [Q]: finite, from 0 on. Raises PartError."""
    if sizes.shape != (queries,):
        raise PartError(part, f"returned effective sizes {list(sizes.shape)}; expected [{queries}]")
    wrong = ~(np.isfinite(sizes) & (sizes >= 0))
    _refuse(part, wrong[:, None], sizes[:, None], "is no number of candidates")


def check_labels(part: Part, promoted: Bool, weights: Float32, pool: CandidatePool) -> None:
    """Check what a label rule returned: a mask of candidates [Q, K], and weights [Q, P] from 0 on. Raises PartError."""
    check_mask(part, promoted, pool.documents.shape)
    _refuse(part, promoted & (pool.documents < 0), pool.documents, "is no document, and was promoted")
    if weights.shape != pool.positives.shape:
        raise PartError(part, f"returned weights {list(weights.shape)}; expected {list(pool.positives.shape)}")
    _refuse(part, ~(np.isfinite(weights) & (weights >= 0)), weights, "is no weight")


def check_mask(part: Part, mask: Bool, shape: tuple[int, ...]) -> None:
    """Check that a part returned booleans of ``shape``. Raises PartError."""
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise PartError(part, f"returned {mask.dtype} {list(mask.shape)}; expected bool {list(shape)}")


def check_ranking(part: Part, documents: Int32, corpus_size: int) -> None:
    """Check the rows that a retriever found, [Q, K]: documents of the corpus, each once a query. Raises PartError."""
    if documents.ndim != 2 or not np.issubdtype(documents.dtype, np.integer):
        raise PartError(part, f"returned {documents.dtype} {list(documents.shape)}; expected integers [queries, ranks]")
    _refuse(part, (documents < -1) | (documents >= corpus_size), documents, f"is none of {corpus_size} documents")
    _refuse_repeated(part, documents, "was found twice")


def check_scores(part: Part, scores: Float32, shape: tuple[int, ...], descending: bool) -> None:
    """Check the scores that a retriever gave, NaN where it has none, perhaps ``descending``. Raises PartError."""
    if scores.shape != shape or not np.issubdtype(scores.dtype, np.floating):
        raise PartError(part, f"returned scores {scores.dtype} {list(scores.shape)}; expected floats {list(shape)}")
    _refuse(part, np.isinf(scores), scores, "is no score")
    if descending:
        _refuse(part, scores[:, 1:] > scores[:, :-1], scores[:, 1:], "is a score above that of the rank before")


def check_batches(part: Part, batches: Sequence[Int64], rows: int, size: int) -> None:
    """Check that a batching put each of ``rows`` rows into one batch of at most ``size``. Raises PartError."""
    if wrong := [len(batch) for batch in batches if not 0 < len(batch) <= size]:
        raise PartError(part, f"returned a batch of {wrong[0]} rows; expected 1 to {size}")
    placed = np.sort(np.concatenate(batches)) if batches else np.zeros(0, np.int64)
    if not np.array_equal(placed, np.arange(rows)):
        raise PartError(part, f"returned {len(placed)} places for {rows} rows; expected each row in one batch")


def check_texts(part: Part, texts: Sequence[Sequence[str]], asked: int, most: int) -> None:
    """Check that a generator returned, for each of ``asked`` queries, up to ``most`` texts. Raises PartError."""
    if len(texts) != asked:
        raise PartError(part, f"returned texts for {len(texts)} of {asked} queries; expected a list for each")
    for query, of_query in enumerate(texts):
        if isinstance(of_query, str) or not all(isinstance(text, str) for text in of_query):
            raise PartError(part, f"query {query}: {of_query!r:.60} is no list of texts")
        if len(of_query) > most:
            raise PartError(part, f"query {query}: {len(of_query)} texts, and at most {most} were asked for")


def check_collection(part: Part, made: Collection) -> None:
    """Check that a source's texts have ids, each its own, and that judgments are of these. Raises PartError."""
    documents, queries = len(made.document_ids), len(made.query_ids)
    lengths = (len(made.titles), len(made.texts), len(made.queries))
    if lengths != (documents, documents, queries):
        raise PartError(part, f"returned {lengths} titles, texts and queries for {documents} and {queries} ids")
    for what, ids in (("document", made.document_ids), ("query", made.query_ids)):
        if len(set(ids)) < len(ids) or not all(isinstance(name, str) and name for name in ids):
            raise PartError(part, f"returned {what} ids that are no texts, are empty or stand twice")
    for split, judged in (*made.qrels.items(), *made.truth.items()):
        for rows, count, what in ((judged.queries, queries, "query"), (judged.documents, documents, "document")):
            if len(rows) and not (rows.min() >= 0 and rows.max() < count):
                raise PartError(part, f"returned judgments of {split} with a {what} that is none of {count}")


def _refuse_repeated(part: Part, values: Int32, why: str) -> None:
    """Raise PartError for a value of 0 or more that occurs twice in its row of ``values`` [Q, K]."""
    order = np.sort(values, axis=1)
    twice = np.zeros(values.shape, np.bool_)
    twice[:, 1:] = (order[:, 1:] == order[:, :-1]) & (order[:, 1:] >= 0)
    _refuse(part, twice, order, why)


def _refuse(part: Part, wrong: Bool, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], why: str) -> None:
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise PartError(part, f"query {row}: {values[row, column]} {why}")
