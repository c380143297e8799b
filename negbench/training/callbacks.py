"""Trainer callbacks between optimizer steps: record metrics, evaluate on dev, update the EMA, replace rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import TrainerCallback

from negbench.training.average import EMA
from negbench.training.data import Collator, Instances
from negbench.training.hooks import Curves, DevEvaluation, Points, RefreshHook
from negbench.training.used_tokens import whole_tables
from negbench.types import Int64

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class RecordMetrics(TrainerCallback):
    """Records loss, gradient norm and learning rate of each step, and stops at a non-finite loss or norm.

    A gradient whose norm is infinite is clipped to 0: no step would move a weight, and nobody would know.
    """

    def __init__(self, curves: Curves) -> None:
        self.curves = curves

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        for name in ("loss", "grad_norm", "learning_rate"):
            if logs and name in logs:
                self.curves.setdefault(name, []).append((state.global_step, float(logs[name])))
        if logs and not all(np.isfinite(float(logs.get(name, 0.0))) for name in ("loss", "grad_norm")):
            control.should_training_stop = True


class EvaluateOnDev(TrainerCallback):
    """Evaluates the current model at ``watch.points`` evenly spaced steps of ``steps``."""

    def __init__(self, watch: DevEvaluation, steps: int, model: SentenceTransformer, curves: Curves) -> None:
        self.watch, self.model, self.curves = watch, model, curves
        self.due = set(np.linspace(0, steps, watch.points).round().astype(int).tolist())

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.on_step_end(args, state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step in self.due:
            with whole_tables(self.model):
                value = self.watch.measure(self.model)
            self.curves.setdefault(self.watch.name, []).append((state.global_step, value))


class UpdateEMA(TrainerCallback):
    """Updates the moving average of the encoder after each optimizer step."""

    def __init__(self, average: EMA) -> None:
        self.average = average

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.average.follow()


class RefreshCallback(TrainerCallback):
    """Replaces the collator's rows by those of ``hook``, which runs in the first process alone.

    ``take`` gives all processes the rows of a number that the hook makes, and the points of curves.
    """

    def __init__(
        self,
        hook: RefreshHook,
        batches: Sequence[Int64],
        take: Callable[[int], tuple[Instances, Points]],
        model: SentenceTransformer,
        collator: Collator,
        curves: Curves,
    ) -> None:
        self.hook, self.batches, self.take = hook, batches, take
        self.model, self.collator, self.curves = model, collator, curves
        self.numbers = {step: number for number, step in enumerate(hook.steps, start=1)}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Replace the rows of the first step, where step 0 is among the hook's."""
        self.on_step_end(args, state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Request the rows that are used ``lag`` steps from now, and take those that are used from now on."""
        step = state.global_step
        if number := self.numbers.get(step + self.hook.lag):
            self.hook.request(self.model, number, self.collator.data.queries[self.batches[step]])
        if number := self.numbers.get(step):
            rows, points = self.take(number)
            self.collator.renew(rows)
            for name, value in points.items():
                self.curves.setdefault(name, []).append((step, value))
