"""sentence-transformers' trainer, made to train on rows by their numbers, in batches that are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """A trainer that takes its batches [epochs][steps] of row numbers as they are, and puts them together late.

    It writes no model card, whose examples take seconds a trial. Gradients are summed over the processes that train
    ``together``, before they are clipped.
    """

    def __init__(
        self, collator: Collator, batches: Sequence[Sequence[Int64]], together: Together, **named: Any
    ) -> None:
        self.collator = collator
        self.batches = batches
        self.together = together
        super().__init__(data_collator=RowsAlone(), **named)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add none."""

    def get_batch_sampler(self, dataset: Dataset, *rest: Any, **named: Any) -> Batches:
        """Return the batches."""
        return Batches(self.batches, dataset, *rest, **named)

    def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> torch.Tensor:
        """Look the rows up only now: the dataloader reads ahead, across the step after which they change."""
        found: torch.Tensor = super().training_step(model, self.collator(inputs["features"]), *rest, **named)
        self.together.sum_gradients(model)
        return found


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
        disable_tqdm=True,
    )
    found._n_gpu = min(found.n_gpu, 1)  # of several it would cut every chunk up among all, by DataParallel
    return found
