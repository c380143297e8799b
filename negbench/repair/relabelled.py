"""False negatives become positives."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from negbench.repair import Oracle, Repair
from negbench.repair.replaced import Replaced
from negbench.retrieval.pool import pad
from negbench.types import Negatives


class Relabelled(Repair):
    """Every false negative is replaced as by ``replaced``, and counts as a positive of its query from then on."""

    name: ClassVar[str] = "relabelled"

    def apply(self, drawn: Negatives, oracle: Oracle) -> Negatives:
        before = [row[row >= 0] for row in drawn.promoted]
        relevant = [row[false] for row, false in zip(drawn.documents, oracle.false(drawn), strict=True)]
        promoted = pad([np.concatenate(both) for both in zip(before, relevant, strict=True)])
        return replace(Replaced().apply(drawn, oracle), promoted=promoted)
