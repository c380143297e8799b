"""Ranking measures: score rankings against a split's judgments through ir-measures, query by query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negbench.errors import InputError
from negbench.types import Bool, Collection, Float32, Float64, Int32

DEFAULT = ("nDCG@10", "RR@10", "R@100", "AP", "Judged@10")
"""Linear-gain nDCG as trec_eval, and beside it the share of the top ten that anyone judged."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured, by measure as the caller spelled it.

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
    better; of equal scores the first given ranks first, NaN ranks last. The document that a query was taken from
    (``Collection.own_documents``) is taken out of its ranking. A query with a positive and an empty ranking scores 0.
    Raises InputError for a split or a measure that does not exist or cannot be computed here.
    """
    parsed = {spelling: parse(spelling) for spelling in measures}
    if split not in collection.qrels:
        known = ", ".join(sorted(collection.qrels))
        raise InputError(f"collection {collection.name} has no split {split!r}; it has {known}")
    evaluated = np.isin(queries, collection.split_queries(split))
    # Query positions and document rows stand in for ids: short, unique, and the same for every source.
    qrels = _qrels(queries, evaluated, collection, split)
    run = _run(documents, scores, queries, evaluated, collection)
    unscored = np.where(evaluated, 0.0, np.nan)
    columns = {measure: unscored.copy() for measure in parsed.values()}
    if evaluated.any() and parsed:
        import ir_measures

        for metric in ir_measures.iter_calc(columns.keys(), qrels, run):
            columns[metric.measure][int(metric.query_id)] = metric.value
    per_query = {spelling: columns[measure].copy() for spelling, measure in parsed.items()}
    mean = {
        spelling: float(column[evaluated].mean()) if evaluated.any() else float("nan")
        for spelling, column in per_query.items()
    }
    return Scores(mean, per_query)


def parse(spelling: str) -> Any:
    """Return the ir-measures measure spelled so, e.g. ``nDCG@10`` or ``AP(rel=2)``.

    Raises InputError where there is none, its parameters are wrong, or no installed provider computes it.
    """
    import ir_measures

    try:
        measure = ir_measures.parse_measure(spelling)
        for name, parameter in measure.SUPPORTED_PARAMS.items():
            if parameter.required and name not in measure.params:
                raise ValueError(f"it needs {name}")
        if foreign := sorted(measure.params.keys() - measure.SUPPORTED_PARAMS.keys()):
            raise ValueError(f"it has no {foreign[0]}")
        # trec_eval aborts the whole process on these instead of raising.
        if measure.params.get("cutoff", 1) < 1 or measure.params.get("rel", 1) < 1:
            raise ValueError("cutoff and rel must be at least 1")
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


def _qrels(queries: Int32, evaluated: Bool, collection: Collection, split: str) -> dict[str, dict[str, int]]:
    judgments = collection.qrels[split]
    judged: dict[int, dict[str, int]] = {}
    for query, document, grade in zip(
        judgments.queries.tolist(), judgments.documents.tolist(), judgments.grades.tolist(), strict=True
    ):
        judged.setdefault(query, {})[str(document)] = grade
    return {str(position): judged[int(queries[position])] for position in np.flatnonzero(evaluated).tolist()}


def _run(
    documents: Int32, scores: Float32, queries: Int32, evaluated: Bool, collection: Collection
) -> dict[str, dict[str, float]]:
    own = collection.own_documents()
    run: dict[str, dict[str, float]] = {}
    for position in np.flatnonzero(evaluated).tolist():
        order = np.argsort(-scores[position], kind="stable")  # NaN sorts last
        ranked = documents[position][order]
        ranked = ranked[(ranked >= 0) & (ranked != own[queries[position]])]
        # trec_eval sorts by score and breaks ties by id: the negated rank leaves it no ties.
        # An empty ranking is left out, since some providers divide by its length.
        if len(ranked):
            run[str(position)] = {str(document): -float(rank) for rank, document in enumerate(ranked.tolist())}
    return run
