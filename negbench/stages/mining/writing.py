"""Stages of synthetic negatives: generate them, put them in place of mined ones, probe how separable they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.collections.duplicates import words_of
from negbench.encoders.encode import encode
from negbench.encoders.load import load
from negbench.evaluation.probe import told_apart
from negbench.part_checks import check_texts
from negbench.stages.inputs import Embed, LoadCollection, PathOf, read_collection, read_vectors
from negbench.store import Stage, save_notes
from negbench.types import Collection, Negatives
from negbench.writers import NegativeGenerator


@dataclass(frozen=True, eq=False)
class WriteNegatives(Stage):
    """Synthetic negatives for every query of a split, generated from its first labelled positive.

    A text that is empty, or the same as a labelled positive of its query or as one before it, is left out.
    """

    kind: ClassVar[str] = "written"
    version: ClassVar[int] = 2
    collection: LoadCollection
    split: str
    writer: NegativeGenerator

    @property
    def label(self) -> str:
        return f"generate negatives with {self.writer.name}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        collection = read_collection(path_of(self.collection))
        queries = collection.split_queries(self.split)
        positives = collection.qrels[self.split].at_least(1).by_query()
        passages = collection.passages()
        asked = [(collection.queries[row], passages[int(positives[row][0])]) for row in queries.tolist()]
        generated = self.writer.write(asked)
        check_texts(self.writer, generated, len(asked), self.writer.each)
        known = [{words_of(passages[row]) for row in positives[query].tolist()} for query in queries.tolist()]
        texts = [_other_than(of_query, of_positives) for of_query, of_positives in zip(generated, known, strict=True)]
        if left_out := sum(map(len, generated)) - sum(map(len, texts)):
            why = "empty, the same as a positive of the query, or there twice"
            save_notes([f"{self.label}: {left_out} of {sum(map(len, generated))} texts are left out: {why}"], out)
        (out / "texts.json").write_text(json.dumps(texts, ensure_ascii=False) + "\n", encoding="utf-8")
        return {"written": float(sum(map(len, texts)))}


def _other_than(texts: Sequence[str], positives: set[str]) -> list[str]:
    """Return the texts that have words, other than those of ``positives`` and of the texts before."""
    distinct = {words_of(text): text for text in reversed(texts)}
    return [text for text in texts if (words := words_of(text)) and words not in positives and distinct[words] is text]


def texts_of(folder: Path) -> list[list[str]]:
    """Read the texts of ``WriteNegatives``, by training query in ascending row."""
    texts: list[list[str]] = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    return texts


def put_in_place(drawn: Negatives, texts: list[list[str]], size: int) -> Negatives:
    """Return the negatives with synthetic ones in the last slots of each query; the first has row ``size``."""
    documents, origins = drawn.documents.copy(), drawn.origins.copy()
    ranks, scores = drawn.ranks.copy(), drawn.scores.copy()
    row = size
    for query, of_query in enumerate(texts):
        for slot in range(len(of_query)):
            if slot < documents.shape[1]:
                column = documents.shape[1] - 1 - slot
                documents[query, column], origins[query, column] = row + slot, 2
                ranks[query, column], scores[query, column] = -1, np.nan
        row += len(of_query)
    return replace(drawn, documents=documents, origins=origins, ranks=ranks, scores=scores)


def with_synthetic(collection: Collection, texts: list[list[str]]) -> Collection:
    """Return the collection with the synthetic texts after its documents; no judgment covers them."""
    flat = [text for of_query in texts for text in of_query]
    return replace(
        collection,
        document_ids=[*collection.document_ids, *[f"written {number}" for number in range(len(flat))]],
        titles=[*collection.titles, *[""] * len(flat)],
        texts=[*collection.texts, *flat],
    )


@dataclass(frozen=True, eq=False)
class ProbeWritten(Stage):
    """AUC of the starting encoder's vectors in separating synthetic texts from the corpus."""

    kind: ClassVar[str] = "probe"
    written: WriteNegatives
    documents: Embed

    @property
    def label(self) -> str:
        return "probe how separable synthetic negatives are"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Compare the synthetic texts of a query with a positive of the next: same kind of text, other subject."""
        collection = read_collection(path_of(self.written.collection))
        texts = texts_of(path_of(self.written))
        queries = collection.split_queries(self.written.split)
        positives = collection.qrels[self.written.split].at_least(1).by_query()
        flat = [text for of_query in texts for text in of_query]
        query_of = np.repeat(np.arange(len(texts), dtype=np.int32), [len(of_query) for of_query in texts])
        auc = float("nan")
        if flat:
            model = load(path_of(self.documents.encoder) / "model")
            vectors = encode(model, flat, "document", self.documents.precision, self.documents.max_length)
            rows = np.array([int(positives[row][0]) for row in queries.tolist()])
            positive_vectors = np.asarray(read_vectors(path_of(self.documents))[rows], np.float32)
            auc = told_apart(vectors, positive_vectors, query_of, np.arange(len(rows), dtype=np.int32))
        (out / "metrics.json").write_text(json.dumps({"written_auc": auc} if np.isfinite(auc) else {}) + "\n")
        return {}
