"""Input stages: the collection, the starting encoder, embeddings."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from negbench.collections import Source, duplicates, storage
from negbench.encoders import weights
from negbench.encoders.encode import encode_tokens
from negbench.encoders.load import build, load, save
from negbench.encoders.precision import Precision
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side, Tokens, limit_of, readers, tokenised
from negbench.errors import InputError
from negbench.part_checks import check_collection
from negbench.store import Stage, save_notes
from negbench.store.arrays import join_vectors
from negbench.types import Collection, Int32, Passages, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PathOf = Callable[[Stage], Path]

TRAINING_SPLIT = "train"

WITHOUT_TRAINING = (
    ". Without training labels it can be evaluated on: with `negbench evaluate`, or under evaluate_on of a grid that "
    "trains on another collection. To train on it, give it a train split (of a folder, rename qrels/test.tsv to "
    "train.tsv): dev and test are then carved from that"
)

VECTORS = "vectors.npy"

SHARD = 100_000
"""Documents that are encoded as one artifact. A larger corpus is encoded in shards of so many."""

EqualTexts = Literal["known", "unlabelled"]
Storage = Literal["auto", "float16"]


read_collection = storage.load_once


def forget() -> None:
    """Forget collections and tokens in memory: what they were read from has been found damaged."""
    read_collection.cache_clear()
    _TOKENS.clear()


def split_queries(collection: Collection, split: str) -> Int32:
    """Return the rows of the queries with a positive in ``split``.

    Raises InputError where there is no such split, and for a training split without any.
    """
    if split not in collection.qrels:
        known = ", ".join(sorted(collection.qrels))
        what = f"collection {collection.name} has no split {split!r}; give one of {known}"
        raise InputError(what + (WITHOUT_TRAINING if split == TRAINING_SPLIT else ""))
    queries = collection.split_queries(split)
    if split == TRAINING_SPLIT and not len(queries):
        raise InputError(
            f"collection {collection.name}: no labelled pair to train with; pairs whose query is in another split are "
            "left out: give pairs of other queries, or only evaluate on it, with `negbench evaluate`"
        )
    return queries


@dataclass(frozen=True, eq=False)
class LoadCollection(Stage):
    """Read, check and split a collection; keep it as Parquet.

    ``equal_texts``: whether a document with the text of a labelled positive is ``known`` as a positive, too, or stays
    ``unlabelled``.
    """

    kind: ClassVar[str] = "collection"
    version: ClassVar[int] = 3
    source: Source
    fingerprint: str
    equal_texts: EqualTexts = "known"

    def identity(self) -> dict[str, Any]:
        """Return the digest of the content only: the same files in another folder are the same collection."""
        content = {
            "source": self.source.name,
            "version": self.source.version,
            "fingerprint": self.fingerprint,
            "equal_texts": self.equal_texts,
        }
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @property
    def label(self) -> str:
        return f"load {self.source.spelling}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Load the collection and find equal texts. Raises InputError if it changed after its digest was computed."""
        collection = self.source.load()
        check_collection(self.source, collection)
        _check_unchanged(f"collection {self.source.spelling}", self.fingerprint, self.source.fingerprint())
        collection = replace(
            collection,
            equal_texts=duplicates.equal_texts(Passages(collection.titles, collection.texts)),
            copies_known=self.equal_texts == "known",
        )
        storage.save(collection, out)
        notes = [*collection.warnings, *copies_note(collection)]
        save_notes([f"{collection.name}: {note}" for note in notes], out)
        return {"documents": len(collection.document_ids), "queries": len(collection.query_ids)}

    @property
    def texts(self) -> LoadCollection:
        """The same collection for stages that read texts alone, so that vectors do not depend on ``equal_texts``."""
        return replace(self, equal_texts="known")


def copies_note(collection: Collection) -> list[str]:
    """Return a note on the number of unlabelled copies of positives in the training split; empty for none."""
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
        return f"load encoder {self.spec.spelling}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Build and save the encoder. Raises InputError if the weights changed after their digest was computed."""
        model = build(self.spec, self.seed or 0)
        now = weights.fingerprint(self.spec.model, self.spec.revision)
        _check_unchanged(f"encoder {self.spec.spelling}", self.fingerprint, now)
        save(model, out / "model")
        return {}


def _check_unchanged(what: str, before: str, after: str) -> None:
    """Raise InputError where files changed between their digest and the end of reading.

    The content would be stored under the digest of other files, and be read by grids on those.
    """
    if before != after:
        raise InputError(f"{what}: its files changed while they were read; nothing is stored, run again")


def start_of(stage: Stage) -> StartEncoder | None:
    """Return the start of the encoder that a stage trains or encodes with; None where it does neither."""
    while not isinstance(stage, StartEncoder):
        encoder = getattr(stage, "encoder", None)
        if not isinstance(encoder, Stage):
            return None
        stage = encoder
    return stage


@dataclass(frozen=True, eq=False, kw_only=True)
class Embed(Stage):
    """Vectors of the documents, or of the queries of one split (in ascending row), by one encoder.

    Stored in float32, or in float16 where they were computed in bfloat16: eleven bits of precision hold bfloat16's
    eight. With ``storage`` float16 always so, unless a number is too large for it.
    """

    kind: ClassVar[str] = "embeddings"
    on_gpu: ClassVar[bool] = True
    version: ClassVar[int] = 2
    encoder: Stage
    collection: LoadCollection
    side: Side
    split: str | None
    max_length: int | None
    precision: Precision
    prompt: str | None = None
    """Text put before each text, in place of the encoder's own."""
    storage: Storage = "auto"

    def identity(self) -> dict[str, Any]:
        """Return all that the vectors depend on; a prompt only where it replaces the encoder's, storage if chosen."""
        identity = super().identity()
        if self.prompt is None:
            del identity["parameters"]["prompt"]
        if not self._is_chosen:
            del identity["parameters"]["storage"]
        return identity

    @property
    def _is_chosen(self) -> bool:
        """Whether float16 is more than what ``auto`` stores."""
        return self.storage == "float16" and self.precision != "bfloat16"

    @property
    def bytes_a_number(self) -> int:
        """Bytes of a stored number where none is too large for float16: 2 or 4."""
        return 2 if self.storage == "float16" or self.precision == "bfloat16" else 4

    @property
    def label(self) -> str:
        by = f" with {self.encoder.spec.spelling}" if isinstance(self.encoder, StartEncoder) else ""
        return f"encode the documents{by}" if self.side == "document" else f"encode the {self.split} queries{by}"

    @property
    def effort(self) -> str:
        return f"{self.kind} of {self.side}"

    def parts(self, path_of: PathOf) -> tuple[EmbedShard, ...]:
        """Return the shards of a corpus of more than ``SHARD`` documents; none for queries."""
        count = storage.count(path_of(self.collection)) if self.side == "document" else 0
        if count <= SHARD:
            return ()
        return tuple(EmbedShard(self, first, min(first + SHARD, count), count) for first in range(0, count, SHARD))

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Encode the texts, or put the shards together, whose costs the store counts."""
        if shards := self.parts(path_of):
            join_vectors([read_vectors(path_of(shard)) for shard in shards], out / VECTORS)
            return {}
        vectors, cost = self.by(self.model(path_of), read_collection(path_of(self.collection)))
        np.save(out / VECTORS, vectors, allow_pickle=False)
        return cost

    def model(self, path_of: PathOf) -> SentenceTransformer:
        """Return the encoder, with the prompt that replaces its own."""
        model = load(path_of(self.encoder) / "model")
        if self.prompt is not None:
            model.prompts[self.side] = self.prompt
        return model

    def by(
        self, model: SentenceTransformer, collection: Collection, rows: Int32 | None = None
    ) -> tuple[Vectors, dict[str, float]]:
        """Return the vectors, in their stored type, by ``model``, which may differ from the encoder; and the cost.

        ``rows``: encode only these queries or documents. More than ``SHARD`` documents are tokenised and encoded in
        shards, as they are stored.
        """
        count = len(collection.texts)
        if self.side == "document" and rows is None and count > SHARD:
            return self._in_shards(model, collection, count)
        tokens = self._tokens(model, collection, rows)
        begun = time.perf_counter()
        vectors = encode_tokens(model, tokens, self.precision)
        seconds = round(time.perf_counter() - begun, 3)  # without what comes once: the model loaded, texts tokenised
        kept: Vectors = vectors
        if self.bytes_a_number == 2 and abs(vectors).max(initial=0) <= np.finfo(np.float16).max:
            kept = vectors.astype(np.float16)
        noun = "documents" if self.side == "document" else "queries"
        return kept, {
            f"{noun}_encoded": len(tokens),
            "tokens_encoded": int(tokens.lengths.sum()),
            "encoding_seconds": seconds,
        }

    def _in_shards(
        self, model: SentenceTransformer, collection: Collection, count: int
    ) -> tuple[Vectors, dict[str, float]]:
        vectors: Vectors = np.empty((count, model.get_embedding_dimension() or 0), np.float16)
        total: Counter[str] = Counter()
        for first in range(0, count, SHARD):
            rows = np.arange(first, min(first + SHARD, count), dtype=np.int32)
            shard, cost = self.by(model, collection, rows)
            vectors = vectors.astype(np.result_type(vectors, shard), copy=False)
            vectors[rows] = shard
            total.update(cost)
        return vectors, dict(total)

    def _tokens(self, model: SentenceTransformer, collection: Collection, rows: Int32 | None) -> Tokens:
        """Tokenise; the documents tokenised last are reused with the same tokenizer, as in most of a grid."""
        if self.side == "query":
            assert self.split is not None
            asked = split_queries(collection, self.split) if rows is None else rows
            return tokenised(model, [collection.queries[row] for row in asked], self.side, self.max_length)
        if rows is not None:
            some = Passages([collection.titles[row] for row in rows], [collection.texts[row] for row in rows])
            return tokenised(model, some, self.side, self.max_length)
        reader = readers(model)[self.side]
        settings: dict[str, Any] = getattr(reader, "get_config_dict", dict)()
        own = reader.tokenizer  # static embeddings have the tokenizer itself
        tokenizer = own if hasattr(own, "to_str") else getattr(own, "backend_tokenizer", None)  # None: one in Python
        names = getattr(reader.tokenizer, "model_input_names", None)
        reading = json.dumps(
            [self.collection.key, self.max_length, limit_of(reader, self.side), model.prompts, names, settings]
        )
        key = hashlib.blake2b((reading + tokenizer.to_str()).encode()).hexdigest() if tokenizer else ""
        if not key or key not in _TOKENS:
            passages = Passages(collection.titles, collection.texts)
            _TOKENS.clear()
            _TOKENS[key] = tokenised(model, passages, self.side, self.max_length)
        return _TOKENS[key]


@dataclass(frozen=True, eq=False)
class EmbedShard(Stage):
    """Vectors of the documents from row ``first`` up to ``last``, which is left out, of ``count`` in the corpus.

    Each is stored by itself, so that an encoding that was stopped goes on, and several processes share it.
    """

    kind: ClassVar[str] = "embeddings-shard"
    on_gpu: ClassVar[bool] = True
    whole: Embed
    first: int
    last: int
    count: int

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The inputs of the whole, which rests on its shards."""
        return self.whole.inputs

    @property
    def part_of(self) -> Embed:
        return self.whole

    @property
    def label(self) -> str:
        return f"{self.whole.label}, {self.first + 1:,} to {self.last:,} of {self.count:,}"

    @property
    def effort(self) -> str:
        return f"{self.whole.effort}, shard"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        collection = read_collection(path_of(self.whole.collection))
        rows = np.arange(self.first, self.last, dtype=np.int32)
        vectors, cost = self.whole.by(self.whole.model(path_of), collection, rows)
        np.save(out / VECTORS, vectors, allow_pickle=False)
        return cost


_TOKENS: dict[str, Tokens] = {}
"""The documents tokenised last: twelve bytes a token, and every encoder of a grid reads the same."""


def read_vectors(folder: Path) -> Vectors:
    """Open the vectors of ``Embed`` as a memory map that cannot be written to (``retrieval.mapped``)."""
    return np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
