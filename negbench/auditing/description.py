"""Description of negatives without labels: counts, ranks, known positives, and the number of labels needed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from negbench.auditing import draw
from negbench.auditing.population import Population
from negbench.evaluation.false_negatives import Rate, TrainingNegatives, design
from negbench.evaluation.false_negatives.exact import Exact
from negbench.types import Qrels

WIDTHS = (0.1, 0.05, 0.02)
"""Half-widths of intervals, as shares, for which the needed number of labels is given."""
_SHOWN = 3
JUDGED = tuple(Exact.meanings)
"""Names of the rates by fuller judgments, complete ones first."""
HEAVIEST = 100
"""The heaviest queries are one in this many."""


def describe(population: Population) -> list[dict[str, Any]]:
    """Return a description of each method's negatives as plain data.

    ``negatives`` counts them as training sees them, ``pairs`` the distinct ones. ``heaviest_queries`` is the share of
    the negatives that the heaviest 1 % of the queries have, rounded up to a whole query; ``effective_queries`` is
    Kish's effective number of queries. ``known_positives`` counts pairs whose document is a known positive of the
    query, ``known_positive_share`` is their share in ``negatives``. ``labels_needed`` is by half-width of the interval,
    ``warnings`` are sentences on the rows. With fuller judgments there is a rate under its name in ``JUDGED``.
    """
    return [_method(population, method) for method in range(len(population.methods))]


def known_positives(population: Population) -> list[tuple[str, str]]:
    """Return (query, document) texts of a few negatives that are known positives, of different queries."""
    pairs = np.flatnonzero(population.labelled)
    shown = pairs[np.unique(population.queries[pairs], return_index=True)[1]][:_SHOWN].tolist()
    return [
        (population.query_texts[population.queries[pair]], population.document_texts[population.documents[pair]])
        for pair in shown
    ]


def _method(population: Population, method: int) -> dict[str, Any]:
    weights = population.weights[method]
    of_method = weights > 0
    by_query = np.bincount(population.queries, weights).astype(np.float64)
    by_query = np.sort(by_query[by_query > 0])[::-1]
    ranks = population.ranks[method, of_method & (population.ranks[method] >= 0)] + 1
    return {
        "method": population.methods[method],
        "negatives": float(weights.sum()),
        "pairs": int(of_method.sum()),
        "queries": len(by_query),
        "heaviest_queries": float(by_query[: math.ceil(len(by_query) / HEAVIEST)].sum() / weights.sum()),
        "effective_queries": design.effective(by_query),
        "ranks": [int(ranks.min()), float(np.median(ranks)), int(ranks.max())] if len(ranks) else None,
        "known_positives": int((population.labelled & of_method).sum()),
        "known_positive_share": float(weights[population.labelled].sum() / weights.sum()),
        "warnings": list(population.warnings[method]),
        "labels_needed": {str(width): draw.labels_needed(population, method, width) for width in WIDTHS},
        "judged": int((of_method & ~np.isnan(population.relevant)).sum()),
        **{name: _plain(rate) for name, rate in exact(population, method).items()},
    }


def exact(population: Population, method: int) -> dict[str, Rate]:
    """Return the rates of the exact estimator over the pairs with fuller judgments; empty without any."""
    relevant = population.relevant == 1
    relevant_pairs = zip(population.queries[relevant].tolist(), population.documents[relevant].tolist(), strict=True)
    truth = Qrels.of([(query, document, 1) for query, document in relevant_pairs])
    judged = ~np.isnan(population.relevant)
    negatives = TrainingNegatives(
        queries=population.queries,
        documents=np.where(judged, population.documents, np.int32(-1))[:, None],
        weights=population.weights[method][:, None],
        truth=truth if judged.any() else None,
        truth_kind=population.truth_kind,
    )
    return {name: rate for name, rate in Exact().estimate(negatives).items() if rate.unit == "negative"}


def _plain(rate: Rate) -> dict[str, Any]:
    return {"rate": rate.rate, "low": rate.low, "high": rate.high, "unit": rate.unit, "note": rate.note}
