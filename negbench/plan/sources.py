"""Stages that everything rests on: the collection, the starting encoder, embeddings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from negbench.collections import Source, duplicates, storage
from negbench.encoders import weights
from negbench.encoders.encode import encode_tokens
from negbench.encoders.load import build, load
from negbench.encoders.precision import Precision
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side, Tokens, limit_of, readers, tokenised
from negbench.errors import InputError
from negbench.store import Stage, save_notes
from negbench.types import Collection, Int32, Passages, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

At = Callable[[Stage], Path]

TRAINING_SPLIT = "train"

EqualTexts = Literal["known", "unlabelled"]


@lru_cache(maxsize=2)
def read_collection(folder: Path) -> Collection:
    """Read a stored collection; the last two stay in memory, since every stage of a grid asks for the same."""
    return storage.load(folder)


def split_queries(collection: Collection, split: str) -> Int32:
    """Return the rows of the queries with a positive in ``split``; InputError where there is no such split."""
    if split not in collection.qrels:
        known = ", ".join(sorted(collection.qrels))
        raise InputError(f"collection {collection.name} has no split {split!r}; it has {known}")
    return collection.split_queries(split)


@dataclass(frozen=True, eq=False)
class LoadCollection(Stage):
    """Read, check and split a collection; keep it as Parquet.

    ``equal_texts``: whether a document with the text of a labelled positive is ``known`` as a positive, too, or stays
    ``unlabelled``.
    """

    kind: ClassVar[str] = "collection"
    version: ClassVar[int] = 2
    source: Source
    fingerprint: str
    equal_texts: EqualTexts = "known"

    def identity(self) -> dict[str, Any]:
        """Return the content's digest alone: the same bytes in another folder are the same collection."""
        content = {
            "source": self.source.name,
            "version": self.source.version,
            "fingerprint": self.fingerprint,
            "equal_texts": self.equal_texts,
        }
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @property
    def label(self) -> str:
        """Which collection."""
        return f"load {self.source.spelling}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Load it, and find equal texts. Raises InputError where it changed after its digest was taken."""
        collection = self.source.load()
        _check_unchanged(f"collection {self.source.spelling}", self.fingerprint, self.source.fingerprint())
        collection = replace(
            collection,
            equal_texts=duplicates.equal_texts(collection.passages()),
            copies_known=self.equal_texts == "known",
        )
        storage.save(collection, out)
        notes = [*collection.warnings, *copies_note(collection)]
        save_notes([f"{collection.name}: {note}" for note in notes], out)
        return {"documents": len(collection.document_ids), "queries": len(collection.query_ids)}

    @property
    def texts(self) -> LoadCollection:
        """The same collection for whoever reads its texts alone, so that vectors are shared whatever is known."""
        return replace(self, equal_texts="known")


def copies_note(collection: Collection) -> list[str]:
    """Return the sentence that says how many copies of positives the training queries have, if they have any."""
    if TRAINING_SPLIT not in collection.qrels:
        return []
    copies = duplicates.unlabelled_copies(collection, TRAINING_SPLIT)
    if not len(copies):
        return []
    asked = len(collection.split_queries(TRAINING_SPLIT))
    use = "count as positives and are no negatives" if collection.copies_known else "may be drawn as negatives"
    return [
        f"{len(np.unique(copies.queries)):,} of {asked:,} training queries have unlabelled duplicates of a positive, "
        f"with the same text under another id ({len(copies):,} pairs): they {use} (equal_texts); evaluation counts "
        "them as its judgments do"
    ]


@dataclass(frozen=True, eq=False)
class StartEncoder(Stage):
    """The encoder that every method of a trial starts from; ``seed`` is None unless layers are drawn afresh."""

    kind: ClassVar[str] = "encoder"
    version: ClassVar[int] = 2
    spec: EncoderSpec
    fingerprint: str
    seed: int | None

    def identity(self) -> dict[str, Any]:
        """Return the weights' digest, not their name, and what is altered in them."""
        altered = self.spec.model_dump(mode="json", exclude={"model", "revision"})
        content = {"fingerprint": self.fingerprint, "seed": self.seed, **altered}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @property
    def label(self) -> str:
        """Which encoder."""
        return f"prepare {self.spec.spelling}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Build and save it. Raises InputError where the weights are no longer what their digest was taken of."""
        model = build(self.spec, self.seed or 0)
        now = weights.fingerprint(self.spec.model, self.spec.revision)
        _check_unchanged(f"encoder {self.spec.spelling}", self.fingerprint, now)
        model.save_pretrained(str(out / "model"), create_model_card=False)
        return {}


def _check_unchanged(what: str, before: str, after: str) -> None:
    """Raise InputError where files changed between their digest and the end of reading.

    What was read would be stored under the digest of something else, and be found by whoever has that.
    """
    if before != after:
        raise InputError(f"{what}: its files changed after their digest was taken; nothing of it is stored, run again")


@dataclass(frozen=True, eq=False)
class Embed(Stage):
    """Vectors of the documents, or of the queries of one split (in ascending row), by one encoder.

    Kept in float32, or in float16 where bfloat16 made them and none is too large: its eleven bits hold all that
    bfloat16's eight could say.
    """

    kind: ClassVar[str] = "embeddings"
    version: ClassVar[int] = 2
    encoder: Stage
    collection: LoadCollection
    side: Side
    split: str | None
    max_length: int | None
    precision: Precision

    @property
    def label(self) -> str:
        """Which texts."""
        return "encode the documents" if self.side == "document" else f"encode the {self.split} queries"

    @property
    def effort(self) -> str:
        """Documents take longer than queries."""
        return f"{self.kind} of {self.side}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Encode."""
        vectors, cost = self.by(load(at(self.encoder) / "model"), read_collection(at(self.collection)))
        np.save(out / "vectors.npy", vectors, allow_pickle=False)
        return cost

    def by(
        self, model: SentenceTransformer, collection: Collection, rows: Int32 | None = None
    ) -> tuple[Vectors, dict[str, float]]:
        """Return the vectors, as they are kept, by a ``model`` that may be another than the encoder; and the cost.

        ``rows``: of these queries alone.
        """
        tokens = self._tokens(model, collection, rows)
        vectors = encode_tokens(model, tokens, self.precision)
        kept: Vectors = vectors
        if self.precision == "bfloat16" and abs(vectors).max(initial=0) <= np.finfo(np.float16).max:
            kept = vectors.astype(np.float16)
        noun = "documents" if self.side == "document" else "queries"
        return kept, {f"{noun}_encoded": len(tokens), "tokens_encoded": int(tokens.lengths.sum())}

    def _tokens(self, model: SentenceTransformer, collection: Collection, rows: Int32 | None) -> Tokens:
        """Tokenise, unless the last documents that were are these, read by the same tokenizer, as in most of a grid."""
        if self.side == "query":
            assert self.split is not None
            asked = split_queries(collection, self.split) if rows is None else rows
            return tokenised(model, [collection.queries[row] for row in asked], self.side, self.max_length)
        reader = readers(model)[self.side]
        settings: dict[str, Any] = getattr(reader, "get_config_dict", dict)()
        tokenizer = getattr(reader.tokenizer, "backend_tokenizer", None)  # one in Python cannot be told from another
        names = getattr(reader.tokenizer, "model_input_names", None)
        reading = json.dumps([self.collection.key, self.max_length, limit_of(reader), model.prompts, names, settings])
        key = hashlib.blake2b((reading + tokenizer.to_str()).encode()).hexdigest() if tokenizer else ""
        if not key or key not in _TOKENS:
            passages = Passages(collection.titles, collection.texts)
            _TOKENS.clear()
            _TOKENS[key] = tokenised(model, passages, self.side, self.max_length)
        return _TOKENS[key]


_TOKENS: dict[str, Tokens] = {}
"""The documents tokenised last: twelve bytes a token, and every encoder of a grid reads the same."""


def read_vectors(folder: Path) -> Vectors:
    """Open what ``Embed`` wrote, without reading it: a memory map, private since Voyager refuses read-only arrays."""
    return np.load(folder / "vectors.npy", mmap_mode="c", allow_pickle=False)  # type: ignore[no-any-return]
