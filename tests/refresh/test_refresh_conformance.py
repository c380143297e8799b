"""What every refresh owes. A new one is in this suite by being registered."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.parts import registered
from negbench.refresh import Refresh
from negbench.refresh.cache import Cache
from negbench.refresh.every import Every
from negbench.refresh.every_epoch import EveryEpoch
from negbench.refresh.every_step import EveryStep
from negbench.refresh.never import Never
from negbench.refresh.redraw import Redraw

OURS: list[Refresh] = [Never(), EveryEpoch(), EveryStep(), Every(steps=1), Every(steps=7), Every(steps=4, lag=6)]
OURS += [Cache(), Cache(size=9), Redraw(steps=3)]


def test_all_are_here() -> None:
    ours = {name for name, kind in registered("refresh").items() if kind.__module__.startswith("negbench.")}
    assert {part.name for part in OURS} == ours


@pytest.mark.parametrize("refresh", OURS, ids=str)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_steps_ascend_and_lie_within_the_training(refresh: Refresh, lengths: list[int]) -> None:
    ends = list(accumulate(lengths))
    due = refresh.due(ends)
    assert due == sorted(set(due))
    first = 0 if isinstance(refresh, Cache) else 1  # the others begin with what was there before
    assert all(first <= step < ends[-1] for step in due)
    assert refresh.moves or not due
    assert all(step >= first + refresh.behind for step in due)


def test_when() -> None:
    assert Every(steps=4).due([5, 12]) == [4, 8]
    assert Every(steps=12).due([5, 12]) == []
    assert Every(steps=4, lag=2).due([5, 12]) == [6, 10]
    assert Every(steps=2, lag=5).due([5, 12]) == [7, 9, 11]
    assert EveryStep().due([2, 4]) == [1, 2, 3]
    assert Cache().due([2, 4]) == [0, 1, 2, 3]
    assert EveryEpoch().due([5, 10, 12]) == [5, 10]
    assert EveryEpoch().due([5]) == []
