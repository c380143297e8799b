"""What a grid answers, in a few computed sentences: one answer for each start and each collection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from negbench.report.answer import Answer
from negbench.report.rows import Row
from negbench.types import Float64

COLLECTION = "collection"
"""The axis whose values need no name before them."""


def answer(
    rows: Sequence[Row],
    trials: Sequence[dict[str, Any]],
    values: Mapping[str, Float64],
    settings: Mapping[str, Any],
) -> list[str]:
    """Return the verdict on a grid, a sentence or two each line; empty where nothing was trained.

    ``rows`` and ``trials`` are those of ``results.json``, ``values`` [Q] the first measure of every query by trial
    name, ``settings`` has measure, baseline, equivalent_within and separate_axes. Rows are compared at one value of
    each separate axis alone, since methods are not told apart by rows that start from different encoders or that are
    tested on different queries; each line begins with these values.
    """
    lines = []
    for answered in _answers(rows, trials, values, settings):
        place = ", ".join(
            str(value) if axis == COLLECTION else f"{axis}={value}" for axis, value in answered.place.items()
        )
        lines += [f"{place}: {line}" if place else line for line in answered.lines()]
    return lines


def recommended(
    rows: Sequence[Row],
    trials: Sequence[dict[str, Any]],
    values: Mapping[str, Float64],
    settings: Mapping[str, Any],
) -> list[Row]:
    """Return the rows that the verdict says to train with: of each start and collection one, or none."""
    choices = [answered.choice for answered in _answers(rows, trials, values, settings)]
    return [row for row in choices if row is not None]


def _answers(
    rows: Sequence[Row],
    trials: Sequence[dict[str, Any]],
    values: Mapping[str, Float64],
    settings: Mapping[str, Any],
) -> list[Answer]:
    """Return what the rows at each point of the separate axes answer; one answer without such axes."""
    if any("repair" in row.axes for row in rows):  # its rows know the truth; repair has a report of its own
        return []
    places: dict[str, dict[str, Any]] = {}
    rows_at: dict[str, list[Row]] = {}
    for row in rows:
        place = {axis: row.axes[axis] for axis in settings["separate_axes"] if axis in row.axes}
        places[json.dumps(place)] = place
        rows_at.setdefault(json.dumps(place), []).append(row)
    return [
        Answer(rows=rows_at[point], place=place, trials=trials, values=values, settings=settings)
        for point, place in places.items()
    ]
