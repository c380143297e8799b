"""The one training loop: sentence-transformers' trainer over row numbers."""

from __future__ import annotations

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
from negbench.encoders.dropout import fast_dropout
from negbench.encoders.encode import restore_forward
from negbench.encoders.precision import resolve
from negbench.encoders.tokens import CHUNK_TOKENS
from negbench.losses import Loss, Scored
from negbench.refresh import Refresh
from negbench.training.batches import epoch_batches
from negbench.training.data import Collator, Instances
from negbench.training.recipe import Recipe
from negbench.types import Collection, Int32, Int64

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


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

    ``rows`` gets the model as it stands and the number of the renewal, from 1 on. It returns what takes the place of
    all rows, with the same queries in the same order, and a point each of curves of its own.
    """

    refresh: Refresh
    rows: Callable[[SentenceTransformer, int], tuple[Instances, dict[str, float]]]


class TrainingError(RuntimeError):
    """The loss left the real numbers; the message says at which step."""


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
) -> tuple[dict[str, list[tuple[int, float]]], dict[str, float]]:
    """Train ``model`` in place; return curves by optimizer step, and the cost (steps, texts and tokens read).

    ``watch`` adds curves of its own. ``batching`` puts rows into batches, at random where it is None; ``clusters``
    [R of an epoch] is what it may want to know. ``renewal`` changes the rows between two optimizer steps, and nothing
    else: neither their batches, nor the model, the optimizer or any random state.

    Batches follow from ``seed`` alone, and global random states are left as they were. ``scratch`` is a folder that
    the trainer may write to. Raises TrainingError where the loss becomes NaN or infinite.
    """
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from transformers import TrainerCallback
    from transformers.trainer_callback import PrinterCallback

    batches = all_batches(data, recipe, seed, batching, clusters)

    class Quiet(SentenceTransformerTrainer):
        """A trainer that writes no model card, whose examples take seconds a trial, and puts batches together late."""

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """Add none."""

        def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> torch.Tensor:
            """Look the rows up only now: the dataloader reads ahead, across the step after which they change."""
            found: torch.Tensor = super().training_step(model, collator(inputs["features"]), *rest, **named)
            return found

    class Batches(DefaultBatchSampler):
        """The batches of ``all_batches``."""

        def __iter__(self) -> Iterator[list[int]]:
            for batch in batches[self.epoch]:
                yield batch.tolist()

        def __len__(self) -> int:
            return len(batches[0])

    class Objective(torch.nn.Module):
        """Scores every query against every document of the batch and applies the loss.

        The texts come in chunks of like length, whose embeddings are put together before they are scored: the same
        loss as in one piece, with less padding.
        """

        def __init__(self, model: SentenceTransformer) -> None:
            super().__init__()
            self.model = model
            self.cosine = model.similarity_fn_name == "cosine"

        def forward(self, features: list[dict[str, Any]], labels: dict[str, Any]) -> torch.Tensor:
            chunks = [self.model(chunk)["sentence_embedding"].float() for chunk in features]
            of_queries = int(labels["query_chunks"])
            queries, documents = torch.cat(chunks[:of_queries]), torch.cat(chunks[of_queries:])
            if self.cosine:
                queries = torch.nn.functional.normalize(queries, dim=-1)
                documents = torch.nn.functional.normalize(documents, dim=-1)
            with torch.autocast(queries.device.type, enabled=False):
                scores = queries[labels["row_query"]] @ documents.T
                beside = documents[labels["target"]] @ documents.T
                marks = labels["target"], labels["relevant"], labels["own"]
                return loss.mean(Scored(scores, *marks, beside, labels.get("targets")), labels["weight"])

    curves: dict[str, list[tuple[int, float]]] = {}
    steps = sum(map(len, batches))
    measured = set(np.linspace(0, steps, watch.points).round().astype(int).tolist()) if watch else set()

    class Curves(TrainerCallback):
        """Keeps what the trainer logs at each step, and stops at a loss that is no number."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.on_step_end(args, state, control)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if watch and state.global_step in measured:
                curves.setdefault(watch.name, []).append((state.global_step, watch.measure(model)))

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            for name in ("loss", "grad_norm", "learning_rate"):
                if logs and name in logs:
                    curves.setdefault(name, []).append((state.global_step, float(logs[name])))
            if logs and "loss" in logs and not np.isfinite(float(logs["loss"])):
                raise TrainingError(f"the loss is {logs['loss']} at step {state.global_step}; lower the learning rate")

    class Renewing(TrainerCallback):
        """Changes the rows."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if renewal and state.global_step in renewed:
                rows, points = renewal.rows(model, renewed.index(state.global_step) + 1)
                collator.renew(rows)
                for name, value in points.items():
                    curves.setdefault(name, []).append((state.global_step, value))

    if not len(data.queries):
        raise TrainingError("the training split has no labelled pair")
    renewed = renewal.refresh.due(epoch_ends(batches)) if renewal else []
    restore_forward(model)
    model.max_seq_length = min(recipe.max_length, model.max_seq_length or recipe.max_length)
    if recipe.dropout is not None:
        set_dropout(model, recipe.dropout)
    on_cpu = not torch.cuda.is_available()
    collator = Collator(data, collection, model, CHUNK_TOKENS["cpu" if on_cpu else "cuda"])
    bfloat16 = resolve(recipe.precision) == "bfloat16"
    with preserved_random_state(seed), fast_attention(model, bfloat16), fast_dropout(model):
        trainer = Quiet(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=str(scratch),
                num_train_epochs=recipe.epochs,
                per_device_train_batch_size=recipe.batch_size,
                learning_rate=recipe.learning_rate,
                lr_scheduler_type="linear",
                warmup_steps=recipe.warmup,
                weight_decay=recipe.weight_decay,
                max_grad_norm=recipe.max_grad_norm,
                bf16=bfloat16,
                use_cpu=on_cpu,
                seed=seed,
                batch_sampler=Batches,
                remove_unused_columns=False,
                dataloader_pin_memory=not on_cpu,
                logging_steps=1,
                logging_nan_inf_filter=False,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_dict({"row": list(range(len(data.queries)))}),
            data_collator=RowsAlone(),
            loss=Objective(model),
            callbacks=[Curves(), Renewing()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    restore_forward(model)
    cost = {
        "steps": float(trainer.state.global_step),
        **{f"{name}_read": float(n) for name, n in collator.read.items()},
    }
    return curves, cost


class RowsAlone:
    """Hands on which rows a batch holds."""

    valid_label_columns: tuple[str, ...] = ()

    def __call__(self, features: list[dict[str, int]]) -> dict[str, Any]:
        """Return them as they are."""
        return {"features": features}


def epoch_ends(batches: Sequence[Sequence[Int64]]) -> list[int]:
    """Return how many optimizer steps are done at the end of each epoch."""
    return [int(end) for end in np.cumsum([len(epoch) for epoch in batches])]


def all_batches(
    data: Instances, recipe: Recipe, seed: int, batching: Batching | None = None, clusters: Int32 | None = None
) -> list[list[Int64]]:
    """Return the batches of a training by epoch, as row numbers of ``data``, in order."""
    rows = len(data.keys)
    return [
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
