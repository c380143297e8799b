"""sentence-transformers' trainer over fixed batches of row numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sentence_transformers
import torch
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.sampler import DefaultBatchSampler

from negbench.encoders.precision import resolve
from negbench.training.recipe import Recipe
from negbench.types import Int64

if TYPE_CHECKING:
    from datasets import Dataset

    from negbench.training.data import Collator
    from negbench.training.processes import ProcessGroup


class RowTrainer(SentenceTransformerTrainer):
    """A trainer that takes its batches [epochs][steps] of row numbers as they are.

    A thread collates the next batch while a step is computed. Where rows ``change`` in training, a batch is collated
    at its own step instead, since the dataloader works one batch ahead. It writes no model card, whose examples take
    seconds a trial. Gradients are summed over the ``process_group`` before they are
    clipped.
    """

    def __init__(
        self,
        collator: Collator,
        batches: Sequence[Sequence[Int64]],
        process_group: ProcessGroup,
        change: bool,
        **named: Any,
    ) -> None:
        self.collator = collator
        self.change = change
        self.prepared: Iterator[Any] = iter(())
        self.batches = batches
        self.process_group = process_group
        super().__init__(data_collator=IdentityCollator(), **named)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Do nothing, in place of adding a callback."""

    def get_batch_sampler(self, dataset: Dataset, *rest: Any, **named: Any) -> FixedBatchSampler:
        return FixedBatchSampler(self.batches, dataset, *rest, **named)

    def train(self, *rest: Any, **named: Any) -> Any:
        """Train, while another thread puts the next batches together."""
        with ThreadPoolExecutor(1) as pool:
            batches = ([{"row": row} for row in batch.tolist()] for epoch in self.batches for batch in epoch)
            self.prepared = prefetched(pool, self.collator, batches)
            return super().train(*rest, **named)

    def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> torch.Tensor:
        """Compute loss and gradients of the rows in ``inputs``, summed over the processes."""
        batch = self.collator(inputs["features"]) if self.change else next(self.prepared)
        loss: torch.Tensor = super().training_step(model, batch, *rest, **named)
        self.process_group.sum_gradients(model)
        return loss


def prefetched(pool: Executor, collate: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Any]:
    """Yield ``collate`` of each of ``batches``, in order; the next one is computed ahead in ``pool``."""
    current: Future[Any] | None = None
    for batch in batches:
        following = pool.submit(collate, batch)
        if current is not None:
            yield current.result()
        current = following
    if current is not None:
        yield current.result()


class FixedBatchSampler(DefaultBatchSampler):
    """Fixed batches, epoch by epoch."""

    def __init__(self, batches: Sequence[Sequence[Int64]], *rest: Any, **named: Any) -> None:
        super().__init__(*rest, **named)
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches[self.epoch]:
            yield batch.tolist()

    def __len__(self) -> int:
        return len(self.batches[0])


class IdentityCollator:
    """Passes the row numbers of a batch through unchanged."""

    valid_label_columns: tuple[str, ...] = ()

    def __call__(self, features: list[dict[str, int]]) -> dict[str, Any]:
        """Return the row numbers under ``features``."""
        return {"features": features}


def training_arguments(recipe: Recipe, seed: int, epochs: int, scratch: Path) -> Any:
    """Return the trainer's arguments: the recipe, no checkpoints, no reports, no progress bar."""
    on_cpu = not torch.cuda.is_available()
    arguments = sentence_transformers.SentenceTransformerTrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=epochs,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        optim=recipe.optimizer,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        bf16=resolve(recipe.precision) == "bfloat16",
        use_cpu=on_cpu,
        seed=seed,
        remove_unused_columns=False,
        dataloader_pin_memory=not on_cpu,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        router_mapping={"query": "query", "document": "document"},  # a router wants one; the collator names the route
        disable_tqdm=True,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # of several it would cut every chunk up among all, by DataParallel
    return arguments
