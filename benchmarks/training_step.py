"""Training steps: sentence-transformers' trainer with its defaults, negbench's loop, and a bare loop of torch.

All train all-MiniLM-L6-v2 on the same rows of (query, positive), the other rows' positives as negatives, texts cut at
the same length. The bare loop has negbench's batches, tokens and kernels, and nothing else: what it is faster by is
what the trainer costs. Then negbench again with one of its measures taken away at a time.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
import torch

from benchmarks import compare
from negbench.encoders.attention import fast_attention
from negbench.encoders.load import build
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.losses.infonce import InfoNCE
from negbench.training import loop
from negbench.training.batches import all_batches
from negbench.training.data import Collator, Instances, instances
from negbench.training.job import TrainingJob
from negbench.training.recipe import Recipe
from negbench.types import Collection

PEER = "sentence-transformers: trainer, defaults"
OURS = "negbench"
BARE = "bare torch loop, negbench's tokens and kernels"


def first_rows(collection: Collection, count: int) -> Instances:
    """Return the first ``count`` training rows."""
    data = instances(collection, "train", None)
    return Instances(
        queries=data.queries[:count],
        positives=data.positives[:count],
        negatives=data.negatives[:count],
        weights=data.weights[:count],
        known=data.known,
        keys=data.keys[:count],
    )


def with_the_peer(start: Path, data: Instances, collection: Collection, recipe: Recipe) -> float:
    """Train as the documentation of sentence-transformers shows it; return the last loss."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    passages = collection.passages()
    model = SentenceTransformer(str(start))
    model.max_seq_length = recipe.max_length.document
    rows = {
        "anchor": [collection.queries[row] for row in data.queries],
        "positive": [passages[row] for row in data.positives],
    }
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=scratch,
                num_train_epochs=1,
                per_device_train_batch_size=recipe.batch_size,
                learning_rate=recipe.learning_rate,
                warmup_steps=recipe.warmup,
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),
            ),
            train_dataset=Dataset.from_dict(rows),
            loss=MultipleNegativesRankingLoss(model),
        )
        return float(trainer.train().training_loss)


def with_negbench(start: Path, data: Instances, collection: Collection, recipe: Recipe) -> float:
    """Train; return the mean loss."""
    from negbench.encoders.load import load

    with tempfile.TemporaryDirectory() as scratch:
        curves, _ = loop.train(
            load(start),
            TrainingJob(data=data, collection=collection, loss=InfoNCE(), recipe=recipe, seed=0),
            Path(scratch),
        )
    return float(np.mean([value for _, value in curves["loss"]]))


def with_a_bare_loop(start: Path, data: Instances, collection: Collection, recipe: Recipe) -> float:
    """Train with torch alone; return the mean loss."""
    from negbench.encoders.load import load

    model = load(start)
    model.max_seq_length = recipe.max_length.document
    loop.set_dropout(model, recipe.dropout or 0.0)
    device = model.device
    collate = Collator(data, collection, model, loop.CHUNK_TOKENS[device.type])
    batches = [batch for epoch in all_batches(data, recipe, 0) for batch in epoch]
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    warm = max(1, int(np.ceil(recipe.warmup * len(batches))))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(step / warm, (len(batches) - step) / max(1, len(batches) - warm))
    )
    narrow = resolve(recipe.precision) == "bfloat16"
    losses: list[float] = []
    model.train()
    with fast_attention(model, narrow):
        for rows in batches:
            batch = collate([{"row": int(row)} for row in rows])
            embeddings: dict[str, list[torch.Tensor]] = {"query": [], "document": []}
            with torch.autocast(device.type, torch.bfloat16, enabled=narrow):
                for name in [name for name in batch if name.endswith("_input_ids")]:
                    prefix = name.removesuffix("input_ids")
                    inputs = {
                        key.removeprefix(prefix): value.to(device) if isinstance(value, torch.Tensor) else value
                        for key, value in batch.items()
                        if key.startswith(prefix)
                    }
                    embeddings["query" if name.startswith("query") else "document"].append(
                        model(inputs)["sentence_embedding"].float()
                    )
            queries, documents = (
                torch.nn.functional.normalize(torch.cat(side), dim=-1) for side in embeddings.values()
            )
            label = {key: value.to(device) for key, value in batch["label"].items() if key != "targets"}
            others = label["known_mask"].scatter(1, label["positive_column"][:, None], False)
            scores = (queries[label["row_query"]] @ documents.T / 0.05).masked_fill(others, float("-inf"))
            loss = torch.nn.functional.cross_entropy(scores, label["positive_column"])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    return float(np.mean(losses))


def main() -> None:
    """Run the comparison."""
    args = compare.arguments(__doc__ or "", rounds=3)
    collection = compare.collection("helpdesk(articles=100, queries=30)" if args.small else args.collection)
    data = first_rows(collection, 4 if args.small else 96)
    recipe = Recipe(epochs=1, batch_size=2 if args.small else 32, max_length=16 if args.small else 256)
    spec = EncoderSpec(model="all-MiniLM-L6-v2", keep_layers=1 if args.small else None)
    with tempfile.TemporaryDirectory() as folder:
        build(spec, 0).save_pretrained(folder, create_model_card=False)
        work = Path(folder), data, collection
        collator = Collator(data, collection, build(spec, 0), 10**9)
        lengths = sorted(collator.tokens["document"].lengths.tolist())

        def without(*patches: Any, **changes: Any) -> float:
            for it in patches:
                it.start()
            try:
                return with_negbench(*work, recipe.model_copy(update=changes))
            finally:
                for it in patches:
                    it.stop()

        plain_attention = patch.object(loop, "fast_attention", lambda *_: nullcontext())
        plain_dropout = patch.object(loop, "fast_dropout", lambda *_: nullcontext())
        one_chunk = patch.object(loop, "CHUNK_TOKENS", {"cpu": 10**9, "cuda": 10**9})
        variants = {
            "negbench in float32": lambda: without(precision="float32"),
            "negbench with torch's attention": lambda: without(plain_attention),
            "negbench in one chunk": lambda: without(one_chunk),
            "negbench with dropout 0.1": lambda: without(dropout=0.1),
            "negbench with dropout 0.1, torch's masks": lambda: without(plain_dropout, plain_attention, dropout=0.1),
        }
        timed = compare.in_turn(
            {
                PEER: lambda: with_the_peer(*work, recipe),
                OURS: lambda: with_negbench(*work, recipe),
                BARE: lambda: with_a_bare_loop(*work, recipe),
                **variants,
            },
            1 if args.small else args.rounds,
            warm_up=False,
        )
    texts = len(np.unique(data.queries)) + len(data.positives)
    rate = {side: round(texts / float(np.median(seconds)), 2) for side, seconds in timed.seconds.items()}
    share = compare.ratio(timed.seconds[BARE], timed.seconds[OURS])
    compare.report(
        "training_step",
        "training steps of 32 rows, two texts a row, whole call",
        "at least 5x texts a second, and at least 90 % of a bare loop",
        timed,
        PEER,
        OURS,
        lambda found: found["median"] >= 5 and share["median"] >= 0.9,
        {
            "texts a second": rate,
            "negbench as a share of the bare loop": compare.spelled(share),
            "mean loss": {side: round(float(loss), 4) for side, loss in timed.returned.items()},
        },
        {
            "collection": collection.name,
            "encoder": spec.spelling,
            "rows": len(data.queries),
            "batch": recipe.batch_size,
            "max_length": recipe.max_length.document,
            "tokens a document": {"median": lengths[len(lengths) // 2], "shortest": lengths[0]},
        },
        [
            ("bfloat16: float32 / as it is", "negbench in float32", OURS),
            ("attention: torch's / as it is", "negbench with torch's attention", OURS),
            ("sorted chunks: one piece / as it is", "negbench in one chunk", OURS),
            (
                "no dropout: 0.1 with torch's masks and attention / as it is",
                "negbench with dropout 0.1, torch's masks",
                OURS,
            ),
            (
                "cheap masks: torch's masks and attention / cheap ones",
                "negbench with dropout 0.1, torch's masks",
                "negbench with dropout 0.1",
            ),
            ("no dropout: 0.1 with cheap masks / as it is", "negbench with dropout 0.1", OURS),
        ],
    )


if __name__ == "__main__":
    main()
