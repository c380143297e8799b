"""Stages of written negatives: write them, put them in the place of mined ones, and tell them from found texts."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.encoders.encode import encode
from negbench.encoders.load import load
from negbench.evaluation.probe import told_apart
from negbench.plan.sources import At, Embed, LoadCollection, read_collection, read_vectors
from negbench.store import Stage
from negbench.types import Collection, Negatives
from negbench.writers import Writer


@dataclass(frozen=True, eq=False)
class WriteNegatives(Stage):
    """Texts for every query of a split, from its first labelled positive."""

    kind: ClassVar[str] = "written"
    collection: LoadCollection
    split: str
    writer: Writer

    @property
    def label(self) -> str:
        """By whom."""
        return f"write negatives by {self.writer.name}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Write."""
        collection = read_collection(at(self.collection))
        queries = collection.split_queries(self.split)
        positives = collection.qrels[self.split].at_least(1).by_query()
        passages = collection.passages()
        asked = [(collection.queries[row], passages[int(positives[row][0])]) for row in queries.tolist()]
        texts = self.writer.write(asked)
        (out / "texts.json").write_text(json.dumps(texts, ensure_ascii=False) + "\n", encoding="utf-8")
        return {"written": float(sum(map(len, texts)))}


def texts_of(folder: Path) -> list[list[str]]:
    """Return what ``WriteNegatives`` wrote, by training query in ascending row."""
    found: list[list[str]] = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    return found


def put_in_place(drawn: Negatives, texts: list[list[str]], size: int) -> Negatives:
    """Return the negatives with written ones in the last slots of each query; row ``size`` is the first of them."""
    documents, origins = drawn.documents.copy(), drawn.origins.copy()
    ranks, scores = drawn.ranks.copy(), drawn.scores.copy()
    row = size
    for query, mine in enumerate(texts):
        for slot in range(len(mine)):
            if slot < documents.shape[1]:
                at = documents.shape[1] - 1 - slot
                documents[query, at], origins[query, at] = row + slot, 2
                ranks[query, at], scores[query, at] = -1, np.nan
        row += len(mine)
    return replace(drawn, documents=documents, origins=origins, ranks=ranks, scores=scores)


def extended(collection: Collection, texts: list[list[str]]) -> Collection:
    """Return the collection with the written texts behind its documents; they are no part of any judgment."""
    flat = [text for mine in texts for text in mine]
    return replace(
        collection,
        document_ids=[*collection.document_ids, *[f"written {number}" for number in range(len(flat))]],
        titles=[*collection.titles, *[""] * len(flat)],
        texts=[*collection.texts, *flat],
    )


@dataclass(frozen=True, eq=False)
class ProbeWritten(Stage):
    """How well the starting encoder's vectors tell written texts from the corpus."""

    kind: ClassVar[str] = "probe"
    written: WriteNegatives
    documents: Embed

    @property
    def label(self) -> str:
        """What is asked."""
        return "tell written from found"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Compare what was written for a query with a positive of the next one: same kind of text, other subject."""
        collection = read_collection(at(self.written.collection))
        texts = texts_of(at(self.written))
        queries = collection.split_queries(self.written.split)
        positives = collection.qrels[self.written.split].at_least(1).by_query()
        flat = [text for mine in texts for text in mine]
        of = np.repeat(np.arange(len(texts), dtype=np.int32), [len(mine) for mine in texts])
        auc = float("nan")
        if flat:
            model = load(at(self.documents.encoder) / "model")
            vectors = encode(model, flat, "document", self.documents.precision, self.documents.max_length)
            rows = np.array([int(positives[row][0]) for row in queries.tolist()])
            found = np.asarray(read_vectors(at(self.documents))[rows], np.float32)
            auc = told_apart(vectors, found, of, np.arange(len(rows), dtype=np.int32))
        (out / "metrics.json").write_text(json.dumps({"written_auc": auc} if np.isfinite(auc) else {}) + "\n")
        return {}
