"""A renewal that is made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from negbench.refresh import Refresh
from negbench.training.data import Instances
from negbench.training.loop import Renewal

Points = dict[str, float]


def renewal_at_once(refresh: Refresh, rows: Callable[[Any, int], tuple[Instances, Points]]) -> Renewal:
    ready: dict[int, tuple[Instances, Points]] = {}

    def ask(model: Any, number: int, upcoming: Any) -> None:
        assert not ready
        ready[number] = rows(model, number)

    return Renewal(refresh, ask, ready.pop)
