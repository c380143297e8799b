"""A hook whose rows are made when they are requested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from negbench.training.data import Instances
from negbench.training.hooks import Points, RefreshHook


class MadeAtOnce(RefreshHook):
    def __init__(self, steps: Sequence[int], rows: Callable[[Any, int], tuple[Instances, Points]]) -> None:
        super().__init__(steps)
        self.rows = rows
        self.ready: dict[int, tuple[Instances, Points]] = {}

    def request(self, model: Any, number: int, upcoming: Any) -> None:
        assert not self.ready
        self.ready[number] = self.rows(model, number)

    def take(self, number: int) -> tuple[Instances, Points]:
        return self.ready.pop(number)
