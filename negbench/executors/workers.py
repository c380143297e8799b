"""Stages in several processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from dataclasses import astuple
from typing import IO

from negbench.executors import Job, Outcome, asked_threads
from negbench.store import Stage

ATTEMPTS = 2
"""How often a stage is begun whose worker dies: it may have been killed for another's memory."""


def threads_each(workers: int) -> int:
    """Return the threads of a worker: OMP_NUM_THREADS, else the processors shared evenly.

    The number changes sums in their last bits; a stage's record says with how many threads it was made.
    """
    return asked_threads() or max(1, (os.cpu_count() or 1) // workers)


class Workers:
    """Makes as many stages at a time as it has worker processes. A worker that dies is replaced by a new one."""

    def __init__(self, job: Job, workers: int) -> None:
        self.slots = workers
        self._job, self._threads = job, threads_each(workers)
        self._selector = selectors.DefaultSelector()
        self._idle: list[subprocess.Popen[str]] = []
        self._busy: dict[subprocess.Popen[str], Stage] = {}
        self._begun: dict[str, int] = {}

    def start(self, stage: Stage) -> None:
        """Send a stage to a worker, a new one where all are busy."""
        worker = self._idle.pop() if self._idle else self._new()
        self._busy[worker] = stage
        self._begun[stage.key] = self._begun.get(stage.key, 0) + 1
        assert worker.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died, which ``wait`` finds
            worker.stdin.write(f"{stage.key}\n")
            worker.stdin.flush()

    def wait(self) -> Outcome:
        """Return how the next stage ended; a stage whose worker dies is begun once more."""
        while True:
            for found, _ in self._selector.select():
                worker: subprocess.Popen[str] = found.data
                if worker not in self._busy:
                    continue
                line = _read(found.fileobj)
                stage = self._busy.pop(worker)
                if line:
                    self._idle.append(worker)
                    return Outcome(**json.loads(line))
                code = self._bury(worker)
                if self._begun[stage.key] >= ATTEMPTS:
                    how = f"signal {-code}" if code < 0 else f"exit code {code}"
                    return Outcome(
                        stage.key, f"{stage.label}: its worker died {ATTEMPTS} times, the last time by {how}"
                    )
                self.start(stage)

    def close(self) -> None:
        """End all workers, whatever they are at."""
        for worker in [*self._idle, *self._busy]:
            self._bury(worker)
        self._idle, self._busy = [], {}
        self._selector.close()

    def _new(self) -> subprocess.Popen[str]:
        job = self._job
        worker = subprocess.Popen(
            [sys.executable, "-m", "negbench.executors.worker", *astuple(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": str(self._threads)},
        )
        assert worker.stdout is not None
        self._selector.register(worker.stdout, selectors.EVENT_READ, worker)
        return worker

    def _bury(self, worker: subprocess.Popen[str]) -> int:
        """Kill a worker, unless it has died; return its exit code."""
        assert worker.stdin is not None
        assert worker.stdout is not None
        self._selector.unregister(worker.stdout)
        worker.kill()
        for stream in (worker.stdin, worker.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        return worker.wait()


def _read(stream: object) -> str:
    """Return an answer, empty where the worker has ended; it comes in one piece."""
    readable: IO[str] = stream  # type: ignore[assignment]
    return readable.readline()
