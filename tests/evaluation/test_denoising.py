from __future__ import annotations

import numpy as np
import pytest
from pools import candidate_pool

from negbench.evaluation.denoising import TOGETHER, denoising
from negbench.evaluation.intervals import proportion
from negbench.filters.margin import Margin
from negbench.filters.rank_band import RankBand
from negbench.types import CandidatePool


def pool() -> CandidatePool:
    """Two queries with six candidates that score 6 ... 1; the first of the second query is a known positive."""
    return candidate_pool([range(6, 0, -1)] * 2, positives=[[20], [6]], positive_scores=[[5], [6]])


RELEVANT = np.array([[1, 1, 0, 1, 0, 0], [1, 0, 1, 0, 0, 1]], np.bool_)


def test_a_case_counted_by_hand() -> None:
    """The band throws out rank 0 and looks at ranks 0 to 3, the margin throws out scores above s+ - 1 of what is left.

    Of the first query 6 goes by the band, and 5 by the margin; of the second, whose 6 is known, the margin takes none
    but 6 itself.
    """
    found = denoising(pool(), [RankBand(low=1, high=4), Margin(margin=1, unit="absolute")], RELEVANT)
    band, margin = "1. rank-band(low=1, high=4)", "2. margin(margin=1.0, unit=absolute)"
    assert [list(shares) for shares in found.values()] == [[band, margin, TOGETHER]] * 2
    precision, recall = found["precision"], found["recall"]
    # of 7 candidates that it can look at, 4 are relevant, it throws out one, which is
    assert precision[band].clusters.tolist() == [[1, 0], [1, 0]]
    assert recall[band].clusters.tolist() == [[1, 0], [3, 1]]
    assert (precision[band].reference, recall[band].reference) == (pytest.approx(4 / 7), pytest.approx(1 / 7))
    # the margin sees the 6 that the band left within its reach, wherever they rank
    assert precision[margin].clusters.tolist() == [[1, 0], [1, 0]]
    assert recall[margin].clusters.tolist() == [[1, 0], [2, 1]]
    assert (precision[margin].reference, recall[margin].reference) == (pytest.approx(3 / 6), pytest.approx(1 / 6))
    # together, down to rank 4: two of the four relevant ones, and nothing else
    assert precision[TOGETHER].interval()[0] == 1
    assert recall[TOGETHER].interval() == pytest.approx(proportion(np.array([2.0, 0.0]), np.array([3.0, 1.0])))
    assert recall[TOGETHER].reference == pytest.approx(2 / 7)


def test_one_filter_is_told_once_and_one_that_finds_nothing_has_no_precision() -> None:
    found = denoising(pool(), [Margin(margin=0, unit="absolute", positive="highest")], ~RELEVANT & False)
    (name,) = found["precision"]
    assert name.startswith("1. margin(")
    assert np.isnan(found["recall"][name].interval()[0])  # nothing is relevant
    assert found["precision"][name].interval()[0] == 0
