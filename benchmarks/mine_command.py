"""From texts on disk to negatives on disk, encoding included: ``negbench mine`` against ``mine_hard_negatives``.

Both sides read a collection in BEIR's layout, load an encoder of static embeddings from a folder, encode, search, take
the highest five of the ranking's head that score at least 0.05 below the positive, and write triplets as Parquet. The
encoder is made on the spot: random vectors of 64 dimensions by word, so that tokenising, searching and writing weigh as
much as they do. The texts are those of ``scaling.py``.

The peer is called as its documentation shows it, and with batches of 1,024 texts, which suits so small an encoder; the
faster of the two counts. negbench runs as its command does, with an empty store each time: it digests the files,
compares texts for duplicates, and stores collection, vectors, pool and draw. Once they are stored, another draw
on the same collection starts from there, which is a side of its own.

``--memory SIZE`` measures the peak memory of one ``mine`` at so many documents, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np

from benchmarks import compare, scaling
from negbench.rng import CounterRNG

WIDTH, NEGATIVES, MARGIN, RANGE_MAX = 64, 5, 0.05, 100
VOCABULARY = 30_000
"""Words that the encoder knows, the most frequent ones: as many as a WordPiece vocabulary has tokens."""
MEMORY_GB = 4
MINE = f"margin(margin={MARGIN}, candidates.depth={RANGE_MAX + 1})"


def write(folder: Path, documents: int, queries: int) -> None:
    """Write the collection to ``folder/beir`` and the encoder to ``folder/encoder``."""
    words = scaling.vocabulary()
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    lengths = CounterRNG(0, "lengths")
    with (beir / "corpus.jsonl").open("w") as file:
        for first in range(0, documents, scaling.BLOCK):
            rows = np.arange(first, min(first + scaling.BLOCK, documents))
            counts = 60 + lengths.bits(rows, 1) % 41
            for row, drawn, length in zip(rows.tolist(), words[scaling.ranks(rows)].tolist(), counts, strict=True):
                file.write(json.dumps({"_id": f"d{row}", "title": "", "text": " ".join(drawn[:length])}) + "\n")
    asked = np.arange(queries)
    positives = np.sort(CounterRNG(0, "positives").order(np.arange(documents, dtype=np.uint64))[:queries])
    # half of a positive's words, so that it ranks near the top: below a low one nothing would pass the margin
    chosen = np.concatenate([scaling.ranks(positives)[:, 10:50], scaling.ranks(asked + 2**31)[:, :2]], axis=1)
    questions = [{"_id": f"q{query}", "text": " ".join(words[chosen[query]])} for query in asked.tolist()]
    (beir / "queries.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions))
    judged = "".join(f"q{query}\td{row}\t1\n" for query, row in enumerate(positives.tolist()))
    (beir / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    _encoder(words[:VOCABULARY].tolist()).save_pretrained(str(folder / "encoder"), create_model_card=False)


def _encoder(words: list[str]) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {"[UNK]": 0} | {word: number for number, word in enumerate(dict.fromkeys(words), 1)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    vectors = np.random.default_rng(0).standard_normal((len(vocabulary), WIDTH), np.float32)
    module = StaticEmbedding(tokenizer, embedding_weights=vectors)
    return SentenceTransformer(modules=[module], device="cpu")


def theirs(folder: Path, batch_size: int) -> Any:
    """Mine as a script does, and return the triplets that it wrote."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    def read(name: str) -> dict[str, str]:
        with (folder / "beir" / name).open() as file:
            return {fields["_id"]: fields["text"] for fields in map(json.loads, file)}

    corpus, queries = read("corpus.jsonl"), read("queries.jsonl")
    judged = [line.split("\t") for line in (folder / "beir/qrels/train.tsv").read_text().splitlines()[1:]]
    columns = {"anchor": [queries[query] for query, _, _ in judged], "positive": [corpus[row] for _, row, _ in judged]}
    mined = mine_hard_negatives(
        Dataset.from_dict(columns),
        SentenceTransformer(str(folder / "encoder"), device="cpu"),
        corpus=list(corpus.values()),
        num_negatives=NEGATIVES,
        absolute_margin=MARGIN,
        range_max=RANGE_MAX,
        sampling_strategy="top",
        batch_size=batch_size,
        verbose=False,
    )
    mined.to_parquet(str(folder / "theirs.parquet"))
    return folder / "theirs.parquet"


def ours(folder: Path, store: Path | None = None, seed: int = 0) -> Any:
    """Mine with a store of its own, which is removed, or with one that stays."""
    import negbench
    from negbench.stages import inputs

    inputs._TOKENS.clear()  # a process keeps those of the last corpus, and each call stands for one of its own
    own = store or Path(tempfile.mkdtemp(dir=folder))
    try:
        mined = negbench.mine(
            MINE,
            f"beir(path={folder / 'beir'}, dev=0, test=0)",
            encoder=folder / "encoder",
            negatives=NEGATIVES,
            seed=seed,
            store=own,
            overrides=["train.max_length=512"],
        )
        return mined.save(folder / "ours.parquet").path
    finally:
        if store is None:
            shutil.rmtree(own)


def agreement(folder: Path) -> dict[str, Any]:
    """Compare the lists of negatives by query, without what negbench fills at random where too few pass."""
    import pyarrow.parquet as pq

    lists: dict[str, dict[str, list[str]]] = {}
    for name in ("theirs", "ours"):
        table = pq.read_table(folder / f"{name}.parquet").to_pylist()
        for row in table:
            lists.setdefault(row["anchor"], {}).setdefault(name, []).append(row["negative"])
    counts: Counter[str] = Counter()
    for of_query in lists.values():
        their, our = of_query.get("theirs", []), of_query.get("ours", [])
        same = their == our[: len(their)]
        filled = "equal, then random fill" if their else "the peer has none, random fill"
        counts["equal" if same and len(their) == len(our) else filled if same else "different"] += 1
    return dict(counts)


def peak(documents: int, queries: int) -> float:
    """Return the peak memory in GB of one ``mine`` in this process, which does nothing else."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as writer:
            writer.submit(write, folder, documents, queries).result()
        ours(folder)
    return scaling.peak()


def alone(documents: int, queries: int) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(peak, documents, queries).result()


PEER, BATCHED = "mine_hard_negatives", "mine_hard_negatives, batches of 1,024"
OURS, AGAIN = "negbench", "negbench, another seed on the same store"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that are counted (default 5)")
    parser.add_argument("--collection", help="ignored: the texts are generated")
    parser.add_argument("--memory", type=int, nargs="?", const=10**6, help="only the peak at so many documents")
    parser.add_argument("--small", action="store_true", help="the smallest run that touches every line")
    asked = parser.parse_args()
    if asked.memory:
        print(f"{asked.memory:,} documents: {alone(asked.memory, 5_000):.2f} GB")
        return
    documents, queries, large = (2_000, 50, 3_000) if asked.small else (100_000, 5_000, 10**6)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder, documents, queries)
        stays = folder / "store"
        ours(folder, stays)
        seeds = count(1)
        timed = compare.in_turn(
            {
                PEER: lambda: theirs(folder, 32),
                BATCHED: lambda: theirs(folder, 1024),
                AGAIN: lambda: ours(folder, stays, next(seeds)),
                OURS: lambda: ours(folder),
            },
            1 if asked.small else asked.rounds,
        )
        theirs(folder, 1024)
        ours(folder)
        found = agreement(folder)
    gb = alone(large, queries)
    faster = min((PEER, BATCHED), key=lambda side: float(np.median(timed.seconds[side])))
    compare.report(
        "mine_command",
        "texts on disk to negatives on disk, with a static encoder",
        f"at least as fast, and under {MEMORY_GB} GB at 1,000,000 documents",
        timed,
        faster,
        OURS,
        lambda ratio: ratio["median"] >= 1 and gb < MEMORY_GB,
        {"queries": found, f"peak GB of negbench at {large:,} documents, imports included": round(gb, 2)},
        {"documents": documents, "queries": queries, "dimension": WIDTH, "negatives": NEGATIVES, "margin": MARGIN},
        [
            ("default batches / batches of 1,024", PEER, BATCHED),
            ("empty store / another seed on the same store", OURS, AGAIN),
        ],
    )


if __name__ == "__main__":
    main()
