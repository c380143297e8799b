"""Held-out: hide labels, mine again, and count the hidden positives that are drawn as negatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Estimator, HeldOut, Rate, Reading, TrainingNegatives

LEAST_HIDDEN = 0.05
"""Share of the labels that must be hidden. Below it hardly any negative could be a hidden positive, and a rate of
nearly 0 with a narrow interval would say something of the labels, not of the sampler."""


class HeldOutPositives(Estimator):
    """Share of hidden positives among the negatives that a separate mining pass draws with part of the labels hidden.

    ``held-out`` is that share, with an interval for other queries like these. It tells how likely a sampler is to draw
    unlabelled positives, and ranks samplers by it. Nothing is trained on that pass.

    The rate under the original labels depends on their frequency c, the share of relevant pairs that is labelled, which
    labels alone do not identify. If labels are missing at random, and a share h of them was hidden and drawn at rate r,
    the unlabelled relevant pairs are drawn at r (1 - c) / (c h) in that pass, and at that over 1 - r in the original
    one, which has no hidden positives. ``held-out/natural`` is this rate at ``frequency``; without a frequency it is
    the range between ``most`` and ``least`` labelled, which is no interval. If labels are not missing at random (pooled
    from the top, for example), neither holds: positives that are easy to find are drawn more often.
    """

    name: ClassVar[str] = "held-out"
    version: ClassVar[int] = 2
    reads: ClassVar[tuple[Reading, ...]] = ("held-out",)
    lacking: ClassVar[str] = "no labels are held out"
    meanings: ClassVar[Mapping[str, str]] = {
        "held-out": "share of hidden positives in a separate mining pass; not the rate under the original labels",
    }
    priority: ClassVar[int] = 30
    needs: ClassVar[str] = "held_out"

    frequency: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share c of the relevant pairs that is labelled, between 0 and 1; null where it is unknown.",
    )
    least: float = Field(
        default=0.2, gt=0, lt=1, description="Lowest share of labelled pairs assumed where `frequency` is null."
    )
    most: float = Field(
        default=0.9, gt=0, le=1, description="Highest share of labelled pairs assumed where `frequency` is null."
    )

    def estimate(self, negatives: TrainingNegatives) -> dict[str, Rate]:
        """Return the rates under the reduced and the original labels; empty without a held-out pass."""
        held_out = negatives.held_out
        if held_out is None or held_out.totals.sum() == 0:
            return {}
        if held_out.hidden < LEAST_HIDDEN:
            nan = float("nan")
            note = (
                f"cannot be estimated: {held_out.hidden:.1%} of the labels could be hidden, where at least "
                f"{LEAST_HIDDEN:.0%} are needed, since most queries have a single positive"
            )
            return {self.name: Rate(rate=nan, low=nan, high=nan, unit="negative", note=note)}
        return {self.name: self.thinned(held_out), f"{self.name}/natural": self.natural(held_out)}

    def thinned(self, found: HeldOut) -> Rate:
        """Return the share of hidden positives with part of the labels hidden."""
        note = (
            f"share of hidden positives among the negatives of a mining pass with {found.hidden:.0%} of the labels "
            "hidden; not the rate under the original labels"
        )
        ends = intervals.proportion(found.hits, found.totals)
        return Rate.of(ends, "negative", note, np.stack([found.hits, found.totals]))

    def natural(self, found: HeldOut) -> Rate:
        """Return the rate, or the range of rates, that this implies under the original labels."""
        rate, low, high = intervals.proportion(found.hits, found.totals)
        if self.frequency is not None:
            ends = [natural(value, self.frequency, found.hidden) for value in (rate, low, high)]
            note = f"assumes that {self.frequency:.0%} of the relevant pairs are labelled, at random"
            return Rate(rate=ends[0], low=ends[1], high=ends[2], unit="negative", note=note)
        note = (
            f"not identified: the range if between {self.most:.0%} and {self.least:.0%} of the relevant pairs are "
            "labelled, at random; not a confidence interval"
        )
        ends = [natural(rate, share, found.hidden) for share in (self.most, self.least)]
        return Rate(rate=float("nan"), low=ends[0], high=ends[1], unit="negative", note=note)


def natural(rate: float, frequency: float, hidden: float) -> float:
    """Return the rate under the original labels that a held-out ``rate`` implies, at most 1."""
    unlabelled = rate * (1 - frequency) / (frequency * hidden)
    return min(unlabelled / (1 - rate), 1.0) if rate < 1 else 1.0
