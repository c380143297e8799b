"""Checks of teachers and writers before the first stage of a run, so that errors come before hours of work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields

from negbench.config.grid import Grid
from negbench.errors import InputError
from negbench.plan.trials import Trial
from negbench.store import Store
from negbench.teachers import Teacher
from negbench.writers import NegativeGenerator


def check_parts(grid: Grid, trials: Sequence[Trial], store: Store, report: Callable[[str], None]) -> None:
    """Load, and let go, the teachers and writers that missing stages ask; a server's key must be there.

    ``report`` is called with a label before each. Raises InputError, with the file, line and key of the grid.
    """
    checked: set[tuple[str, str]] = set()
    for trial in trials:
        for stage in trial.stages:
            values = [getattr(stage, field.name) for field in fields(stage)]
            for part in [it for it in values if isinstance(it, Teacher | NegativeGenerator)]:
                if (part.kind, part.spelling) not in checked and not store.has(stage):
                    checked.add((part.kind, part.spelling))
                    report(f"check {part.kind} {part.spelling}")
                    with located(grid, part.spelling, trial.spelling):
                        part.check_usable()


@contextmanager
def located(grid: Grid, *names: str) -> Iterator[None]:
    """Let an InputError inside begin with the place in the grid of the first of ``names`` that has one."""
    try:
        yield
    except InputError as error:
        places = [grid.places[name] for name in names if name in grid.places]
        raise InputError(": ".join([*places[:1], str(error)])) from error
