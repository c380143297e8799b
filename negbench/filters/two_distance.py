"""Keep candidates nearer to the query than the positive is, and nearer to the query than to the positive."""

from __future__ import annotations

from typing import ClassVar

from negbench.filters.positive_geometry import PositiveGeometry
from negbench.types import Bool, Float32, Float64


class TwoDistance(PositiveGeometry):
    """Keep candidates with d(q, d) < d(q, d+) and d(q, d) < d(d+, d), both strict, in similarities.

    Meghwani et al. 2025, arXiv 2505.18366. The first condition makes a candidate hard, the second spares what says the
    same as the positive. With several labelled positives both hold for each of them. A query whose positives have no
    score keeps its candidates. Where documents are more alike than a query and a document, as to a weak encoder,
    nothing is left: see the share of random fills. Differs from the paper in: similarities are those of the encoder
    that finds candidates, where the paper joins six encoders' vectors and keeps the components with 95% of the
    variance.
    """

    name: ClassVar[str] = "two-distance"

    def outside(self, scores: Float32, positive: Float64, similarity: Float32) -> Bool:
        out: Bool = (scores <= positive) | (scores <= similarity)
        return out
