"""Exact: look every training negative up in fuller judgments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Rate, Reading, TrainingNegatives
from negbench.evaluation.shares import by_query


class Exact(Estimator):
    """Share of the training negatives that fuller judgments call relevant, at ``grade`` or above.

    Applies to collections with such judgments. If they are complete, the rates are ``exact`` (of negatives, weighted as
    in training), ``exact/query`` (mean of the queries' weighted shares) and ``exact/instance`` (training rows with at
    least one false negative). If they are fuller but incomplete, the names start with ``exact-proxy``: false negatives
    that nobody judged are missed.
    """

    name: ClassVar[str] = "exact"
    version: ClassVar[int] = 2
    reads: ClassVar[tuple[Reading, ...]] = ()
    lacking: ClassVar[str] = "no fuller judgments"
    meanings: ClassVar[Mapping[str, str]] = {
        "exact": "share of the mined negatives, weighted as in training, that complete judgments call relevant",
        "exact-proxy": "share of the mined negatives, weighted as in training, that fuller judgments call relevant",
    }
    priority: ClassVar[int] = 10
    needs: ClassVar[str] = "fuller judgments (truth)"

    grade: int = Field(default=1, ge=1, description="Lowest grade that counts as relevant.")

    def estimate(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        """Return the three rates; none without truth, or without a negative of positive weight."""
        weights = np.where(negatives.documents >= 0, negatives.weights, 0.0)
        counted = weights > 0
        if negatives.truth is None or not counted.any():
            return {}
        relevant = negatives.truth.at_least(self.grade).contains(negatives.queries[:, None], negatives.documents)
        # Rows of one query repeat its negatives: they add weight, but only a distinct pair counts as an observation.
        pairs = (negatives.queries[:, None].astype(np.int64) << 32) + negatives.documents
        distinct = len(np.unique(pairs[counted]))
        queries, cluster = np.unique(negatives.queries, return_inverse=True)
        struck, rows = (counted & relevant).any(axis=1).astype(float), counted.any(axis=1).astype(float)
        hits, totals = by_query(cluster, len(queries), (weights * relevant).sum(axis=1), weights.sum(axis=1), distinct)
        shares = hits[totals > 0] / totals[totals > 0]
        complete = negatives.truth_kind == "complete"
        name = self.name if complete else f"{self.name}-proxy"
        source = "complete judgments" if complete else "fuller but incomplete judgments"
        note = (
            f"looked up in {source}, grade {self.grade} or above; the interval is for other queries like these, for "
            "these queries the rate is exact"
        )
        return {
            name: Rate.of(intervals.proportion(hits, totals), "negative", note, np.stack([hits, totals])),
            f"{name}/query": Rate.of(intervals.mean(shares), "query", note),
            f"{name}/instance": Rate.of(
                intervals.proportion(*by_query(cluster, len(queries), struck, rows, int(rows.sum()))), "instance", note
            ),
        }
