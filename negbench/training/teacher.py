"""Train one copy of a cross-fitted teacher."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench import rng
from negbench.collections.splits import normalised
from negbench.encoders.attention import fast_attention
from negbench.encoders.precision import Precision
from negbench.errors import InputError
from negbench.teachers.checkpoint import require_finite
from negbench.teachers.trained import LabelledPairs, Recipe, TrainedTeacher
from negbench.training.loop import preserved_random_state, set_dropout
from negbench.types import CandidatePool, Collection, Int64

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from torch import nn


def fold_of(queries: list[str], folds: int) -> Int64:
    """Return the fold [Q] of each query text; equal texts, letter case and white space apart, share a fold."""
    twins = rng.keys([normalised(text) for text in queries])
    return (rng.CounterRNG(0, "folds").bits(twins) % np.uint64(folds)).astype(np.int64)


def training_pairs(
    teacher: TrainedTeacher, pool: CandidatePool, members: Int64, seed: int
) -> list[tuple[int, int, float]]:
    """Return (query position in the pool, document row, label) for the queries at ``members``.

    Each labelled positive, or ``teacher.positives`` of a query's, comes with ``teacher.negatives`` candidates drawn at
    random, without repeats a query while they last.
    """
    source = rng.CounterRNG(seed, "teacher negatives")
    available = pool.available()
    available[:, teacher.depth :] = False
    pairs: list[tuple[int, int, float]] = []
    for query in members.tolist():
        positives = pool.positives[query][pool.positives[query] >= 0]
        if teacher.positives is not None:
            chosen = source.order(positives.astype(np.uint64) ^ pool.query_keys[query])[: teacher.positives]
            positives = positives[np.sort(chosen)]
        ranks = np.flatnonzero(available[query])
        order = ranks[source.order(pool.document_keys[query, ranks] ^ pool.query_keys[query])]
        negatives = pool.documents[query, order[: teacher.negatives * len(positives)]]
        pairs += [(query, int(row), 1.0) for row in positives]
        pairs += [(query, int(row), 0.0) for row in negatives]
    return pairs


def train_fold(
    teacher: TrainedTeacher,
    pool: CandidatePool,
    collection: Collection,
    fold: int,
    seed: int,
    precision: Precision,
    out: Path,
    scratch: Path,
) -> dict[str, float]:
    """Train the copy that will score ``fold`` on the queries of all other folds; save it to ``out``.

    Returns the cost: steps, pairs read, and what else the teacher counts. Raises InputError where there is no query to
    train on, and where training leaves weights that are not finite.
    """
    import torch
    from datasets import Dataset
    from sentence_transformers import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from transformers.trainer_callback import PrinterCallback

    class Quiet(CrossEncoderTrainer):
        """A trainer that writes no model card."""

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """Do nothing, in place of adding a callback."""

    texts = [collection.queries[row] for row in pool.queries]
    members = np.flatnonzero(fold_of(texts, teacher.folds) != fold)
    pairs = training_pairs(teacher, pool, members, seed)
    if not pairs:
        raise InputError(
            f"teacher {teacher.spelling}: all {len(texts)} training queries fall into fold {fold + 1}, none is left to "
            "train its copy; give more training queries, other folds, or a given cross-encoder"
        )
    data = LabelledPairs(
        pairs=pairs,
        queries=texts,
        passages=collection.passages(),
        titles=collection.titles,
        pool=pool,
        seed=seed,
    )
    on_cpu = not torch.cuda.is_available()
    cost: Counter[str] = Counter()
    with preserved_random_state(seed):

        def fit(
            model: CrossEncoder, columns: dict[str, list[Any]], loss: nn.Module, recipe: Recipe, pairs_read: int
        ) -> None:
            set_dropout(loss, 0.0)
            arguments = CrossEncoderTrainingArguments(
                output_dir=str(scratch),
                num_train_epochs=recipe.epochs,
                per_device_train_batch_size=recipe.batch_size,
                learning_rate=recipe.learning_rate,
                warmup_steps=0.1,
                bf16=precision == "bfloat16",
                use_cpu=on_cpu,
                seed=seed,
                dataloader_pin_memory=not on_cpu,
                logging_strategy="no",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            )
            arguments._n_gpu = min(arguments.n_gpu, 1)  # on several, batches would grow, and DataParallel cut up pairs
            rows = Dataset.from_dict(columns)
            trainer = Quiet(model=model, args=arguments, train_dataset=rows, loss=loss)
            trainer.remove_callback(PrinterCallback)
            with fast_attention(loss, precision == "bfloat16"):
                trainer.train()
            require_finite(
                model, f"teacher {teacher.spelling}: trained at learning_rate={recipe.learning_rate:g}, lower it"
            )
            cost.update(steps=trainer.state.global_step, pairs_read=pairs_read * recipe.epochs)

        cost.update(teacher.learn(data, fit, precision, out))
    return {name: float(value) for name, value in cost.items()}
