"""Keep candidates that form a slim triangle with query and positive."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.filters.positive_geometry import PositiveGeometry
from negbench.types import Bool, Float32, Float64


class Triangle(PositiveGeometry):
    """Keep candidates whose angle to the query is about the positive's, and that are nearer to it than to the query.

    The constraints of TriSampler, arXiv 2402.11855: | angle(q, d+) - angle(q, d) | <= ``angle``, and
    s(d+, d) > s(q, d). Scores are taken for cosines. A query whose positives have no score keeps its candidates.
    """

    name: ClassVar[str] = "triangle"

    angle: float = Field(
        default=60.0,
        gt=0,
        le=180,
        description="Largest difference between angle(q, d+) and angle(q, d), in degrees; the paper has 60.",
    )

    def outside(self, scores: Float32, positive: Float64, similarity: Float32) -> Bool:
        turn = np.arccos(np.clip(positive, -1, 1)) - np.arccos(np.clip(scores.astype(np.float64), -1, 1))
        out: Bool = (np.abs(turn) > np.radians(self.angle)) | (similarity <= scores)
        return out
