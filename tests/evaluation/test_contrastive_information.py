from __future__ import annotations

import math
from statistics import harmonic_mean

import numpy as np
import pytest

from negbench.evaluation.contrastive_information import contrastive_information, mean
from negbench.types import Float32

ONE = np.ones(1)


def cosines(*values: float | list[float]) -> Float32:
    return np.array(values, np.float32)


def test_it_is_capacity_times_the_mean_harmonic_mean_of_hardness_and_margin() -> None:
    positives, weights = [0.9, 0.5, 0.7], [1.0, 3.0, 0.5]
    negatives = [[0.6, 0.2, 0.85], [0.4, math.nan, 0.1], [math.nan] * 3]
    expected = []
    for positive, row in zip(positives, negatives, strict=True):
        each = [harmonic_mean([cosine, positive - cosine]) for cosine in row if not math.isnan(cosine)]
        expected.append(math.log(1 + len(each)) * sum(each) / len(each) if each else 0.0)
    found = contrastive_information(cosines(*positives), cosines(*negatives), np.array(weights))
    assert found == pytest.approx(np.average(expected, weights=weights), rel=1e-6)


@pytest.mark.parametrize("cosine", [0.8, 0.9, 0.0, -0.3], ids=["as high", "higher", "right-angled", "opposite"])
def test_a_negative_without_margin_or_hardness_is_worth_nothing(cosine: float) -> None:
    assert contrastive_information(cosines(0.8), cosines([cosine]), ONE) == 0


def test_it_is_largest_half_way_to_the_positive_and_there_half_the_positive_s_cosine() -> None:
    grid = np.linspace(0, 0.8, 81)
    found = [contrastive_information(cosines(0.8), cosines([cosine]), ONE) for cosine in grid.tolist()]
    assert grid[np.argmax(found)] == pytest.approx(0.4)
    assert max(found) == pytest.approx(math.log(2) * 0.4, rel=1e-6)


def test_more_negatives_of_a_kind_add_capacity_alone() -> None:
    few, many = (contrastive_information(cosines(0.8), cosines([0.4] * n), ONE) for n in (1, 7))
    assert many / few == pytest.approx(math.log(8) / math.log(2))


def test_without_weight_there_is_none() -> None:
    assert math.isnan(contrastive_information(cosines(0.8), cosines([0.4]), np.zeros(1)))
    assert math.isnan(mean(np.zeros(0), np.zeros(0)))
