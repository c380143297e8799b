"""What every detector owes, and the mixture against scikit-learn and Bayes. A new one is here by being registered."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from negbench.detectors import Detector
from negbench.detectors.pair_mixture import PairMixture
from negbench.registry import registered
from negbench.rng import CounterRNG

OURS: list[Detector] = [
    kind()
    for kind in registered("detector").values()
    if kind.__module__.startswith("negbench.")  # type: ignore[misc]
]
every = pytest.mark.parametrize("detector", OURS, ids=str)
NOISE = CounterRNG(0, "detector", 3)


def planted(count: int, share: float, spread: float = 0.5) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Perplexities of ``count`` rows, normal around 1, and around 6 where the pair is mismatched; and which match."""
    rng = np.random.default_rng(0)
    matched = rng.random(count) >= share
    values = np.where(matched, rng.normal(1, 0.5, count), rng.normal(6, spread, count))
    return values.astype(np.float32), matched


@every
class TestEveryDetector:
    def test_a_flag_a_row_the_same_each_time(self, detector: Detector) -> None:
        values, _ = planted(300, 0.3)
        before, state = values.copy(), np.random.get_state()[1]
        found = detector.matched(values, NOISE)
        assert (found.shape, found.dtype) == ((300,), np.bool_)
        np.testing.assert_array_equal(detector.matched(values, NOISE), found)
        np.testing.assert_array_equal(values, before)
        np.testing.assert_array_equal(np.random.get_state()[1], state)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
    def test_it_finds_what_is_far_apart(self, detector: Detector, share: float) -> None:
        values, matched = planted(400, share)
        np.testing.assert_array_equal(detector.matched(values, NOISE), matched)

    @pytest.mark.parametrize("count", [0, 1, 2, 40])
    def test_where_all_are_alike_nothing_is_flagged(self, detector: Detector, count: int) -> None:
        assert detector.matched(np.full(count, 0.7, np.float32), NOISE).all()

    def test_two_rows(self, detector: Detector) -> None:
        assert detector.matched(np.array([3.0, 0.5], np.float32), NOISE).tolist() == [False, True]


class TestPairMixture:
    @pytest.mark.parametrize("share", [0.2, 0.7])
    def test_scikit_learn_and_bayes_agree(self, share: float) -> None:
        """Components that overlap; the posterior is worked out here from another fit, begun five times elsewhere."""
        values, _ = planted(3000, share, spread=2.0)
        fit = GaussianMixture(2, n_init=5, init_params="random_from_data", tol=1e-6, max_iter=2000, random_state=7)
        fit.fit(values[:, None].astype(np.float64))
        density = fit.weights_ * norm.pdf(values[:, None], fit.means_[:, 0], np.sqrt(fit.covariances_[:, 0, 0]))
        low = fit.means_[:, 0].argmin()
        wanted = density[:, low] > density[:, 1 - low]
        found = PairMixture().matched(values, NOISE)
        assert (found == wanted).mean() > 0.99
        assert 0 < (~found).sum() < 3000
        # and by the components that were planted
        truly = (1 - share) * norm.pdf(values, 1, 0.5) > share * norm.pdf(values, 6, 2.0)
        assert (found == truly).mean() > 0.98

    def test_one_hump_is_cut_in_two_all_the_same(self) -> None:
        """As the docstring warns: that two components are there is not tested."""
        values, _ = planted(2000, 0.0)
        assert (~PairMixture().matched(values, NOISE)).mean() > 0.1
