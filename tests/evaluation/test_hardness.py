from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from pools import candidate_pool, mined

from negbench.evaluation.hardness import hardness
from negbench.types import CandidatePool, Negatives


def made(scores: list[list[float]], drawn: list[list[float]]) -> tuple[Negatives, CandidatePool]:
    return mined(np.zeros(np.shape(drawn)), scores=drawn), candidate_pool(scores)


def test_it_is_the_mean_distance_from_the_query_s_mean_in_its_deviations() -> None:
    nan = math.nan
    scores = [[9.0, 6.0, 3.0, 2.0], [5.0, 1.0, nan, nan], [4.0, 4.0, 4.0, 4.0]]
    drawn = [[9.0, 2.0], [5.0, nan], [4.0, 4.0]]
    expected = []
    for pool, mine in zip(scores[:2], drawn, strict=False):  # the third query's candidates are all alike
        real = [score for score in pool if not math.isnan(score)]
        mean, spread = statistics.mean(real), statistics.pstdev(real)
        expected += [(score - mean) / spread for score in mine if not math.isnan(score)]
    assert hardness(*made(scores, drawn)) == pytest.approx(statistics.mean(expected))


def test_without_scores_there_is_none() -> None:
    assert math.isnan(hardness(*made([[1.0, 2.0]], [[math.nan]])))
    assert math.isnan(hardness(*made([[0.0, 0.0]], [[0.0]])))
