"""Held-out: hide labels, mine again, and count how many of the hidden positives come back as negatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, Handed, HeldOut, Rate, Reading


class HeldOutPositives(Estimator):
    """The rate of hidden positives among what a separate mining pass draws under thinned labels.

    ``held-out`` is exactly that, with an interval for queries like these: it says how prone a sampler is to draw what
    it is not told, and orders samplers by it. Nothing is trained on that pass.

    What it says of the natural labels depends on their frequency c, the share of relevant pairs that is labelled,
    which labels alone cannot tell. Where labels are missing at random, a share h of them was hidden and came back at
    rate r, the unlabelled relevant pairs come at r (1 - c) / (c h) in that pass, and at that over 1 - r in the
    natural one, from which hidden positives are absent. ``held-out/natural`` is that at ``frequency``; without
    one it is a band from ``most`` labelled to ``least`` labelled, and no interval. Where labels are missing not at
    random (pooled from the top, say) neither holds: positives that were easy to find come back more easily.
    """

    name: ClassVar[str] = "held-out"
    reads: ClassVar[tuple[Reading, ...]] = ("held-out",)
    meanings: ClassVar[Mapping[str, str]] = {
        "held-out": "hidden positives among the negatives of a held-out pass; no rate of the natural labels",
    }
    priority: ClassVar[int] = 30

    frequency: float | None = Field(default=None, gt=0, le=1)
    least: float = Field(default=0.2, gt=0, lt=1)
    most: float = Field(default=0.9, gt=0, le=1)

    def estimate(self, handed: Handed) -> dict[str, Rate]:
        """Return both; none without a held-out pass."""
        found = handed.held_out
        if found is None or found.totals.sum() == 0:
            return {}
        if not found.hidden:
            nan, note = float("nan"), "not estimable: no query has a second label that could be hidden"
            return {self.name: Rate(nan, nan, nan, "negative", note)}
        return {self.name: self.thinned(found), f"{self.name}/natural": self.natural(found)}

    def thinned(self, found: HeldOut) -> Rate:
        """Return the rate of hidden positives."""
        note = (
            f"hidden positives among the negatives of a mining pass with {found.hidden:.0%} of the labels hidden; "
            "a rate under that thinning, not of the natural labels"
        )
        ends = intervals.proportion(found.hits, found.totals)
        return Rate(*ends, "negative", note, np.stack([found.hits, found.totals]))

    def natural(self, found: HeldOut) -> Rate:
        """Return what that says of the natural labels."""
        rate, low, high = intervals.proportion(found.hits, found.totals)
        if self.frequency is not None:
            ends = [natural(value, self.frequency, found.hidden) for value in (rate, low, high)]
            note = f"if {self.frequency:.0%} of the relevant pairs are labelled, missing at random"
            return Rate(ends[0], ends[1], ends[2], "negative", note)
        note = (
            f"not identified: a band from {self.most:.0%} to {self.least:.0%} of the relevant pairs labelled, missing "
            "at random; not a confidence interval"
        )
        ends = [natural(rate, share, found.hidden) for share in (self.most, self.least)]
        return Rate(float("nan"), ends[0], ends[1], "negative", note)


def natural(rate: float, frequency: float, hidden: float) -> float:
    """Return the rate under natural labels that a held-out ``rate`` implies, at most 1."""
    unlabelled = rate * (1 - frequency) / (frequency * hidden)
    return min(unlabelled / (1 - rate), 1.0) if rate < 1 else 1.0
