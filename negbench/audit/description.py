"""What is known of negatives before anybody is asked: how many, from which ranks, false for certain, labels needed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from negbench.audit import draw
from negbench.audit.frame import Frame
from negbench.evaluation.false_negatives import Handed, Rate, design
from negbench.evaluation.false_negatives.exact import Exact
from negbench.types import Qrels

WIDTHS = (0.1, 0.05, 0.02)
"""Half-widths of an interval, as shares, for which the number of labels is told."""
_SHOWN = 3
HEAVIEST = 100
"""One query in so many is counted among the heaviest."""


def describe(frame: Frame) -> list[dict[str, Any]]:
    """Return for each method, as plain data: what it drew, what of it is false for certain, what labels would need.

    ``negatives`` counts them as training sees them, ``pairs`` the distinct ones; ``heaviest_queries`` is the share of
    the negatives that the heaviest 1 % of the queries have, rounded up to a whole query, and ``effective_queries``
    Kish's number of equal queries that are worth these. ``known_positives`` are pairs whose document is a known
    positive of the query, ``known_positive_share`` their share in ``negatives``. ``warnings`` are sentences on its
    rows. ``exact`` and ``exact-proxy`` are there where fuller judgments are.
    """
    return [_method(frame, at) for at in range(len(frame.methods))]


def known_positives(frame: Frame) -> list[tuple[str, str]]:
    """Return the texts of some negatives that are known positives, each of another query."""
    pairs = np.flatnonzero(frame.labelled)
    found = pairs[np.unique(frame.queries[pairs], return_index=True)[1]][:_SHOWN].tolist()
    return [(frame.query_texts[frame.queries[at]], frame.document_texts[frame.documents[at]]) for at in found]


def _method(frame: Frame, method: int) -> dict[str, Any]:
    weights = frame.weights[method]
    mine = weights > 0
    by_query = np.bincount(frame.queries, weights).astype(np.float64)
    by_query = np.sort(by_query[by_query > 0])[::-1]
    ranks = frame.ranks[method, mine & (frame.ranks[method] >= 0)] + 1
    return {
        "method": frame.methods[method],
        "negatives": float(weights.sum()),
        "pairs": int(mine.sum()),
        "queries": len(by_query),
        "heaviest_queries": float(by_query[: math.ceil(len(by_query) / HEAVIEST)].sum() / weights.sum()),
        "effective_queries": design.effective(by_query),
        "ranks": [int(ranks.min()), float(np.median(ranks)), int(ranks.max())] if len(ranks) else None,
        "known_positives": int((frame.labelled & mine).sum()),
        "known_positive_share": float(weights[frame.labelled].sum() / weights.sum()),
        "warnings": list(frame.warnings[method]),
        "labels_needed": {str(width): draw.labels_needed(frame, method, width) for width in WIDTHS},
        "judged": int((mine & ~np.isnan(frame.relevant)).sum()),
        **{name: _plain(rate) for name, rate in exact(frame, method).items()},
    }


def exact(frame: Frame, method: int) -> dict[str, Rate]:
    """Return the rates of the exact estimator over the pairs that fuller judgments speak of, none without any."""
    relevant = frame.relevant == 1
    found = zip(frame.queries[relevant].tolist(), frame.documents[relevant].tolist(), strict=True)
    truth = Qrels.of([(query, document, 1) for query, document in found])
    judged = ~np.isnan(frame.relevant)
    handed = Handed(
        queries=frame.queries,
        documents=np.where(judged, frame.documents, np.int32(-1))[:, None],
        weights=frame.weights[method][:, None],
        truth=truth if judged.any() else None,
        truth_kind=frame.truth_kind,
    )
    return {name: rate for name, rate in Exact().estimate(handed).items() if rate.unit == "negative"}


def _plain(rate: Rate) -> dict[str, Any]:
    return {"rate": rate.rate, "low": rate.low, "high": rate.high, "unit": rate.unit, "note": rate.note}
