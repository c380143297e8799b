"""How many trials a grid has, told before any of them is planned."""

from __future__ import annotations

from negbench.config.grid import Grid
from negbench.errors import InputError

MOST_TRIALS = 10_000
"""Trials of the largest grid that is planned or run without being asked for twice."""


def check_size(grid: Grid, yes: bool) -> None:
    """Raise InputError for more than ``MOST_TRIALS`` trials, references aside, unless ``yes``."""
    trials = sum(len(settings.methods) * len(settings.seeds) for _, settings in grid.points)
    if trials > MOST_TRIALS and not yes:
        raise InputError(
            f"grid {grid.name}: {trials:,} trials, more than {MOST_TRIALS:,}; list fewer methods, seeds or values of "
            "axes, or add --yes (in Python yes=True) if they are meant"
        )
