"""How many trials a grid has, told before any of them is planned."""

from __future__ import annotations

from negbench.config.grid import Grid, Settings
from negbench.encoders import published
from negbench.errors import InputError

MOST_TRIALS = 10_000
"""Trials of the largest grid that is planned or run without being asked for twice."""


def starts_by_seed(settings: Settings) -> bool:
    """Return whether the starting encoder depends on the seed."""
    return settings.encoder.seeded or settings.warm_up is not None


def starts_altered(settings: Settings) -> bool:
    """Return whether the start is another model than the published one: other layers, shorter texts, a warm-up."""
    return settings.warm_up is not None or published.is_altered(settings.encoder, settings.train.max_length.by_side)


def check_size(grid: Grid, yes: bool) -> None:
    """Raise InputError for more than ``MOST_TRIALS`` trials, references aside, unless ``yes``."""
    trials = sum(len(settings.methods) * len(settings.seeds) for _, settings in grid.points)
    if trials > MOST_TRIALS and not yes:
        raise InputError(
            f"grid {grid.name}: {trials:,} trials, more than {MOST_TRIALS:,}; list fewer methods, seeds or values of "
            "axes, or add --yes (in Python yes=True) if they are meant"
        )
