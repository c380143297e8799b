"""Refresh between epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from negbench.refresh import Refresh


class EveryEpoch(Refresh):
    """Search again after every epoch but the last."""

    name: ClassVar[str] = "every-epoch"

    def refresh_steps(self, epoch_ends: Sequence[int]) -> list[int]:
        return list(epoch_ends[:-1])
