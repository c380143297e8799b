"""Another collection whose long documents are cut into passages."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field

from negbench.collections import Source
from negbench.collections.pooler import pair_similarities
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.types import Collection, Int32, Qrels


class Cut(Source):
    """A collection whose documents are cut into passages of ``words`` words, each with ``overlap`` words of the last.

    Passages are encoded, searched, mined and trained on. Judgments stay those of whole documents: a labelled document
    gives one training pair, with the passage that is most similar to the query by TF-IDF over character 4-grams, and
    none of its other passages is ever a negative of that query. Evaluation ranks documents, each by its best passage
    (MaxP). In fuller judgments all passages of a relevant document are relevant.

    A passage has its document's title. The first has its document's id, the others ``ID#2``, ``ID#3`` and so on.
    """

    name: ClassVar[str] = "cut"

    collection: Annotated[Source, BeforeValidator(source_of)] = Field(
        description="Collection whose documents are cut, as a grid names it.", examples=["helpdesk"]
    )
    words: int = Field(default=200, ge=1, description="Most words of a passage, between white space.")
    overlap: int = Field(default=50, ge=0, description="Words that a passage repeats from the one before it.")

    def model_post_init(self, _: object) -> None:
        if self.overlap >= self.words:
            raise ValueError(f"overlap must be less than words, found {self.overlap} and {self.words}; lower it")

    def fingerprint(self) -> str:
        """Return a digest of the inner collection's fingerprint and the other parameters."""
        inner = self.collection
        own = {"version": self.version, "words": self.words, "overlap": self.overlap}
        content = {**own, "collection": [inner.name, inner.version, inner.fingerprint()]}
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

    def load(self) -> Collection:
        """Load the collection and cut its documents. Raises InputError for one that is cut, and for ids that clash."""
        whole = self.collection.load()
        if whole.parents is not None:
            raise InputError(f"cut: the documents of {whole.name} are passages already; leave one cut out")
        texts = [self.passages(text) for text in whole.texts]
        counts = np.array([len(of_document) for of_document in texts])
        first = (np.cumsum(counts) - counts).astype(np.int32)
        ids = [
            name if number == 1 else f"{name}#{number}"
            for name, of_document in zip(whole.document_ids, texts, strict=True)
            for number in range(1, len(of_document) + 1)
        ]
        if len(set(ids)) < len(ids):
            clash = next(name for name in whole.document_ids if "#" in name)
            raise InputError(f"cut: {whole.name} has an id such as {clash!r}, which a passage would get; rename it")
        made = replace(
            whole,
            name=f"{self.name}({whole.name})",
            document_ids=ids,
            titles=[title for title, count in zip(whole.titles, counts, strict=True) for _ in range(count)],
            texts=[passage for of_document in texts for passage in of_document],
            parents=np.repeat(first, counts),
            places=whole.places and replace(whole.places, documents=np.repeat(whole.places.documents, counts).tolist()),
            truth={split: _everywhere(table, first, counts) for split, table in whole.truth.items()},
        )
        best = _Best(made, first, counts)
        qrels = {split: best.judgments(table) for split, table in whole.qrels.items()}
        given = whole.given
        if given is not None:
            given = replace(given, documents=best.passages(given.queries, given.documents))
        note = (
            f"{int((counts > 1).sum())} of {len(counts)} documents are cut into passages of {self.words} words, "
            f"{len(ids)} in all; judgments are of documents, which rank by their best passage"
        )
        return replace(made, qrels=qrels, given=given, warnings=(*whole.warnings, note))

    def passages(self, text: str) -> list[str]:
        """Return the passages of a text; a short one is left as it is."""
        words = text.split()
        if len(words) <= self.words:
            return [text]
        starts = range(0, len(words) - self.overlap, self.words - self.overlap)
        return [" ".join(words[start : start + self.words]) for start in starts]


class _Best:
    """The passage of a document that is most similar to a query; the first of equal ones."""

    def __init__(self, cut: Collection, first: Int32, counts: np.ndarray) -> None:
        self._cut, self._first, self._counts = cut, first, counts

    def passages(self, queries: Int32, documents: Int32) -> Int32:
        """Return the passage [J] of each of ``documents`` [J], rows of whole ones, for the query in ``queries`` [J]."""
        found: Int32 = self._first[documents].copy()
        several = np.flatnonzero(self._counts[documents] > 1)
        if not len(several):
            return found
        counts = self._counts[documents[several]]
        ends = np.cumsum(counts)
        starts = ends - counts
        offsets = np.arange(ends[-1]) - np.repeat(starts, counts)
        rows = np.repeat(found[several], counts) + offsets
        scores = pair_similarities(self._cut.queries, self._cut.passages(), np.repeat(queries[several], counts), rows)
        pair = np.repeat(np.arange(len(several)), counts)
        order = np.lexsort((offsets, -scores, pair))
        found[several] = rows[order[starts]]
        return found

    def judgments(self, table: Qrels) -> Qrels:
        """Return the judgments of whole documents, each on its document's best passage."""
        passages = self.passages(table.queries, table.documents)
        return Qrels.of(list(zip(table.queries.tolist(), passages.tolist(), table.grades.tolist(), strict=True)))


def _everywhere(table: Qrels, first: Int32, counts: np.ndarray) -> Qrels:
    """Return the judgments of whole documents on all of their passages."""
    return Qrels.of([(q, int(first[d]) + number, g) for q, d, g in table.triples() for number in range(int(counts[d]))])
