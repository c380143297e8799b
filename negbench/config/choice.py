"""One value of an axis of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One value of an axis: what it sets, and where each of these stands in the file.

    ``label`` is what a point of the grid is called by: the value itself, or the name of a set.
    """

    label: Any
    sets: dict[str, Any]
    places: dict[str, list[str | int]]
