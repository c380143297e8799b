"""The order of the stages of a grid: each begins as soon as its inputs are there, those of earlier trials first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from negbench.executors import Executor, Outcome
from negbench.plan.graph import planned
from negbench.plan.trials import Trial
from negbench.runners.durations import Durations
from negbench.store import Stage, Store
from negbench.store.integrity import DamagedError

POLL_SECONDS = 0.2
"""Time between two looks for a stage that no other process is making."""


@dataclass(frozen=True)
class Standing:
    """A method at a point of the axes while the grid runs: the mean of its first measure over ``seeds`` trials."""

    method: str
    measure: str
    mean: float
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of a run: missing stages that are done and in total, what runs, and the estimated seconds left.

    ``label`` names all stages that run, ``running`` is how many they are, and ``begins`` the one that begins now; None
    where the label says it. ``seconds_left`` is None before anything was timed that an estimate can rest on.
    ``finished`` are the methods of which trials are done, with their seeds so far.
    """

    done: int
    total: int
    label: str
    seconds_left: float | None = None
    finished: Sequence[Standing] = ()
    running: int = 1
    begins: str | None = None

    @property
    def number(self) -> int:
        """The number of the stage that begins, from 1: each has its own, also where several run."""
        return self.done + self.running


def run(
    trials: Sequence[Trial],
    store: Store,
    open_executor: Callable[[], Executor],
    report: Callable[[Progress], None],
    finished: Callable[[Trial, str | None], None],
    log: Callable[[str], None],
    durations: Durations | None = None,
) -> dict[str, str]:
    """Run every missing stage of ``trials``; return one line for each failed trial, by its name.

    ``open_executor`` is called where something is missing. ``report`` is called when a stage begins, ``finished`` after
    each trial with its failure or None, ``log`` with the traceback of a failure. ``durations`` estimate the time that
    is left. A failed stage ends only the trials that need it. While another process makes a stage, this one goes on
    with others. With one slot, the stages run in the order of the trials.
    """
    work = _Schedule(trials, store, report, finished, log, durations or Durations())
    if not work.missing:
        return work.failed
    executor = open_executor()
    try:
        work.carry_out(executor)
    finally:
        executor.close()
    return work.failed


class _Schedule:
    """What is missing, what runs, and which trials wait for it."""

    def __init__(
        self,
        trials: Sequence[Trial],
        store: Store,
        report: Callable[[Progress], None],
        finished: Callable[[Trial, str | None], None],
        log: Callable[[str], None],
        durations: Durations,
    ) -> None:
        self._durations = durations
        self.store, self.report, self.finished, self.log = store, report, finished, log
        self.missing = {item.stage.key: item.stage for item in planned(trials, store) if not item.stored}
        """Stages to make, in the order of the trials, inputs first."""
        self.failed: dict[str, str] = {}
        self._total = len(self.missing)
        self._slots = 1
        self._parts: dict[str, tuple[Stage, ...]] = {}
        """The parts of each missing stage whose inputs are there."""
        self._running: dict[str, Stage] = {}
        self._locked: dict[str, None] = {}
        """Stages that another process was making at the last look."""
        self._names = {stage.key: trial.name for trial in reversed(trials) for stage in trial.stages}
        self._waiting = {
            trial.name: (trial, {stage.key for stage in trial.stages} & self.missing.keys()) for trial in trials
        }
        self._settle(None, None)

    def carry_out(self, executor: Executor) -> None:
        """Make the missing stages."""
        self._slots = executor.slots
        while self._waiting:
            while len(self._running) < executor.slots and (stage := self._next()) is not None:
                self._running[stage.key] = stage
                self._tell(" | ".join(map(self._called, self._running.values())), self._called(stage))
                executor.start(stage)
            if self._running:
                self._take(executor.wait())
            elif self._waiting:
                self._wait_for_others()

    def _next(self) -> Stage | None:
        """Return a stage that can begin; those that another process has made since are settled meanwhile."""
        for key, stage in list(self.missing.items()):
            if key in self._running or key in self._locked or any(it.key in self.missing for it in stage.inputs):
                continue
            if self.store.has(stage.part_of or stage) or self.store.has(stage):
                self._made(key)
                continue
            if key not in self._parts:
                self._take_apart(stage)
            parts = [part for part in self._parts[key] if part.key in self.missing]
            if not parts:
                if self._is_of_another(stage):
                    continue
                return stage
            for part in parts:
                if part.key not in self._running and not self._is_of_another(part):
                    return part
        return None

    def _is_of_another(self, stage: Stage) -> bool:
        """Tell whether another process was making a stage at the last look, or makes it now: it begins there alone."""
        if stage.key not in self._locked and self.store.is_locked(stage):
            self._locked[stage.key] = None
        return stage.key in self._locked

    def _take_apart(self, stage: Stage) -> None:
        """Put the parts of a stage before it, and let its trials wait for them."""
        parts = {it.key: it for it in stage.parts(self.store.path) if not self.store.has(it)}
        if parts and self.store.fetch(stage):  # then its parts are not needed
            parts = {}
        self._parts[stage.key] = tuple(parts.values())
        if not parts:
            return
        before: dict[str, Stage] = {}
        for key, one in self.missing.items():
            before |= {**parts, key: one} if one is stage else {key: one}
        self.missing = before
        self._total += len(parts)
        for _, needed in self._waiting.values():
            if stage.key in needed:
                needed.update(parts)
        self._names |= dict.fromkeys(parts, self._names[stage.key])

    def _take(self, outcome: Outcome) -> None:
        stage = self._running.pop(outcome.key)
        if outcome.locked:
            self._locked[outcome.key] = None
            return
        self._forget_unlocked()
        if outcome.failure is None:
            with suppress(DamagedError):  # a part that another process has put together and removed
                self._durations.timed(stage, self.store.cost(stage))
            self._made(outcome.key)
            return
        if outcome.traceback:
            self.log(outcome.traceback)
        self._settle(outcome.key, outcome.failure)

    def _made(self, key: str) -> None:
        self.missing.pop(key, None)
        self._settle(key, None)

    def _settle(self, key: str | None, failure: str | None) -> None:
        """Finish the trials that wait for nothing more, or whose stage ``key`` has failed."""
        for name, (trial, needed) in list(self._waiting.items()):
            if failure is not None and key in needed:
                self.failed[name] = failure
            elif failure is None:
                needed.discard(key or "")
            if name in self.failed or not needed:
                del self._waiting[name]
                self.finished(trial, self.failed.get(name))
        if failure is not None:
            wanted = {other for _, needed in self._waiting.values() for other in needed} | self._running.keys()
            self.missing = {other: stage for other, stage in self.missing.items() if other in wanted}

    def _wait_for_others(self) -> None:
        """Wait a moment for the other processes, without which nothing can be done."""
        self._tell("wait for a stage that another process is making")
        left = len(self._locked)
        while len(self._locked) == left:
            time.sleep(POLL_SECONDS)
            self._forget_unlocked()

    def _forget_unlocked(self) -> None:
        """Let those stages begin again that another process makes no longer, or whose inputs it was making."""
        self._locked = {
            key: None for key in self._locked if key in self.missing and self.store.is_locked(self.missing[key])
        }

    def _called(self, stage: Stage) -> str:
        return f"{self._names[stage.key]}: {stage.label}"

    def _tell(self, label: str, begins: str | None = None) -> None:
        whole = (stage for key, stage in self.missing.items() if not self._parts.get(key))
        left = sum(self._durations.of(stage) for stage in whole) / self._slots
        done = self._total - len(self.missing)
        seconds = left if self._durations.known else None
        running = max(1, len(self._running))
        self.report(
            Progress(done=done, total=self._total, label=label, seconds_left=seconds, running=running, begins=begins)
        )
