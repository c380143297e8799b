from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from negbench.evaluation.hardness import hardness
from negbench.types import CandidatePool, Negatives


def made(scores: list[list[float]], drawn: list[list[float]]) -> tuple[Negatives, CandidatePool]:
    pool = np.array(scores, np.float32)
    found, nothing = np.array(drawn, np.float32), np.zeros((len(drawn), 0), np.int32)
    documents, many = np.zeros(pool.shape, np.int32), np.arange(len(drawn), dtype=np.int32)
    keys, size = np.zeros(len(drawn), np.uint64), np.ones(len(drawn), np.float32)
    whole = CandidatePool(
        many, documents, pool, documents > 0, nothing, nothing.astype(np.float32), keys, documents.astype(np.uint64)
    )
    slots = np.zeros(found.shape, np.int32)
    return Negatives.without_rules(many, slots, slots, slots, found, size), whole


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
