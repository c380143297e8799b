from __future__ import annotations

import numpy as np
import pytest

from negbench.evaluation.detection import detection
from negbench.evaluation.intervals import proportion


def test_a_case_counted_by_hand() -> None:
    """Three queries with six rows, three of them mismatched; of them nothing, one and four are flagged."""
    queries = np.array([7, 7, 3, 3, 3, 5], np.int32)
    mismatched = np.array([[1, 0, 1, 1, 0, 0]] * 3, np.bool_)
    flagged = np.array([[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [1, 1, 1, 0, 0, 1]], np.bool_)
    found = detection(queries, flagged, mismatched)
    precision, recall = found["detector-precision"], found["detector-recall"]
    assert list(precision) == list(recall) == ["2", "3"]
    assert precision["2"].clusters.tolist() == [[1, 0, 0], [1, 0, 0]]  # queries 3, 5 and 7
    assert recall["2"].clusters.tolist() == [[1, 0, 0], [2, 0, 1]]
    assert precision["3"].clusters.tolist() == [[1, 0, 1], [1, 1, 2]]
    assert recall["3"].interval() == pytest.approx(proportion(np.array([1.0, 0, 1]), np.array([2.0, 0, 1])))
    assert (precision["3"].reference, recall["3"].reference) == (3 / 6, pytest.approx(4 / 6))


def test_positives_that_change_between_epochs_are_judged_by_epoch() -> None:
    flagged = np.array([[1, 0], [1, 0]], np.bool_)
    found = detection(np.array([0, 1], np.int32), flagged, np.array([[1, 0], [0, 1]], np.bool_))
    assert [share.interval()[0] for share in found["detector-precision"].values()] == [1, 0]


def test_nothing_flagged_is_nothing_told() -> None:
    nothing = np.zeros((2, 3), np.bool_)
    assert detection(np.arange(3, dtype=np.int32), nothing, ~nothing) == {
        "detector-precision": {},
        "detector-recall": {},
    }
