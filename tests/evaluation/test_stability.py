from __future__ import annotations

import numpy as np
import pytest

from negbench.evaluation.stability import collapsed, spikes


@pytest.mark.parametrize("seed", range(5))
def test_a_smooth_noisy_curve_has_no_spike_and_planted_ones_are_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    curve = 2 * np.exp(-np.arange(200) / 80) + 0.3 + 0.05 * rng.standard_normal(200)
    assert spikes(curve.tolist()) == 0
    for at in (60, 120, 121):
        curve[at] *= 4
    assert spikes(curve.tolist()) == 3


def test_a_short_curve_and_a_flat_one() -> None:
    assert spikes([1.0] * 9 + [100.0]) == 0  # too few before it
    assert spikes([1.0] * 12 + [1.5]) == 0  # a tenth of the median is noise
    assert spikes([1.0] * 12 + [1.7]) == 1
    assert spikes([]) == 0


def test_a_seed_collapses_below_half_of_the_median() -> None:
    assert collapsed(0.29, [0.6, 0.61, 0.29])
    assert not collapsed(0.31, [0.6, 0.61, 0.31])
    assert not collapsed(0.1, [])
