"""The models that a grid names, checked by their files before anything is planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from negbench.config.grid import Grid
from negbench.errors import located

KEYS = ("encoder", "teacher", "judge")
"""Keys of a grid that name a model."""


def check_models(grid: Grid, fingerprint: Callable[[Any], str]) -> None:
    """Raise InputError, with file, line and key, for a model of a grid that its files show to be unusable.

    ``fingerprint`` returns the digest of an encoder or teacher, and raises InputError for one that cannot be used.
    """
    for _, settings in grid.points:
        for key in KEYS:
            if (named := getattr(settings, key)) is not None:
                with located(grid.places.get(key, key)):
                    fingerprint(named)
