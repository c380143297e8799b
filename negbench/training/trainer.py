"""sentence-transformers' trainer, made to train on rows by their numbers, in batches that are given."""

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
    from negbench.training.processes import Together


class RowTrainer(SentenceTransformerTrainer):
    """A trainer that takes its batches [epochs][steps] of row numbers as they are.

    A thread puts the next batch together while a step is computed, unless rows ``change`` on the way: the batch of a
    step is then put together when its turn comes, which the dataloader, one batch ahead, would not do. It writes no
    model card, whose examples take seconds a trial. Gradients are summed over the processes that train ``together``,
    before they are clipped.
    """

    def __init__(
        self, collator: Collator, batches: Sequence[Sequence[Int64]], together: Together, change: bool, **named: Any
    ) -> None:
        self.collator = collator
        self.change = change
        self.prepared: Iterator[Any] = iter(())
        self.batches = batches
        self.together = together
        super().__init__(data_collator=RowsAlone(), **named)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add none."""

    def get_batch_sampler(self, dataset: Dataset, *rest: Any, **named: Any) -> Batches:
        """Return the batches."""
        return Batches(self.batches, dataset, *rest, **named)

    def train(self, *rest: Any, **named: Any) -> Any:
        """Train, with a thread beside it."""
        with ThreadPoolExecutor(1) as pool:
            batches = ([{"row": row} for row in batch.tolist()] for epoch in self.batches for batch in epoch)
            self.prepared = prefetched(pool, self.collator, batches)
            return super().train(*rest, **named)

    def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> torch.Tensor:
        """Compute the step of the rows in ``inputs``."""
        batch = self.collator(inputs["features"]) if self.change else next(self.prepared)
        found: torch.Tensor = super().training_step(model, batch, *rest, **named)
        self.together.sum_gradients(model)
        return found


def prefetched(pool: Executor, collate: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Any]:
    """Yield what ``collate`` makes of each of ``batches``, in order; the next is made meanwhile, in ``pool``."""
    current: Future[Any] | None = None
    for batch in batches:
        following = pool.submit(collate, batch)
        if current is not None:
            yield current.result()
        current = following
    if current is not None:
        yield current.result()


class Batches(DefaultBatchSampler):
    """Batches that are given, epoch by epoch."""

    def __init__(self, batches: Sequence[Sequence[Int64]], *rest: Any, **named: Any) -> None:
        super().__init__(*rest, **named)
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches[self.epoch]:
            yield batch.tolist()

    def __len__(self) -> int:
        return len(self.batches[0])


class RowsAlone:
    """Hands on which rows a batch holds."""

    valid_label_columns: tuple[str, ...] = ()

    def __call__(self, features: list[dict[str, int]]) -> dict[str, Any]:
        """Return them as they are."""
        return {"features": features}


def arguments(recipe: Recipe, seed: int, epochs: int, scratch: Path) -> Any:
    """Return what the trainer is told: the recipe, and to keep everything else to itself."""
    on_cpu = not torch.cuda.is_available()
    found = sentence_transformers.SentenceTransformerTrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=epochs,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
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
    found._n_gpu = min(found.n_gpu, 1)  # of several it would cut every chunk up among all, by DataParallel
    return found
