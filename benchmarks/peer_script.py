"""One of the scripts that people write today: mine, train, evaluate with sentence-transformers, for one sampler.

Run by ``benchmarks.grid``, once for each sampler and seed, each time from nothing. ``--data`` is a folder with the
texts and rows that negbench trains on too; the last line printed is JSON with the seconds of each part and nDCG@10.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from sentence_transformers import (
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.util import mine_hard_negatives


def by_chance(rows: list[dict[str, str]], corpus: list[str], known: dict[str, set[str]]) -> list[str]:
    """Draw a document for each row that is no known positive of its query."""
    drawn = []
    for row in rows:
        text = random.choice(corpus)
        while text in known[row["anchor"]]:
            text = random.choice(corpus)
        drawn.append(text)
    return drawn


def by_bm25(rows: list[dict[str, str]], corpus: list[str], known: dict[str, set[str]]) -> list[str]:
    """Take BM25's best document that is no known positive."""
    from rank_bm25 import BM25Okapi

    bm25 = BM25Okapi([text.lower().split() for text in corpus])
    found = {}
    for query in dict.fromkeys(row["anchor"] for row in rows):
        order = np.argsort(-bm25.get_scores(query.lower().split()))
        found[query] = next(corpus[at] for at in order if corpus[at] not in known[query])
    return [found[row["anchor"]] for row in rows]


def mined(rows: list[dict[str, str]], corpus: list[str], model: SentenceTransformer, **how: Any) -> list[str | None]:
    """Take one of the negatives that ``mine_hard_negatives`` finds for each row, None where it finds none."""
    pairs = Dataset.from_list(rows)
    triplets = mine_hard_negatives(
        pairs, model, corpus=corpus, num_negatives=1, output_format="triplet", verbose=False, **how
    )
    found = {(it["anchor"], it["positive"]): it["negative"] for it in triplets}
    return [found.get((row["anchor"], row["positive"])) for row in rows]


def by_simans(
    rows: list[dict[str, str]], corpus: list[str], known: dict[str, set[str]], model: SentenceTransformer
) -> list[str]:
    """Draw from the top 100 with probability exp(-a (z- - z+)^2), scores in standard deviations, a = 0.5."""
    documents = model.encode(corpus, normalize_embeddings=True)
    place = {text: at for at, text in enumerate(corpus)}
    drawn = []
    for row in rows:
        scores = documents @ model.encode(row["anchor"], normalize_embeddings=True)
        top = [at for at in np.argsort(-scores)[:110] if corpus[at] not in known[row["anchor"]]][:100]
        gap = (scores[top] - scores[place[row["positive"]]]) / scores[top].std()
        weight = np.exp(-0.5 * (gap**2 - (gap**2).min()))  # a positive far away leaves nothing otherwise
        drawn.append(corpus[np.random.choice(top, p=weight / weight.sum())])
    return drawn


def trained_cross_encoder(
    rows: list[dict[str, str]], corpus: list[str], model: SentenceTransformer, settings: dict[str, Any]
) -> CrossEncoder:
    """Train a cross-encoder on the positives and as many negatives from the top 200."""
    negatives = mined(rows, corpus, model, range_max=200, sampling_strategy="random")
    pairs = [(row["anchor"], row["positive"], 1.0) for row in rows]
    pairs += [(row["anchor"], text, 0.0) for row, text in zip(rows, negatives, strict=True) if text is not None]
    teacher = CrossEncoder(settings["start"], num_labels=1, max_length=256)
    columns = dict(zip(("query", "document", "label"), map(list, zip(*pairs, strict=True)), strict=True))
    with tempfile.TemporaryDirectory() as scratch:
        CrossEncoderTrainer(
            model=teacher,
            args=CrossEncoderTrainingArguments(
                output_dir=scratch,
                num_train_epochs=1,
                per_device_train_batch_size=32,
                learning_rate=1e-4,
                warmup_steps=0.1,
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_dict(columns).shuffle(seed=settings["seed"]),
            loss=BinaryCrossEntropyLoss(teacher),
        ).train()
    return teacher


def negatives_of(sampler: str, data: dict[str, Any], model: SentenceTransformer, settings: dict[str, Any]) -> Any:
    """Return a negative for each row."""
    rows, corpus = data["rows"], data["corpus"]
    known: dict[str, set[str]] = {}
    for row in rows:
        known.setdefault(row["anchor"], set()).add(row["positive"])
    if sampler == "random":
        return by_chance(rows, corpus, known)
    if sampler == "bm25":
        return by_bm25(rows, corpus, known)
    if sampler == "simans":
        return by_simans(rows, corpus, known, model)
    if sampler == "rank-band":
        found = mined(rows, corpus, model, range_min=10, range_max=110, sampling_strategy="random")
    else:
        teacher = trained_cross_encoder(rows, corpus, model, settings)
        found = mined(rows, corpus, model, cross_encoder=teacher, range_max=10, max_score=0.5, sampling_strategy="top")
    chance = by_chance(rows, corpus, known)
    return [chance[at] if text is None else text for at, text in enumerate(found)]


def main() -> None:
    """Mine, train, evaluate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sampler", required=True)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()
    data = json.loads((args.data / "data.json").read_text())
    settings = {**data["settings"], "seed": args.seed}
    random.seed(args.seed)
    np.random.seed(args.seed)
    started = time.perf_counter()
    model = SentenceTransformer(settings["start"])
    model.max_seq_length = settings["max_length"]
    columns = {
        "anchor": [row["anchor"] for row in data["rows"]],
        "positive": [row["positive"] for row in data["rows"]],
    }
    if args.sampler != "in-batch":
        columns["negative"] = negatives_of(args.sampler, data, model, settings)
    after_mining = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=scratch,
                num_train_epochs=settings["epochs"],
                per_device_train_batch_size=settings["batch_size"],
                learning_rate=settings["learning_rate"],
                warmup_steps=0.1,
                seed=args.seed,
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_dict(columns),
            loss=MultipleNegativesRankingLoss(model),
        ).train()
    after_training = time.perf_counter()
    evaluator = InformationRetrievalEvaluator(
        queries=data["queries"],
        corpus={str(at): text for at, text in enumerate(data["corpus"])},
        relevant_docs={query: set(documents) for query, documents in data["relevant"].items()},
        name="test",
    )
    scores = evaluator(model)
    done = time.perf_counter()
    print(
        json.dumps(
            {
                "nDCG@10": scores["test_cosine_ndcg@10"],
                "mining": after_mining - started,
                "training": after_training - after_mining,
                "evaluation": done - after_training,
            }
        )
    )


if __name__ == "__main__":
    main()
