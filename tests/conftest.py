"""A tiny encoder and a tiny collection, built on the spot: nothing is downloaded, nothing was written elsewhere."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# Libraries look at these when they are imported. No test goes to the hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of a tiny model do nothing but wait for one another
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

# The store waits until its files are on disk, in case the power fails, which it does in no test: it would be a sixth of
# the suite's time. tests/test_store.py looks at what is asked of the disk.
os.fsync = lambda _: None

# Hypothesis would fail a test whose example takes 200 ms: the first one may import a library on a busy machine. Its own
# 100 examples of each property, for every part, would be a third of the suite's time: `make slow` gives them.
settings.register_profile("negbench", deadline=None, max_examples=20)
settings.register_profile("thorough", deadline=None, max_examples=100)
settings.load_profile("negbench")


def pytest_collection_finish() -> None:
    """Keep what is loaded out of garbage collection: each training collects everything, half a second a time."""
    gc.collect()
    gc.freeze()


PLANTS = ["basil", "tomato", "rose", "lavender", "fern", "orchid"]
PLANTS += ["cactus", "mint", "lemon", "olive", "tulip", "clover"]
CARE = {
    "watering": "give {plant} water when the soil feels dry, a full can each week and less on cool days",
    "light": "{plant} likes a bright window with morning sun, too much shade makes its stems long and thin",
    "soil": "plant {plant} in loose soil with sand and compost, heavy clay keeps the roots wet",
    "pruning": "cut old shoots of {plant} in early spring with clean scissors just above a leaf",
    "winter": "keep {plant} away from frost, move the pot into a cool room before the first cold night",
}
ASKED = {
    "watering": "how often must i water my {plant}",
    "light": "where does {plant} get enough sun",
    "soil": "which earth is good for {plant}",
    "pruning": "when can i trim a {plant} that grew too big",
    "winter": "will {plant} live through snow and ice",
}


def garden() -> tuple[dict[str, tuple[str, str]], dict[str, str], dict[str, dict[str, list[str]]]]:
    """Return documents (title, text) by id, queries by id, and by split the positives of each query.

    60 documents, 12 plants with 5 kinds of care; 24 training queries with one to three positives, 6 of dev, 10 of
    test. The queries ask for one kind of care of one plant; further positives are of the same plant.
    """
    care = list(CARE)
    documents = {
        f"{plant}-{kind}": (f"{plant} {kind}", CARE[kind].format(plant=plant)) for plant in PLANTS for kind in care
    }
    queries: dict[str, str] = {}
    splits: dict[str, dict[str, list[str]]] = {"train": {}, "dev": {}, "test": {}}
    numbered = [(split, n) for split, size in (("train", 24), ("dev", 6), ("test", 10)) for n in range(size)]
    for place, (split, number) in enumerate(numbered):
        plant, kind = PLANTS[place % len(PLANTS)], (place + place // len(PLANTS)) % len(care)
        name = f"{split}-{number}"
        queries[name] = ASKED[care[kind]].format(plant=plant)
        more = number % 3 if split == "train" else 0
        splits[split][name] = [f"{plant}-{care[(kind + step) % len(care)]}" for step in range(more + 1)]
    return documents, queries, splits


@pytest.fixture(scope="session")
def tiny_collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in BEIR's layout that holds ``garden``."""
    folder = tmp_path_factory.mktemp("collections") / "garden"
    (folder / "qrels").mkdir(parents=True)
    documents, queries, splits = garden()
    corpus = [{"_id": name, "title": title, "text": text} for name, (title, text) in documents.items()]
    asked = [{"_id": name, "text": text} for name, text in queries.items()]
    for stem, records in (("corpus", corpus), ("queries", asked)):
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for split, judged in splits.items():
        lines = [f"{query}\t{document}\t1" for query, positives in judged.items() for document in positives]
        (folder / f"qrels/{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n")
    return folder


def words() -> list[str]:
    """Return every word of ``garden``, in alphabetical order."""
    documents, queries, _ = garden()
    texts = [f"{title} {text}" for title, text in documents.values()] + list(queries.values())
    return sorted({word for text in texts for word in re.findall(r"[a-z]+", text.lower())})


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a sentence-transformers model: a BERT of 3 layers, 32 wide, with random weights.

    Its WordPiece vocabulary is the words of ``garden`` and single letters, so any English text can be read.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789.,:;?!'()-")
    tokens = special + letters + [f"##{letter}" for letter in letters] + [word for word in words() if len(word) > 1]
    tokenizer = Tokenizer(models.WordPiece({token: at for at, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="[MASK]", model_max_length=128, **names)
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.15,
    )
    folder = tmp_path_factory.mktemp("encoders")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder / "bert")
    fast.save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"))
    model = SentenceTransformer(modules=[transformer, Pooling(32, "mean"), Normalize()], device="cpu")
    model.save_pretrained(str(folder / "tiny"), create_model_card=False)
    return folder / "tiny"


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def negbench() -> Callable[..., Outcome]:
    """Return a function that runs the command line in this process: ``negbench("plan", "grid.yaml", cwd=folder)``.

    The store is ``.negbench`` in ``cwd`` unless ``store`` is given.
    """
    from negbench import cli

    def run(*arguments: str | Path, cwd: Path, store: Path | None = None) -> Outcome:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            patch.setattr(sys, "argv", ["negbench", *map(str, arguments)])
            patch.setenv("NEGBENCH_STORE", str(store or ".negbench"))
            patch.chdir(cwd)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    cli.main()
                except SystemExit as leaving:
                    code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        return Outcome(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session", autouse=True)
def tables_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let MLflow make the tables of its SQLite file once, which takes seconds; other files are copies of this one."""
    from negbench.tracking import database

    make, first = database._make, tmp_path_factory.mktemp("mlflow") / "empty.db"

    def copied(path: Path) -> None:
        if not first.exists():
            make(path)
            shutil.copyfile(path, first)
        else:
            shutil.copyfile(first, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_make", copied)
        yield


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder that a plan takes for an encoder: it is digested, never loaded."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "socks"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{at}", "title": "", "text": f"sock number {at}"} for at in range(9)]
    queries = [{"_id": f"q{at}", "text": f"where is sock {at}"} for at in range(6)]
    for stem, records in (("corpus", documents), ("queries", queries)):
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for split, rows in (("train", range(3)), ("dev", range(3, 4)), ("test", range(4, 6))):
        judged = "".join(f"q{row}\td{row}\t1\n" for row in rows)
        (folder / f"qrels/{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder
