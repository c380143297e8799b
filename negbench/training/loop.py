"""The one training loop: sentence-transformers' trainer over row numbers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench.encoders.attention import fast_attention
from negbench.encoders.checkpoint import not_finite
from negbench.encoders.dropout import fast_dropout
from negbench.encoders.encode import restore_forward
from negbench.encoders.load import load, save
from negbench.encoders.precision import resolve
from negbench.encoders.tokens import CHUNK_TOKENS, lower_limits
from negbench.errors import InputError
from negbench.requirements import PairTarget
from negbench.training import launched
from negbench.training.data import Collator, Instances
from negbench.training.hooks import Curves, DevEvaluation, Points, RefreshHook
from negbench.training.job import TrainingJob
from negbench.training.job_files import load_job, load_rows, save_job, save_rows
from negbench.training.lora import adapted
from negbench.training.memory import checkpointed, narrow_weights
from negbench.training.projection import projection
from negbench.training.recipe import Recipe
from negbench.types import Int32

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from negbench.training.processes import ProcessGroup

CACHED_TOKENS = 8192
"""Tokens per chunk with gradient caching, whose memory is that of one chunk; enough to keep a GPU busy."""


class TrainingError(RuntimeError):
    """Non-finite loss, gradient or weights; the message says at which step."""


def train(
    model: SentenceTransformer,
    job: TrainingJob,
    scratch: Path,
    watch: DevEvaluation | None = None,
    hook: RefreshHook | None = None,
) -> tuple[Curves, dict[str, float]]:
    """Train ``model`` in place; return curves by optimizer step, and the cost (steps, texts and tokens read).

    ``watch`` adds a curve of its own. ``hook``, which has been entered, replaces rows between two optimizer steps, and
    nothing else: neither their batches, nor the model, the optimizer or any random state.

    Batches follow from the job's seed alone, and global random states are left as they were. ``scratch`` is a folder
    that the trainer may write to. Raises TrainingError where there is nothing to train, or where the loss, the norm of
    the gradient, or a weight after the last step, becomes NaN or infinite.

    With several ``recipe.processes`` this one is the first: ``watch`` and ``hook`` are called here alone. The others
    read the job, the ``model`` to start from, and the rows that ``hook`` gives, from ``scratch``. They are those that
    ``torchrun`` has started (``training.launched``), or children of this process.
    """
    if not job.batches:
        raise TrainingError("the training split has no labelled pair")
    if not any(value.requires_grad for value in model.parameters()):
        raise TrainingError("the encoder has no weights that are trained")
    restore_forward(model)
    scratch = scratch.absolute()
    if job.recipe.processes > 1:
        save(model, scratch / START)
        save_job(job, scratch / JOB)
        steps = [] if hook is None else list(map(int, hook.steps))
        (scratch / JOB / REFRESH_STEPS).write_text(json.dumps(steps))
    with launched.started(job.recipe.processes, scratch, help_with) as process_group:
        curves, cost = _fit(model, job, scratch, process_group, watch, hook)
    step, last = curves["loss"][-1]
    if not np.isfinite(last):
        raise TrainingError(f"the loss is {last} at step {step}; lower the learning rate")
    norm = curves.get("grad_norm", [(step, 0.0)])[-1][1]
    if not np.isfinite(norm):
        raise TrainingError(
            f"the norm of the gradient is {norm} at step {step}; lower the learning rate, or raise the temperature"
        )
    if broken := not_finite(model):
        raise TrainingError(f"after step {step} {broken}; lower the learning rate")
    return curves, cost


START, JOB = "start", "job"
"""The folders in ``scratch`` with the encoder that all processes start from, and the job."""

REFRESH_STEPS = "refresh_steps.json"
"""The file of a job with the steps after which rows are replaced."""


class _RowsOfTheFirst(RefreshHook):
    """Stands in for the first process's hook in the others, which get its rows."""

    def request(self, model: SentenceTransformer, number: int, upcoming: Int32) -> None:
        return

    def take(self, number: int) -> tuple[Instances, Points]:
        raise AssertionError("only the first process makes rows")


def help_with(process_group: ProcessGroup, scratch: Path) -> None:
    """Take part in the training that the first process has described in ``scratch``."""
    steps = json.loads((scratch / JOB / REFRESH_STEPS).read_text())
    job = load_job(scratch / JOB)
    _fit(load(scratch / START), job, scratch, process_group, hook=_RowsOfTheFirst(steps))


def _fit(
    model: SentenceTransformer,
    job: TrainingJob,
    scratch: Path,
    process_group: ProcessGroup,
    watch: DevEvaluation | None = None,
    hook: RefreshHook | None = None,
) -> tuple[Curves, dict[str, float]]:
    """Prepare the model as the recipe says, train it, and leave it with weights of its own in float32."""
    from negbench.training.used_tokens import only_used_tokens

    recipe = job.recipe
    lower_limits(model, recipe.max_length.by_side)
    if recipe.dropout is not None and not set_dropout(model, recipe.dropout) and recipe.dropout:
        raise InputError(f"train.dropout is {recipe.dropout:g}, but the encoder has no dropout; set it to 0")
    with (
        narrow_weights(model, recipe.dtype == "bfloat16"),
        adapted(model, recipe.lora, job.seed),
        checkpointed(model, recipe.gradient_checkpointing),
    ):
        limits, shares = recipe.max_length.by_side, process_group.size
        collator = Collator(job.data, job.collection, model, chunk_tokens(recipe), shares, job.documents, limits)
        # new rows read other tokens, and searches for them read all
        with only_used_tokens(model, None if _replaces_rows(hook) else collator.tokens, recipe):
            return _run(model, job, collator, scratch, process_group, watch, hook)


def _run(
    model: SentenceTransformer,
    job: TrainingJob,
    collator: Collator,
    scratch: Path,
    process_group: ProcessGroup,
    watch: DevEvaluation | None,
    hook: RefreshHook | None,
) -> tuple[Curves, dict[str, float]]:
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback

    from negbench.training.callbacks import EvaluateOnDev, RecordMetrics, RefreshCallback, UpdateEMA
    from negbench.training.objective import Objective
    from negbench.training.trainer import RowTrainer, training_arguments

    recipe, seed = job.recipe, process_group.seed(job.seed)
    # a range of steps may begin and end within epochs, and rows may be left out of some: the trainer takes epochs to be
    # of one length
    uneven = len({len(epoch) for epoch in job.epochs}) > 1
    epochs = [job.batches] if uneven or job.step_range is not None else job.epochs
    objective = Objective(
        model,
        job.loss,
        recipe.gradient_cache,
        process_group,
        hook.observe if hook else None,
        projection(model, collator),
    )
    curves: Curves = {}
    callbacks: list[Any] = [RecordMetrics(curves)]
    if watch is not None:
        callbacks.append(EvaluateOnDev(watch, len(job.batches), model, curves))
    if hook is not None:
        take = partial(_take, process_group, hook, job.loss.requires, scratch)
        callbacks.append(RefreshCallback(hook, job.batches, take, model, collator, curves))
    if objective.average is not None:
        callbacks.append(UpdateEMA(objective.average))
    bfloat16 = "bfloat16" in (resolve(recipe.precision), recipe.dtype)
    with preserved_random_state(seed), fast_attention(model, bfloat16), fast_dropout(model):
        trainer = RowTrainer(
            collator,
            epochs,
            process_group,
            _replaces_rows(hook),
            model=model,
            args=training_arguments(recipe, seed, len(epochs), scratch),
            train_dataset=Dataset.from_dict({"row": list(range(len(job.data.queries)))}),
            loss=objective,
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    restore_forward(model)
    cost = {
        "steps": float(trainer.state.global_step),
        **{f"{name}_read": float(n) for name, n in collator.read.items()},
    }
    return curves, cost


def _replaces_rows(hook: RefreshHook | None) -> bool:
    return hook is not None and len(hook.steps) > 0


def _take(
    process_group: ProcessGroup, hook: RefreshHook, requires: Sequence[PairTarget], scratch: Path, number: int
) -> tuple[Instances, Points]:
    """Return the rows of a number that the first process's hook gives, to all; its points to the first alone."""
    return process_group.from_first(
        make=lambda: hook.take(number),
        write=lambda made, folder: save_rows(made[0], folder),
        read=lambda folder: (load_rows(folder, requires), {}),
        folder=scratch / f"rows{number}",
    )


def chunk_tokens(recipe: Recipe) -> int:
    """Return how many tokens, padding included, go through the encoder in one chunk."""
    import torch

    most = CHUNK_TOKENS["cuda" if torch.cuda.is_available() else "cpu"]
    return min(most, CACHED_TOKENS) if recipe.gradient_cache else most


def set_dropout(model: Any, share: float) -> bool:
    """Set every dropout of ``model`` to ``share``; return whether it has any.

    Besides layers, that is the probability which an attention holds as a plain number, as ``attention_dropout``.
    """
    import torch

    changed = False
    for module in model.modules():
        names = [name for name, value in vars(module).items() if "dropout" in name and type(value) in (int, float)]
        for name in [*names, *(["p"] if isinstance(module, torch.nn.Dropout) else [])]:
            setattr(module, name, share)
            changed = True
    return changed


@contextmanager
def preserved_random_state(seed: int) -> Iterator[None]:
    """Seed torch, numpy and random for what is inside (dropout, new heads), and put their states back after."""
    import torch

    python, legacy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
