"""What one more sampler adds to a grid whose pools are there, against one more script; and a finished grid run again.

The grid has in-batch, random, bm25 and simans on the collection; its mining stages are made in a store of their own.
Then the exact rank-band, and simans with another setting, each join it: only the draw is new, since they share the
pool. The collection is read from disk anew each time, as in a run of its own. The script that one would write instead
encodes queries and passages and calls sentence-transformers' ``mine_hard_negatives`` for random negatives between ranks
10 and 110. Both use the same small encoder with random weights, so a real one would make the script slower still, and
change nothing for the sampler.

A finished grid, run again by the command line in a process of its own, makes nothing and writes its results.
"""

from __future__ import annotations

import os
import shutil
import string
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np

from benchmarks import compare
from negbench.config.grid import read
from negbench.plan.trials import trials
from negbench.stages.inputs import read_collection
from negbench.stages.mining.draw import DrawNegatives
from negbench.store import Store, ancestors, load_arrays
from negbench.types import Collection, Negatives

SPLIT = "train"
BASE = ["in-batch", "random", "bm25", "simans"]
MORE = {"rank-band": "rank-band-exact", "simans, another setting": "simans(a=1.0)"}
NEGATIVES = 5
HELPDESK = "helpdesk(articles=200, queries=40, dev=10, test=30)"
SCRIPT = "sentence-transformers: one more script"
AGAIN = "negbench: a finished grid run again"


def tiny_encoder(folder: Path) -> Path:
    """Write a sentence-transformers model with random weights: a BERT of one layer, 64 wide, that reads letters."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = list(string.ascii_lowercase + string.digits)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *[f"##{letter}" for letter in letters]]
    tokenizer = Tokenizer(models.WordPiece({token: at for at, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder / "bert")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder / "bert")
    parts = [Transformer(str(folder / "bert")), Pooling(64, "mean"), Normalize()]
    SentenceTransformer(modules=parts, device="cpu").save_pretrained(str(folder / "tiny"), create_model_card=False)
    return folder / "tiny"


def write_grid(path: Path, collection: str, encoder: Path, methods: list[str]) -> Path:
    """Write a grid file and return its path."""
    listed = "".join(f"  - {method}\n" for method in methods)
    path.write_text(
        f"name: {path.stem}\ncollection: {collection}\nencoder: {encoder}\nmethods:\n{listed}"
        f"negatives: {NEGATIVES}\ntrain: {{epochs: 1, max_length: 64, precision: float32}}\n"
    )
    return path


def draws(grid: Path) -> dict[str, DrawNegatives]:
    """Return the mining stage of each method of a grid that has one."""
    return {trial.spelling: trial.negatives for trial in trials(read(grid)) if trial.negatives is not None}


def one_more(stage: DrawNegatives, store: Store) -> Negatives:
    """Make the stage's artifact anew, and of its inputs what is missing: nothing."""
    read_collection.cache_clear()
    shutil.rmtree(store.path(stage), ignore_errors=True)
    return load_arrays(Negatives, store.ensure(stage))


def script(collection: Collection, encoder: Path) -> Any:
    """Mine random negatives between ranks 10 and 110, from texts."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    passages, known = collection.passages(), collection.qrels[SPLIT].at_least(1)
    pairs = {
        "query": [collection.queries[row] for row in known.queries],
        "answer": [passages[row] for row in known.documents],
    }
    return mine_hard_negatives(
        Dataset.from_dict(pairs),
        SentenceTransformer(str(encoder), device="cpu"),
        corpus=passages,
        num_negatives=NEGATIVES,
        range_min=10,
        range_max=110,
        sampling_strategy="random",
        verbose=False,
    )


def run(grid: Path, store: Path) -> str:
    """Run a grid by the command line, in the grid's folder; return what it printed to standard error."""
    command = [sys.executable, "-c", "from negbench.cli import main; main()", "run", grid.name]
    environment = {**os.environ, "NEGBENCH_STORE": str(store)}
    done = subprocess.run(command, cwd=grid.parent, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"negbench run failed:\n{done.stdout}\n{done.stderr}")
    return done.stderr


def artifacts(store: Path) -> int:
    return len(list(store.glob("*/*/stage.json")))


def main() -> None:
    asked = compare.arguments(__doc__ or "")
    source = HELPDESK if asked.small else asked.collection
    with tempfile.TemporaryDirectory() as name:
        measure(source, asked.rounds, Path(name))


def measure(source: str, rounds: int, folder: Path) -> None:
    collection, encoder = compare.collection(source), tiny_encoder(folder)
    if Path(source).is_dir():
        source = str(Path(source).resolve())
    store = Store(folder / "store")
    base = draws(write_grid(folder / "base.yaml", source, encoder, BASE))
    for stage in base.values():
        store.ensure(stage)
    grown = draws(write_grid(folder / "grown.yaml", source, encoder, [*BASE, *MORE.values()]))
    more = [stage for spelling, stage in grown.items() if spelling not in base]
    missing = {
        spelling: [other.kind for other in ancestors(stage) if not store.has(other)]
        for spelling, stage in grown.items()
        if spelling not in base
    }

    finished = write_grid(folder / "finished.yaml", HELPDESK, encoder, [*BASE, *MORE.values()])
    run(finished, folder / "finished-store")
    whole = artifacts(folder / "finished-store")
    table = (folder / "runs" / "finished" / "table.csv").read_text()

    sides: dict[str, Any] = {SCRIPT: lambda: script(collection, encoder)}
    for label, stage in zip(MORE, more, strict=True):
        sides[f"negbench: {label}"] = lambda stage=stage: one_more(stage, store)
    sides[AGAIN] = lambda: run(finished, folder / "finished-store")
    timed = compare.in_turn(sides, rounds)

    samplers = [f"negbench: {label}" for label in MORE]
    median = {side: float(np.median(seconds)) for side, seconds in timed.seconds.items()}
    slowest = max(samplers, key=median.__getitem__)
    compare.report(
        "one_more_sampler",
        "one more sampler in a grid whose pools are there; a finished grid run again",
        "one more sampler under 2 s, a finished grid run again under 5 s",
        timed,
        SCRIPT,
        slowest,
        lambda _: median[slowest] < 2 and median[AGAIN] < 5,
        {
            "stages that each sampler had to make": missing,
            "negatives drawn by each": {
                side: f"{int((timed.returned[side].origins == 0).sum())} of {timed.returned[side].documents.size}"
                for side in samplers
            },
            "triplets of the script": len(timed.returned[SCRIPT]),
            "stages that running again made": artifacts(folder / "finished-store") - whole,
            "its table is unchanged": (folder / "runs" / "finished" / "table.csv").read_text() == table,
        },
        {
            "collection": collection.name,
            "documents": len(collection.document_ids),
            "queries": len(collection.split_queries(SPLIT)),
            "negatives": NEGATIVES,
            "encoder": "BERT of one layer, 64 wide, random weights",
            "finished grid": f"{HELPDESK}, {', '.join([*BASE, *MORE.values()])}, 1 seed",
        },
    )


if __name__ == "__main__":
    main()
