"""Digests of what a grid names: collections, encoders, teachers; errors say where the grid names them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from negbench.collections import Source
from negbench.config.grid import Grid
from negbench.encoders import files, weights
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.teachers import Teacher


def fingerprints(grid: Grid) -> Callable[[Source | Teacher | EncoderSpec], str]:
    """Return a function that digests what a grid names, each thing once, since a digest reads whole files.

    It raises InputError where something does not exist or cannot be used, with the file, line and key of the grid.
    """

    @cache
    def fingerprint(thing: Source | Teacher | EncoderSpec) -> str:
        try:
            if isinstance(thing, EncoderSpec):
                files.check(thing)
                return weights.fingerprint(thing.model, thing.revision)
            return thing.fingerprint()
        except InputError as error:
            if thing.spelling not in grid.places:  # a method names it
                raise
            raise InputError(f"{grid.places[thing.spelling]}: {error}") from error

    return fingerprint
