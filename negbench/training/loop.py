"""The one training loop: sentence-transformers' trainer over row numbers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.encoders.attention import fast_attention
from negbench.encoders.checkpoint import not_finite
from negbench.encoders.dropout import fast_dropout
from negbench.encoders.encode import restore_forward
from negbench.encoders.load import load
from negbench.encoders.precision import resolve
from negbench.encoders.tokens import CHUNK_TOKENS, lower_limits
from negbench.errors import InputError
from negbench.losses import Loss
from negbench.refresh import Refresh
from negbench.training.batches import epoch_batches
from negbench.training.data import Collator, Instances
from negbench.training.recipe import Recipe
from negbench.types import Collection, Float32, Int32, Int64, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from negbench.training.processes import Together

Curves = dict[str, list[tuple[int, float]]]
"""Points by name: after how many optimizer steps, and the value."""

CACHED_TOKENS = 8192
"""As ``CHUNK_TOKENS``, with gradient caching, whose memory is that of one piece: so many still keep a GPU busy."""


@dataclass(frozen=True)
class Watch:
    """What is measured while a training runs: a curve's name, its number of points, and what gives a value.

    The first point is the start, the last the end.
    """

    name: str
    points: int
    measure: Callable[[SentenceTransformer], float]


@dataclass(frozen=True)
class Renewal:
    """Training rows that are made again on the way: after which optimizer steps, and by what.

    ``ask`` gets the model as it stands, the number of the renewal, from 1 on, and the query rows of the batch that
    comes next; ``take``, ``refresh.behind`` steps later, the number. It returns what takes the place of all rows, with
    the same queries in the same order, and a point each of curves of its own. ``seen``, where it is there, gets the
    documents of every batch, rows int32 [D] of the collection, and their vectors float32 [D, d] as the step had them.
    """

    refresh: Refresh
    ask: Callable[[SentenceTransformer, int, Int32], None]
    take: Callable[[int], tuple[Instances, dict[str, float]]]
    seen: Callable[[Int32, Float32], None] | None = None


class TrainingError(RuntimeError):
    """The loss or the weights left the real numbers; the message says at which step."""


def train(
    model: SentenceTransformer,
    data: Instances,
    collection: Collection,
    loss: Loss,
    recipe: Recipe,
    seed: int,
    scratch: Path,
    watch: Watch | None = None,
    batching: Batching | None = None,
    clusters: Int32 | None = None,
    renewal: Renewal | None = None,
    part: tuple[float, float] | None = None,
    documents: Vectors | None = None,
) -> tuple[Curves, dict[str, float]]:
    """Train ``model`` in place; return curves by optimizer step, and the cost (steps, texts and tokens read).

    ``watch`` adds curves of its own. ``batching`` puts rows into batches, at random where it is None; ``clusters``
    [R of an epoch] is what it may want to know. ``renewal`` changes the rows between two optimizer steps, and nothing
    else: neither their batches, nor the model, the optimizer or any random state. ``part``: as in ``all_batches``.
    ``documents`` [N, d]: vectors of the corpus, where queries alone are trained.

    Batches follow from ``seed`` alone, and global random states are left as they were. ``scratch`` is a folder that
    the trainer may write to. Raises TrainingError where the loss, or a weight after the last step,
    becomes NaN or infinite.

    With several ``recipe.processes`` this one is the first: ``watch`` and ``renewal`` are called here alone, and what
    ``renewal`` gives is handed on. The others are told the rest, which must be picklable, and start from ``model``.
    """
    from negbench.training.processes import started

    batches = all_batches(data, recipe, seed, batching, clusters, part)
    ends = epoch_ends(batches)
    if part is not None:  # it may begin and end within epochs, which the trainer takes to be of one length
        batches = [[batch for epoch in batches for batch in epoch]]

    if not len(data.queries):
        raise TrainingError("the training split has no labelled pair")
    if not any(value.requires_grad for value in model.parameters()):
        raise TrainingError("the encoder has no weights that are trained")
    due = renewal.refresh.due(ends) if renewal else []
    restore_forward(model)
    settled = batches, due, chunk_tokens(recipe), scratch.absolute(), documents
    work = _Work(data, collection, loss, recipe, seed, *settled)
    if recipe.processes > 1:
        model.save_pretrained(str(work.start), create_model_card=False)
    with started(recipe.processes, scratch, _help, work) as together:
        curves, cost = _fit(model, work, together, watch, renewal)
    step, last = curves["loss"][-1]
    if not np.isfinite(last):
        raise TrainingError(f"the loss is {last} at step {step}; lower the learning rate")
    if broken := not_finite(model):
        raise TrainingError(f"after step {step} {broken}; lower the learning rate")
    return curves, cost


@dataclass(frozen=True)
class _Work:
    """What every process of a training is told; ``due``: the steps after which rows change."""

    data: Instances
    collection: Collection
    loss: Loss
    recipe: Recipe
    seed: int
    batches: Sequence[Sequence[Int64]]
    due: Sequence[int]
    chunk_tokens: int
    scratch: Path
    documents: Vectors | None

    @property
    def start(self) -> Path:
        """Where the encoder lies that they all start from."""
        return self.scratch / "start"


def _help(together: Together, work: _Work) -> None:
    _fit(load(work.start), work, together)


def _fit(
    model: SentenceTransformer,
    work: _Work,
    together: Together,
    watch: Watch | None = None,
    renewal: Renewal | None = None,
) -> tuple[Curves, dict[str, float]]:
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback

    from negbench.training.callbacks import Following, Keeping, Renewing, Watching
    from negbench.training.objective import Objective
    from negbench.training.trainer import RowTrainer, arguments

    recipe, seed = work.recipe, together.seed(work.seed)
    lower_limits(model, recipe.max_length)
    if recipe.dropout is not None:
        set_dropout(model, recipe.dropout)
    collator = Collator(work.data, work.collection, model, work.chunk_tokens, together.size, work.documents)
    curves: Curves = {}
    callbacks: list[Any] = [Keeping(curves)]
    if watch is not None:
        callbacks.append(Watching(watch, sum(map(len, work.batches)), model, curves))
    if work.due:
        callbacks.append(Renewing(renewal, work.due, work.batches, together, model, collator, curves))
    bfloat16 = resolve(recipe.precision) == "bfloat16"
    objective = Objective(model, work.loss, recipe.gradient_cache, together, renewal.seen if renewal else None)
    if objective.average is not None:
        callbacks.append(Following(objective.average))
    with preserved_random_state(seed), fast_attention(model, bfloat16), fast_dropout(model):
        trainer = RowTrainer(
            collator,
            work.batches,
            together,
            bool(work.due),
            model=model,
            args=arguments(recipe, seed, len(work.batches), work.scratch),
            train_dataset=Dataset.from_dict({"row": list(range(len(work.data.queries)))}),
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


def chunk_tokens(recipe: Recipe) -> int:
    """Return how many tokens, padding included, go through the encoder in one piece."""
    import torch

    most = CHUNK_TOKENS["cuda" if torch.cuda.is_available() else "cpu"]
    return min(most, CACHED_TOKENS) if recipe.gradient_cache else most


def epoch_ends(batches: Sequence[Sequence[Int64]]) -> list[int]:
    """Return how many optimizer steps are done at the end of each epoch."""
    return [int(end) for end in np.cumsum([len(epoch) for epoch in batches])]


def all_batches(
    data: Instances,
    recipe: Recipe,
    seed: int,
    batching: Batching | None = None,
    clusters: Int32 | None = None,
    part: tuple[float, float] | None = None,
) -> list[list[Int64]]:
    """Return the batches of a training by epoch, as row numbers of ``data``, in order.

    ``part``: only those that lie between two shares of it, (0.2, 0.5) say, and only epochs that have some. Raises
    InputError where there is none.
    """
    rows = len(data.keys)
    epochs = [
        [
            epoch * rows + batch
            for batch in epoch_batches(
                data.queries[:rows],
                data.keys,
                recipe.batch_size,
                seed,
                epoch,
                recipe.positives,
                batching or Random(),
                clusters,
            )
        ]
        for epoch in range(recipe.epochs)
    ]
    return epochs if part is None else _between(epochs, *part)


def _between(epochs: list[list[Int64]], low: float, high: float) -> list[list[Int64]]:
    steps = sum(map(len, epochs))
    taken = range(round(low * steps), round(high * steps))
    if not taken:
        raise InputError(
            f"no step lies between {low:g} and {high:g} of a training of {steps} steps; train for more epochs, in "
            "smaller batches or in fewer stages"
        )
    step = itertools.count()
    cut = [[batch for batch in epoch if next(step) in taken] for epoch in epochs]
    return [epoch for epoch in cut if epoch]


def set_dropout(model: Any, share: float) -> None:
    """Set every dropout layer of ``model`` to ``share``."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


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
