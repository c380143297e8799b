"""Precision and recall of added positives, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from negbench.evaluation.added_positives import added_positives
from negbench.evaluation.intervals import proportion

CANDIDATES = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], np.bool_)
RELEVANT = np.array([[1, 0, 1, 1], [0, 0, 0, 1]], np.bool_)


def test_a_case_counted_by_hand() -> None:
    """Of seven candidates three are relevant; of the three that are added two are. The last of the first is known."""
    added = np.array([[1, 1, 0, 0], [0, 0, 0, 1]], np.bool_)
    found = added_positives("promote", CANDIDATES, added, RELEVANT)
    precision, recall = found["added-precision"]["promote"], found["added-recall"]["promote"]
    assert precision.clusters.tolist() == [[1, 1], [2, 1]]
    assert recall.clusters.tolist() == [[1, 1], [2, 1]]
    assert precision.interval() == pytest.approx(proportion(np.array([1.0, 1.0]), np.array([2.0, 1.0])))
    assert (precision.reference, recall.reference) == (pytest.approx(3 / 7), pytest.approx(3 / 7))
    assert [list(shares) for shares in found.values()] == [["promote"]] * 2


def test_where_nothing_is_added_nothing_is_told() -> None:
    assert added_positives("promote", CANDIDATES, CANDIDATES & False, RELEVANT) == {}
