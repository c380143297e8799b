"""Unstable trainings: spikes in a curve, collapsed seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WINDOW = 20
"""Number of preceding steps that a value is compared with."""

_LIMIT = 6.0
_TO_SIGMA = 1.4826  # a normal distribution's standard deviation over its median absolute deviation


def spikes(values: Sequence[float]) -> int:
    """Return how many values lie far above the 20 before them: over their median by 6 robust standard deviations.

    The standard deviation is taken from the median absolute deviation, and for no less than a tenth of the median.
    The first ten values, which have too few before them, never count.
    """
    count = 0
    for step in range(WINDOW // 2, len(values)):
        before = np.asarray(values[max(0, step - WINDOW) : step])
        middle = float(np.median(before))
        sigma = max(_TO_SIGMA * float(np.median(abs(before - middle))), 0.1 * abs(middle))
        count += values[step] > middle + _LIMIT * sigma
    return int(count)


def collapsed(quality: float, others: Sequence[float]) -> bool:
    """Return whether a training ended below half of the median of ``others``, those of the same grid and point."""
    return bool(others) and quality < float(np.median(others)) / 2
