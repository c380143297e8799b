from __future__ import annotations

import math

import pytest
from pools import mined

from negbench.evaluation.overlap import drawn_pairs, overlap
from negbench.types import Negatives


def drawn(documents: list[list[int]], origins: list[list[int]]) -> Negatives:
    return mined(documents, queries=[3, 5], origins=origins)


def test_shares_of_sets_of_pairs() -> None:
    """Mined {3-10, 3-11, 5-10} and {3-11, 5-12}: the fill, the written one and the gap do not count."""
    mine = drawn_pairs(drawn([[10, 11], [10, 99]], [[0, 0], [0, 1]]))
    others = drawn_pairs(drawn([[11, -1], [12, 10]], [[0, 0], [0, 2]]))
    assert overlap(mine, others) == (pytest.approx(1 / 3), pytest.approx(1 / 4))
    assert overlap(others, mine) == (pytest.approx(1 / 2), pytest.approx(1 / 4))
    assert overlap(mine, mine) == (1, 1)


def test_nothing_has_no_share() -> None:
    nothing = drawn_pairs(drawn([[-1, -1], [-1, -1]], [[0, 0], [1, 1]]))
    some = drawn_pairs(drawn([[1, 2], [3, 4]], [[0, 0], [0, 0]]))
    assert all(map(math.isnan, overlap(nothing, nothing)))
    assert overlap(some, nothing) == (0, 0)
    assert math.isnan(overlap(nothing, some)[0])
