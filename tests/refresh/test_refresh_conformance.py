"""What every refresh owes. A new one is in this suite by being registered."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from example_parts import example
from hypothesis import given
from hypothesis import strategies as st

from negbench.errors import PartError
from negbench.refresh import Refresh
from negbench.refresh.cache import Cache
from negbench.refresh.every import Every
from negbench.refresh.every_epoch import EveryEpoch
from negbench.refresh.every_step import EveryStep
from negbench.refresh.never import Never
from negbench.refresh.redraw import Redraw
from negbench.registry import registered

OURS: list[Any] = [example(kind) for kind in registered("refresh").values() if kind.__module__.startswith("negbench.")]
VARIANTS: list[Refresh] = [Every(steps=1), Every(steps=7), Every(steps=4, lag=6), Cache(size=9)]


@pytest.mark.parametrize("refresh", [*OURS, *VARIANTS], ids=str)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_steps_ascend_and_lie_within_the_training(refresh: Refresh, lengths: list[int]) -> None:
    ends = list(accumulate(lengths))
    due = refresh.refresh_steps(ends)
    assert due == sorted(set(due))
    first = 0 if refresh.before_first_step else 1
    assert all(first <= step < ends[-1] for step in due)
    assert refresh.is_dynamic or not due
    assert all(step >= first + refresh.search_lag for step in due)
    assert refresh.search_lag == 0 or refresh.mode == "full"


def test_when() -> None:
    assert Every(steps=4).refresh_steps([5, 12]) == [4, 8]
    assert Every(steps=12).refresh_steps([5, 12]) == []
    assert Every(steps=4, lag=2).refresh_steps([5, 12]) == [6, 10]
    assert Every(steps=2, lag=5).refresh_steps([5, 12]) == [7, 9, 11]
    assert EveryStep().refresh_steps([2, 4]) == [1, 2, 3]
    assert Cache().refresh_steps([2, 4]) == [0, 1, 2, 3]
    assert EveryEpoch().refresh_steps([5, 10, 12]) == [5, 10]
    assert EveryEpoch().refresh_steps([5]) == []


def test_a_mode_that_nothing_implements_is_refused_where_the_part_is_defined() -> None:
    with pytest.raises(TypeError, match=r"refresh sometimes: mode 'half' is none of none, full, per-batch, cached-vec"):

        class Sometimes(Never):
            name = "sometimes"
            mode = "half"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((6, 3), "each once, ascending"),
        ((3, 3), "each once, ascending"),
        ((0, 3), "steps from 1 to 11"),
        ((3, 12), "steps from 1 to 11"),
        ((-2, 3), "steps from 1 to 11"),
    ],
)
def test_steps_that_no_training_could_follow_are_refused_by_name(
    steps: tuple[int, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redraw, "refresh_steps", lambda *_: list(steps))
    said = rf"^refresh redraw\(steps=1\): returned the steps {steps[0]}, {steps[1]}; expected {expected}$"
    with pytest.raises(PartError, match=said):
        Redraw(steps=1).checked_steps([5, 12])


def test_steps_within_the_training_pass() -> None:
    assert Redraw(steps=11).checked_steps([5, 12]) == [11]
    assert Cache().checked_steps([2]) == [0, 1]
    assert Every(steps=2, lag=5).checked_steps([5, 12]) == [7, 9, 11]
