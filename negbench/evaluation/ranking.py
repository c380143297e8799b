"""Ranking measures: score rankings against a split's judgments, query by query.

Measures are those of ir-measures. The common ones are computed in arrays (``measures``), the others by ir-measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negbench import rng
from negbench.errors import InputError
from negbench.evaluation import measures as arrays
from negbench.evaluation.passages import by_parent
from negbench.types import Collection, Float32, Float64, Int32, Int64, Qrels, UInt64

DEFAULT = ("nDCG@10", "RR@10", "R@100", "AP", "Judged@10", "nDCG(judged_only=True)@10")
"""Linear-gain nDCG as trec_eval, and beside it the share of the top ten that anyone judged, and nDCG without the
unjudged: methods that avoid false negatives find documents that nobody judged.
"""


def says_nothing(measure: str, values: Iterable[float]) -> bool:
    """Return whether a measure of judged documents alone is 1 in all ``values``.

    So it is whatever the ranking where every judged document is relevant to the same grade.
    """
    return "judged_only=True" in measure and all(value == 1 for value in values)


@dataclass(frozen=True, slots=True)
class Scores:
    """Values by measure, named as the caller spelled it.

    ``per_query`` holds [Q] aligned with the queries given, NaN for a query without a positive in the split;
    ``mean`` is the mean of the others, NaN where there are none.
    """

    mean: dict[str, float]
    per_query: dict[str, Float64]


def evaluate(
    documents: Int32,
    scores: Float32,
    queries: Int32,
    collection: Collection,
    split: str,
    measures: Sequence[str] = DEFAULT,
) -> Scores:
    """Measure rankings of ``queries`` [Q] against the judgments of ``split``.

    ``documents`` [Q, K] holds document rows, -1 for padding, and ``scores`` [Q, K] their scores, higher is
    better, NaN ranks last. Equal scores rank in an order drawn by ``tie_keys``, so neither the order of the corpus nor
    the names of its ids help: an encoder that has collapsed scores as chance does. Differs from trec_eval, which ranks
    the higher id first. The document that a query was taken from (``Collection.own_documents``) is taken out of its
    ranking. A query with a positive and an empty ranking scores 0. Passages of longer documents
    (``Collection.parents``) become a ranking of these, judged as wholes. Raises InputError for a split or a measure
    that does not exist or cannot be computed here.
    """
    parsed = {spelling: parse(spelling) for spelling in measures}
    if split not in collection.qrels:
        known = ", ".join(sorted(collection.qrels))
        raise InputError(f"collection {collection.name} has no split {split!r}; give one of {known}")
    if collection.parents is not None:
        documents, scores = by_parent(documents, scores, collection.parents)
        collection = collection.by_parent()
    evaluated = np.isin(queries, collection.split_queries(split))
    asked = np.flatnonzero(evaluated)
    rows = queries[asked]
    ordered = _ordered(documents[asked], scores[asked], rows, collection)
    ranked = _ranked(ordered, collection.own_documents()[rows])
    columns = {measure: np.where(evaluated, 0.0, np.nan) for measure in parsed.values()}
    here = [measure for measure in columns if arrays.computed(measure)]
    elsewhere = [measure for measure in columns if not arrays.computed(measure)]
    judged = _judged(ranked, rows, collection.qrels[split], arrays.deepest(here))
    for measure in here:
        columns[measure][asked] = arrays.compute(measure, judged)
    if elsewhere and len(asked):
        import ir_measures

        # Query positions and document rows stand in for ids: short, unique, and the same for every source.
        for metric in ir_measures.iter_calc(
            elsewhere, _qrels(asked, rows, collection.qrels[split]), _run(asked, ranked)
        ):
            columns[metric.measure][int(metric.query_id)] = metric.value
    per_query = {spelling: columns[measure].copy() for spelling, measure in parsed.items()}
    mean = {
        spelling: float(column[evaluated].mean()) if evaluated.any() else float("nan")
        for spelling, column in per_query.items()
    }
    return Scores(mean, per_query)


def ranked(documents: Int32, scores: Float32, queries: Int32, collection: Collection) -> tuple[Int32, Float32]:
    """Return the rankings of ``queries`` [Q] that ``evaluate`` measures, with scores: documents [Q, K], scores [Q, K].

    Best first, ties in the order drawn by ``tie_keys``, without the documents that the queries were taken from; -1 and
    NaN past the end. Scores fall strictly: in a tie the lower rank has the next smaller float32, so that a tool which
    ranks by score finds this very order.
    """
    own = collection.own_documents()[queries]
    ordered = _ordered(documents, scores, queries, collection)
    falling = -np.sort(-scores, axis=1)  # as the documents are ordered now; NaN last
    falling[ordered < 0] = np.nan
    kept = (ordered >= 0) & (ordered != own[:, None])
    order = np.argsort(~kept, axis=1, kind="stable")
    rows = np.take_along_axis(np.where(kept, ordered, np.int32(-1)), order, axis=1)
    values = np.take_along_axis(np.where(kept, falling, np.float32(np.nan)), order, axis=1)
    for rank in range(1, values.shape[1]):
        values[:, rank] = np.fmin(values[:, rank], np.nextafter(values[:, rank - 1], np.float32(-np.inf)))
    values[rows < 0] = np.nan
    return rows, values


def parse(spelling: str) -> Any:
    """Return the ir-measures measure spelled so, e.g. ``nDCG@10`` or ``AP(rel=2)``.

    Raises InputError where there is none, its parameters are wrong, or no installed provider computes it.
    """
    import ir_measures

    try:
        measure = ir_measures.parse_measure(spelling)
        for name, parameter in measure.SUPPORTED_PARAMS.items():
            if parameter.required and name not in measure.params:
                raise ValueError(f"it needs {name}: add it")
        if foreign := sorted(measure.params.keys() - measure.SUPPORTED_PARAMS.keys()):
            raise ValueError(f"it has no {foreign[0]}; leave it out")
        # trec_eval aborts the whole process on these instead of raising.
        if measure.params.get("cutoff", 1) < 1 or measure.params.get("rel", 1) < 1:
            raise ValueError("expected a cutoff and rel of at least 1")
        supported = ir_measures.DefaultPipeline.supports(measure)
    except (NameError, ValueError, TypeError, AssertionError) as error:
        raise InputError(
            f"ir-measures has no measure {spelling!r}: {error}; write for instance nDCG@10 or AP(rel=2)"
        ) from error
    if not supported:
        raise InputError(
            f"measure {spelling!r} needs an ir-measures provider that is not installed; "
            "install the one that the documentation of ir-measures names, or leave the measure out"
        )
    return measure


def tie_keys(collection: Collection, queries: Int32, documents: Int32) -> UInt64:
    """Return random numbers by the ids of ``queries`` [Q] and ``documents`` [Q, K]; the lower ranks first in a tie."""
    distinct, inverse = np.unique(documents, return_inverse=True)
    named = rng.keys([collection.document_ids[row] for row in distinct.tolist()])[inverse].reshape(documents.shape)
    asked = rng.keys([collection.query_ids[row] for row in queries.tolist()])
    return rng.CounterRNG(0, "ties").bits(asked[:, None], named)


def _ordered(documents: Int32, scores: Float32, queries: Int32, collection: Collection) -> Int32:
    """Return the documents [Q, K] in descending order of score, NaN last, ties by ``tie_keys``."""
    falls = (scores[:, :-1] > scores[:, 1:]) | np.isnan(scores[:, 1:])
    rows = np.flatnonzero(~falls.all(axis=1))
    if len(rows):
        keys = tie_keys(collection, queries[rows], documents[rows])
        documents = documents.copy()
        documents[rows] = np.take_along_axis(documents[rows], np.lexsort((keys, -scores[rows]), axis=1), axis=1)
    return documents


def _ranked(documents: Int32, own: Int32) -> Int32:
    """Return the ranked documents [Q, K] without the queries' ``own`` [Q]; -1 past the end."""
    kept = (documents >= 0) & (documents != own[:, None])
    gaps = np.flatnonzero((kept[:, 1:] > kept[:, :-1]).any(axis=1))
    ranked = np.where(kept, documents, -1)
    ranked[gaps] = np.take_along_axis(ranked[gaps], np.argsort(~kept[gaps], axis=1, kind="stable"), axis=1)
    return ranked


def _judged(ranked: Int32, queries: Int32, judgments: Qrels, depth: int | None) -> arrays.Judged:
    """Look up the judgments of the rankings [Q, K] of ``queries`` [Q], as far as ``depth``, and of the queries."""
    lengths = (ranked >= 0).sum(axis=1)
    ranked = ranked[:, :depth]
    width = np.int64(1) << 32
    keys = judgments.queries.astype(np.int64) * width + judgments.documents  # ascending, as the rows are
    wanted = queries.astype(np.int64)[:, None] * width + ranked
    places = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    judged = (keys[places] == wanted) & (ranked >= 0) if len(keys) else np.zeros(ranked.shape, np.bool_)
    grades = np.where(judged, judgments.grades[places], 0) if len(keys) else np.zeros(ranked.shape, np.int32)
    owners, selected = _of(queries, judgments)
    return arrays.Judged(grades, judged, lengths, owners, judgments.grades[selected])


def _of(queries: Int32, judgments: Qrels) -> tuple[Int64, Int64]:
    """Return the positions in ``queries`` and in ``judgments`` of every judgment of every query."""
    starts = np.searchsorted(judgments.queries, queries)
    counts = np.searchsorted(judgments.queries, queries, side="right") - starts
    owners = np.repeat(np.arange(len(queries)), counts)
    return owners, np.arange(len(owners)) + np.repeat(starts - (counts.cumsum() - counts), counts)


def _qrels(asked: Int64, queries: Int32, judgments: Qrels) -> dict[str, dict[str, int]]:
    owners, selected = _of(queries, judgments)
    qrels: dict[str, dict[str, int]] = {str(position): {} for position in asked.tolist()}
    for position, document, grade in zip(
        asked[owners].tolist(), judgments.documents[selected].tolist(), judgments.grades[selected].tolist(), strict=True
    ):
        qrels[str(position)][str(document)] = grade
    return qrels


def _run(asked: Int64, ranked: Int32) -> dict[str, dict[str, float]]:
    """Return what ir-measures takes for a run.

    trec_eval sorts by score and breaks ties by id: the negated rank leaves it no ties. An empty ranking is left out,
    since some providers divide by its length.
    """
    return {
        str(position): {str(document): -float(rank) for rank, document in enumerate(of_query[of_query >= 0].tolist())}
        for position, of_query in zip(asked.tolist(), ranked, strict=True)
        if (of_query >= 0).any()
    }
