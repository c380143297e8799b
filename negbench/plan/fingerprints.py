"""Digests of what a grid names: collections, encoders, teachers; errors say where the grid names them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from negbench.collections import Source
from negbench.config.grid import Grid
from negbench.encoders import files, weights
from negbench.encoders.spec import EncoderSpec
from negbench.teachers import Teacher


def fingerprints(grid: Grid) -> Callable[[Source | Teacher | EncoderSpec], str]:
    """Return a function that digests what a grid names, each thing once, since a digest reads whole files.

    It raises InputError where something does not exist or cannot be used, with the file, line and key of the grid.
    """

    @cache
    def fingerprint(thing: Source | Teacher | EncoderSpec) -> str:
        with grid.located(thing.spelling):
            if isinstance(thing, EncoderSpec):
                files.check(thing)
                return weights.fingerprint(thing.model, thing.revision)
            return thing.fingerprint()

    return fingerprint
