"""What happens between two optimizer steps: values are kept, quality is measured, rows are made again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import TrainerCallback

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from negbench.training.average import Average
    from negbench.training.data import Collator, Instances
    from negbench.training.loop import Curves, Renewal, Watch
    from negbench.training.processes import Together
    from negbench.types import Int64


class Keeping(TrainerCallback):
    """Keeps what the trainer logs at each step, and stops at a loss that is no number."""

    def __init__(self, curves: Curves) -> None:
        self.curves = curves

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Keep it."""
        for name in ("loss", "grad_norm", "learning_rate"):
            if logs and name in logs:
                self.curves.setdefault(name, []).append((state.global_step, float(logs[name])))
        if logs and "loss" in logs and not np.isfinite(float(logs["loss"])):
            control.should_training_stop = True


class Watching(TrainerCallback):
    """Measures the model as it stands, as often as ``watch`` says over so many ``steps``."""

    def __init__(self, watch: Watch, steps: int, model: SentenceTransformer, curves: Curves) -> None:
        self.watch, self.model, self.curves = watch, model, curves
        self.due = set(np.linspace(0, steps, watch.points).round().astype(int).tolist())

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure the start."""
        self.on_step_end(args, state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure where it is due."""
        if state.global_step in self.due:
            found = self.watch.measure(self.model)
            self.curves.setdefault(self.watch.name, []).append((state.global_step, found))


class Following(TrainerCallback):
    """Lets an average of the encoder follow after each optimizer step."""

    def __init__(self, average: Average) -> None:
        self.average = average

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Follow."""
        self.average.follow()


class Renewing(TrainerCallback):
    """Changes the collator's rows after the steps that are ``due``; the first process makes them for all."""

    def __init__(
        self,
        renewal: Renewal | None,
        due: Sequence[int],
        batches: Sequence[Sequence[Int64]],
        together: Together,
        model: SentenceTransformer,
        collator: Collator,
        curves: Curves,
    ) -> None:
        self.renewal, self.together = renewal, together
        self.model, self.collator, self.curves = model, collator, curves
        self.numbers = {step: number for number, step in enumerate(due, start=1)}
        self.batches = [batch for epoch in batches for batch in epoch]

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Change the rows of the very first step, where that is due."""
        self.on_step_end(args, state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for what is due, now or after a lag, and change the rows where it is due now."""
        step = state.global_step
        if self.renewal is not None and (number := self.numbers.get(step + self.renewal.refresh.behind)):
            self.renewal.ask(self.model, number, self.collator.data.queries[self.batches[step]])
        if number := self.numbers.get(step):
            rows, points = self.together.from_first(lambda: self._taken(number))
            self.collator.renew(rows)
            for name, value in points.items():
                self.curves.setdefault(name, []).append((step, value))

    def _taken(self, number: int) -> tuple[Instances, dict[str, float]]:
        assert self.renewal is not None, "only the first process makes rows"
        return self.renewal.take(number)
