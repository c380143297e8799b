from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pytest
from made_trials import trial

from negbench.report import overlap

POINTS: list[dict[str, Any]] = [{"negatives": 1}, {"negatives": 2}]
TRIALS = [
    trial(method, seed, 0.5, axes=axes)
    for axes in POINTS
    for seed in (0, 1)
    for method in ("in-batch", "bm25", "simans")
]
PAIRS = {"bm25": [[1, 2, 3, 4], [1, 2]], "simans": [[2, 9], [7, 8]]}
DRAWN = {
    one["name"]: np.array(PAIRS[one["method"]][one["seed"]]) for one in TRIALS if one["method"] in PAIRS
}  # by seed, the same at both points


def test_methods_are_compared_at_the_same_point_and_seed() -> None:
    found = overlap.overlaps(TRIALS, DRAWN)
    assert len(found) == 2 * 2 * 2
    one = found[0]
    assert (one.axes, one.seed, one.method, one.other) == (POINTS[0], 0, "bm25", "simans")
    assert (one.share, one.jaccard) == (pytest.approx(1 / 4), pytest.approx(1 / 5))
    lines = list(csv.DictReader(io.StringIO(overlap.to_csv(found))))
    assert [float(line["share"]) for line in lines] == [one.share for one in found]
    assert lines[-1]["negatives"] == "2"


def test_the_matrix_is_the_mean_over_seeds() -> None:
    first, second = overlap.matrices(overlap.overlaps(TRIALS, DRAWN))
    assert first["methods"] == ["bm25", "simans"]
    assert first["share"] == [[1, pytest.approx(1 / 8)], [pytest.approx(1 / 4), 1]]
    assert first["jaccard"] == [[1, pytest.approx(1 / 10)], [pytest.approx(1 / 10), 1]]
    assert (first["axes"], second["axes"]) == tuple(POINTS)


def test_the_table_leaves_its_diagonal_blank() -> None:
    table = overlap.tables(overlap.overlaps(TRIALS, DRAWN))[0]
    assert table["title"].endswith(": negatives=1")
    assert table["heading"] == ["method", "bm25", "simans"]
    assert table["body"] == [["bm25", "", "12"], ["simans", "25", ""]]


def test_a_single_method_has_nobody_to_be_compared_with() -> None:
    assert overlap.tables(overlap.overlaps(TRIALS[:2], DRAWN)) == []
