"""The part of a grid that each of its collections is by itself: what a grid of that collection alone would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from negbench.config.collection_axis import AXIS
from negbench.config.grid import Grid
from negbench.plan.trials import Trial


@dataclass(frozen=True)
class Alone:
    """A grid of one collection, and its trials by the names that they have in the grid of all collections."""

    grid: Grid
    trials: dict[str, Trial]


def each(grid: Grid, trials: Sequence[Trial]) -> dict[str, Alone]:
    """Return the part of each collection by its name; none where the grid has one collection."""
    names = list(dict.fromkeys(axes[AXIS] for axes, _ in grid.points if AXIS in axes))
    if len(names) < 2:
        return {}
    found = {}
    for name in names:
        points = tuple((_without(axes), settings) for axes, settings in grid.points if axes[AXIS] == name)
        own = [trial for trial in trials if trial.axis_values[AXIS] == name]
        found[name] = Alone(
            grid.model_copy(update={"points": points, "notes": ()}),
            {trial.name: replace(trial, axis_values=_without(trial.axis_values)) for trial in own},
        )
    return found


def _without(axes: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in axes.items() if key != AXIS}
