"""Make one stage in this process, with what it rests on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from negbench.plan.damage import repeat_if_damaged
from negbench.store import Stage, Store, ancestors

T = TypeVar("T")


def make(stage: Stage, store: Store, report: Callable[[str], None], read: Callable[[Path], T]) -> T:
    """Return what ``read`` reads from the artifact of a stage, which is made with its inputs where it is missing.

    ``report`` is called with the label of each stage before it runs.
    """
    needed = ancestors(stage)

    def work() -> T:
        for one in needed:
            if not store.has(one):
                for part in one.parts(store.path):
                    if not store.has(part):
                        report(part.label)
                        store.ensure(part)
                report(one.label)
                store.ensure(one)
        return read(store.path(stage))

    return repeat_if_damaged(store, needed, work)
