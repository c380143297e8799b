"""Run a plan in this process, one stage after another."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from negbench.errors import InputError, PartError
from negbench.plan.damage import repeat_if_damaged
from negbench.plan.graph import planned
from negbench.plan.trials import Trial
from negbench.store import Stage, StageLockedError, Store, ancestors
from negbench.training.loop import TrainingError

T = TypeVar("T")

EXPECTED_SECONDS = {"training": 30.0, "embeddings of document": 5.0, "teacher": 30.0, "scores": 20.0}
"""Initial estimate of a stage's seconds by kind, for the remaining time; replaced by measured times during a run."""


@dataclass(frozen=True)
class Progress:
    """Progress of a run: missing stages that are done and in total, the next stage, and the estimated seconds left."""

    done: int
    total: int
    label: str
    seconds_left: float


def run(
    trials: Sequence[Trial],
    store: Store,
    report: Callable[[Progress], None],
    finished: Callable[[Trial, str | None], None],
    log: Callable[[str], None],
) -> dict[str, str]:
    """Run every missing stage of ``trials``; return one line for each failed trial, by its name.

    ``report`` is called before each stage, ``finished`` after each trial with its failure or None, ``log`` with the
    traceback of a failure. A failed stage ends only the trials that need it. While another process makes a stage, this
    one goes on with other trials, so that the trials may finish in another order.
    """
    work = _Work(trials, store, report, log)
    if work.missing:
        import sentence_transformers  # noqa: F401  (its import time should not count as a stage's cost)
    failed: dict[str, str] = {}
    pending = list(trials)
    while pending:
        blocked = []
        for trial in pending:
            try:
                failure = work.carry_out(trial)
            except StageLockedError:
                blocked.append(trial)
                continue
            if failure is not None:
                failed[trial.name] = failure
            finished(trial, failure)
        if len(blocked) == len(pending):
            work.wait()
        pending = blocked
    return failed


POLL_SECONDS = 0.2
"""Time between two looks for a stage that no other process is making."""


class _Work:
    """The missing stages of trials, and the failures so far by stage."""

    def __init__(
        self, trials: Sequence[Trial], store: Store, report: Callable[[Progress], None], log: Callable[[str], None]
    ) -> None:
        self.store, self.report, self.log = store, report, log
        self.missing = {item.stage.key: item.stage for item in planned(trials, store) if not item.stored}
        self.total, self.seen = len(self.missing), dict(EXPECTED_SECONDS)
        self.broken: dict[str, str] = {}
        self.told_to_wait = False

    def carry_out(self, trial: Trial) -> str | None:
        """Make the missing stages of a trial; return its failure in one line, or None.

        Raises StageLockedError where another process is making one.
        """
        for stage in trial.stages:
            if stage.key in self.broken:
                return self.broken[stage.key]
            if self.store.has(stage):
                self.missing.pop(stage.key, None)
                continue
            if self.store.is_locked(stage):
                raise StageLockedError(stage.label)
            self.told_to_wait = False
            self._tell(f"{trial.name}: {stage.label}")
            try:
                repeat_if_damaged(self.store, ancestors(stage), partial(self.store.ensure, stage, wait=False))
            except StageLockedError:
                raise
            except Exception as error:  # any error: the other trials go on
                self.missing.pop(stage.key, None)
                self.log("".join(traceback.format_exception(error)))
                self.broken[stage.key] = _one_line(stage, error)
                return self.broken[stage.key]
            self.missing.pop(stage.key, None)
            self.seen[stage.effort] = self.store.cost(stage)["seconds"]
        return None

    def wait(self) -> None:
        """Wait a moment for the other processes, without which nothing can be done."""
        if not self.told_to_wait:
            self._tell("wait for a stage that another process is making")
            self.told_to_wait = True
        time.sleep(POLL_SECONDS)

    def _tell(self, label: str) -> None:
        left = sum(self.seen.get(stage.effort, 0.5) for stage in self.missing.values())
        self.report(Progress(self.total - len(self.missing), self.total, label, left))


def make(stage: Stage, store: Store, report: Callable[[str], None], read: Callable[[Path], T]) -> T:
    """Return what ``read`` reads from the artifact of a stage, which is made with its inputs where it is missing.

    ``report`` is called with the label of each stage before it runs.
    """
    needed = ancestors(stage)

    def work() -> T:
        for one in needed:
            if not store.has(one):
                report(one.label)
                store.ensure(one)
        return read(store.path(stage))

    return repeat_if_damaged(store, needed, work)


def _one_line(stage: Stage, error: Exception) -> str:
    """Return the label and the error in one line; unexpected errors with their type, such as ``KeyError: 'train'``."""
    text = (str(error).strip().splitlines() or [""])[0]
    if not isinstance(error, InputError | TrainingError | PartError):
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return f"{stage.label}: {text}"
