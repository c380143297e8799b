"""Exact: look every handed negative up in fuller judgments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Handed, Rate, Reading
from negbench.evaluation.shares import by_query


class Exact(Estimator):
    """Count the handed negatives that fuller judgments call relevant, at ``grade`` or above.

    Applies where a collection brings such judgments. Where they are complete the rates are ``exact`` (of
    negatives, weighted as training weighs them), ``exact/query`` (mean of the queries' weighted shares) and
    ``exact/instance`` (training rows with at least one). Where they are fuller but incomplete the names start
    with ``exact-proxy``, and the rates are no better than those judgments.
    """

    name: ClassVar[str] = "exact"
    version: ClassVar[int] = 2
    reads: ClassVar[tuple[Reading, ...]] = ()
    meanings: ClassVar[Mapping[str, str]] = {
        "exact": "of the mined negatives, as training sees them, against complete truth",
        "exact-proxy": "of the mined negatives, as training sees them, against fuller judgments",
    }
    priority: ClassVar[int] = 10

    grade: int = Field(default=1, ge=1)

    def estimate(self, handed: Handed) -> dict[str, Rate]:
        """Return the three rates; none without truth, or without a negative of positive weight."""
        weights = np.where(handed.documents >= 0, handed.weights, 0.0)
        counted = weights > 0
        if handed.truth is None or not counted.any():
            return {}
        relevant = handed.truth.at_least(self.grade).contains(handed.queries[:, None], handed.documents)
        # Rows of one query repeat its negatives: they weigh, but only a distinct pair is a unit of evidence.
        pairs = (handed.queries[:, None].astype(np.int64) << 32) + handed.documents
        distinct = len(np.unique(pairs[counted]))
        found, cluster = np.unique(handed.queries, return_inverse=True)
        struck, rows = (counted & relevant).any(axis=1).astype(float), counted.any(axis=1).astype(float)
        hits, totals = by_query(cluster, len(found), (weights * relevant).sum(axis=1), weights.sum(axis=1), distinct)
        shares = hits[totals > 0] / totals[totals > 0]
        complete = handed.truth_kind == "complete"
        name = self.name if complete else f"{self.name}-proxy"
        source = "complete truth" if complete else "a proxy of the truth (fuller judgments, not all)"
        note = (
            f"against {source}, grade {self.grade} or above; the interval is for queries like these, "
            "over these very queries the rate is exact"
        )
        return {
            name: Rate(*intervals.proportion(hits, totals), "negative", note, np.stack([hits, totals])),
            f"{name}/query": Rate(*intervals.mean(shares), "query", note),
            f"{name}/instance": Rate(
                *intervals.proportion(*by_query(cluster, len(found), struck, rows, int(rows.sum()))), "instance", note
            ),
        }
