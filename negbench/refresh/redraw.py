"""Redraw from the first candidates during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from negbench.refresh import Mode, Refresh


class Redraw(Refresh):
    """Draw again after every so many optimizer steps, from the candidates that were found before training.

    The control of a refresh: what a fresh draw gives without a search by a better encoder. With the same ``steps`` as
    ``every``, negatives change at the same steps and by the same chances.
    """

    name: ClassVar[str] = "redraw"
    mode: ClassVar[Mode] = "redraw"

    steps: int = Field(ge=1, description="Optimizer steps between draws.")

    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        return list(range(self.steps, epoch_ends[-1], self.steps))
