"""NPC's detection: two normal components."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from negbench.detectors import Detector
from negbench.rng import CounterRNG
from negbench.types import Bool, Float32


class PairMixture(Detector):
    """Fits two normal components to the perplexities of all rows; the lower one's rows are taken for matched.

    Noisy Pair Corrector, Zhang et al. 2023, arXiv 2311.03798: matched is what the component of the lower mean has made
    with a posterior above 0.5. It finds two components whether or not there are any, so that some rows are flagged even
    where all pairs match. The paper warms up for 5 of 10 epochs or 10 of 40. Differs from the paper in: its batches are
    as large as those of training, 256 or 512; rows whose perplexities are all the same are all taken for matched.
    """

    name: ClassVar[str] = "pair-mixture"

    def matched(self, perplexity: Float32, rng: CounterRNG) -> Bool:
        from sklearn.mixture import GaussianMixture

        if len(np.unique(perplexity)) < 2:
            return np.ones(len(perplexity), np.bool_)
        values = perplexity.astype(np.float64)[:, None]
        seed = int(rng.bits(0) >> np.uint64(32))
        mixture = GaussianMixture(2, max_iter=1000, random_state=seed).fit(values)
        clean: Bool = mixture.predict_proba(values)[:, mixture.means_[:, 0].argmin()] > 0.5
        return clean
