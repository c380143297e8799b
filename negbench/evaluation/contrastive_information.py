"""Effective contrastive information: what negatives can teach an encoder, scored before it is trained."""

from __future__ import annotations

import numpy as np

from negbench.types import Float32, Float64


def contrastive_information(positives: Float32, negatives: Float32, weights: Float64) -> float:
    """Return the effective contrastive information (ECI) of training rows in nats; the higher, the better.

    ``positives`` [R] and ``negatives`` [R, k] are the cosines of each row's query with its positive and its negatives,
    by the encoder before training, NaN where a row has fewer negatives; ``weights`` [R] is what each row weighs. At
    least 0; a row without negatives counts as 0. NaN where no row has weight.

    Sinha et al. 2026, ECI: Effective Contrastive Information to Evaluate Hard-Negatives, arXiv 2603.20990, version 1:
    information capacity, a logarithmic bound by the number of negatives, times discriminative efficiency, the harmonic
    mean of hardness and of safety, which is a margin.

    An interpretation: this is written from the abstract, which names these quantities without their formulas. Here the
    capacity of a row with n negatives is log(1 + n), InfoNCE's bound on mutual information; hardness is the cosine of
    query and negative, 0 where it is negative; safety is by how much the positive's cosine is larger, 0 where it is
    not. So a negative that scores as high as the positive counts as 0. The efficiency of a row is the mean over its
    negatives.

    Differs from the paper in: version 3, which ranks sources by another score (ECI_sem, a log-determinant of weighted
    residuals). That one is not computed.
    """
    hardness = np.maximum(negatives.astype(np.float64), 0)
    safety = np.maximum(positives[:, None].astype(np.float64) - negatives, 0)
    total = hardness + safety
    efficiency = 2 * hardness * safety / np.where(total > 0, total, 1)
    counts = (~np.isnan(negatives)).sum(axis=1)
    by_row = np.log1p(counts) * np.nansum(efficiency, axis=1) / np.maximum(counts, 1)
    return mean(by_row, weights)


def mean(values: Float64, weights: Float64) -> float:
    """Return the mean of ``values`` [n] by ``weights`` [n]; NaN where all weights are 0."""
    return float(values @ weights / weights.sum()) if weights.sum() > 0 else float("nan")
