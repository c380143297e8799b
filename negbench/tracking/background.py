"""Trials delivered to MLflow while the grid goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from negbench.tracking.delivery import Outcome, import_client, log_grid
from negbench.tracking.trial import TrialLog


class BackgroundDelivery:
    """Logs a grid's trials to MLflow in a thread, so that a slow server costs the grid no time.

    While a delivery is under way, only the latest request is kept: each has all finished trials. After a delivery that
    failed the store is left alone until ``finish``. The thread ends with the process.
    """

    def __init__(self, name: str, out: Path, deliver: Callable[..., Outcome] = log_grid) -> None:
        self.name, self.out, self.deliver = name, out, deliver
        self._requested: list[TrialLog] | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, trials: list[TrialLog]) -> None:
        """Let the thread log the finished ``trials`` when it has time; the grid is unfinished."""
        if not trials:
            return
        if self._thread is None:
            import_client()  # two threads that import at once may find half a module
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        with self._changed:
            self._requested = trials
            self._changed.notify()

    def finish(self, trials: Sequence[TrialLog], files: Sequence[Path]) -> Outcome:
        """Log what is missing, attach the grid's files, and return the outcome."""
        self.stop()
        return self.deliver(self.name, trials, self.out, artifacts=files)

    def stop(self) -> None:
        """Wait for the delivery that is under way, and begin no other."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._requested is not None)
                trials, self._requested = self._requested, None
            if self._ended or trials is None:
                return
            if self.deliver(self.name, trials, self.out, artifacts=None).missing:
                return
