"""Stages one after another in this process."""

from __future__ import annotations

import traceback
from functools import partial

from negbench.executors import Outcome, one_line
from negbench.plan.damage import repeat_if_damaged
from negbench.store import Stage, StageLockedError, Store, ancestors


class InProcess:
    """Makes each stage while ``start`` runs."""

    slots = 1

    def __init__(self, store: Store) -> None:
        import sentence_transformers  # noqa: F401  (its import time should not count as a stage's cost)

        self.store = store
        self._ended: list[Outcome] = []

    def start(self, stage: Stage) -> None:
        """Make a stage, and return when it has ended."""
        self._ended.append(made(stage, self.store))

    def wait(self) -> Outcome:
        """Return how the stage ended."""
        return self._ended.pop(0)

    def close(self) -> None:
        """Do nothing: there are no other processes."""


def made(stage: Stage, store: Store) -> Outcome:
    """Make a stage in this process, and what of its inputs is missing or damaged; say how it ended."""
    try:
        repeat_if_damaged(store, ancestors(stage), partial(store.ensure, stage, wait=False))
    except StageLockedError:
        return Outcome(stage.key, locked=True)
    except Exception as error:  # any error: other stages go on
        return Outcome(stage.key, one_line(stage, error), "".join(traceback.format_exception(error)))
    return Outcome(stage.key)
