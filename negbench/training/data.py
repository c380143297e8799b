"""What the loop eats: training rows, and the collator that turns row numbers into model inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench import noise
from negbench.encoders.tokens import tokenised
from negbench.errors import InputError
from negbench.types import Collection, Int32, Int64, Negatives, Passages, Qrels, UInt64

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, slots=True)
class Instances:
    """R training rows: ``queries`` [R] and ``positives`` [R] are rows of the collection, ``negatives`` [R, k].

    -1 marks a missing negative. ``known`` holds every labelled positive of these queries, ``keys`` [R] a stable hash
    of each row's ids.
    """

    queries: Int32
    positives: Int32
    negatives: Int32
    known: Qrels
    keys: UInt64


def instances(collection: Collection, split: str, negatives: Negatives | None, queries: int | None = None) -> Instances:
    """Make a row of every labelled (query, positive) pair of ``split``, with its query's negatives.

    No row is dropped, whether or not its query has negatives; None stands for a method without any. With ``queries``
    only that many queries take part, chosen by their ids: those of a smaller number are among those of a larger.
    Raises InputError where there are fewer.
    """
    known = collection.qrels[split].at_least(1)
    if queries is not None:
        asked = np.unique(known.queries)
        if queries > len(asked):
            raise InputError(f"train.queries: {queries} asked for, but {split} of {collection.name} has {len(asked)}")
        order = noise.Noise(0, "training queries").order(_keys(collection.query_ids, asked))
        known = known.of_queries(asked[order[:queries]])
    table = np.full((len(known), 0), -1, np.int32)
    if negatives is not None and negatives.documents.shape[1]:
        if not np.isin(known.queries, negatives.queries).all():
            raise ValueError("the negatives were drawn for other queries than those of the training split")
        table = negatives.documents[np.searchsorted(negatives.queries, known.queries)]
    mix = noise.Noise(0, "rows")
    query_keys = _keys(collection.query_ids, known.queries)
    keys = mix.bits(query_keys, _keys(collection.document_ids, known.documents))
    return Instances(known.queries, known.documents, table, known, keys)


def _keys(ids: Sequence[str], rows: Int32) -> UInt64:
    """Return the hash of the id of each of ``rows``, and hash no other id."""
    used, at = np.unique(rows, return_inverse=True)
    return noise.keys([ids[row] for row in used.tolist()])[at]


class Collator:
    """Turns the row numbers of a batch into inputs for queries and documents, and a ``label`` dict of tensors.

    A query or document that stands several times in the batch is encoded once, and tokenised once a training. Each
    side comes longest text first, cut into chunks of at most ``chunk_tokens`` tokens, padding included: features
    ``query0``, ``query1``, ..., ``document0``, ... ``label`` has ``query_chunks`` int64 (how many features are
    queries), ``row_query`` int64 [B] (which of the encoded queries a row asks), ``target`` int64 [B] (the column of
    its positive) and ``counted`` bool [B, D] (False at a query's other known positives, wherever in the batch they
    came from).
    """

    valid_label_columns: tuple[str, ...] = ()

    def __init__(self, data: Instances, collection: Collection, model: SentenceTransformer, chunk_tokens: int) -> None:
        self.data = data
        self.chunk_tokens = chunk_tokens
        self.model = model
        used = np.unique(np.concatenate([data.positives, data.negatives.ravel()]))
        self.rows = {"query": np.unique(data.queries), "document": used[used >= 0]}
        """Which rows of the collection are tokenised, ascending."""
        passages = Passages(collection.titles, collection.texts)
        self.tokens = {
            "query": tokenised(model, [collection.queries[row] for row in self.rows["query"]], "query"),
            "document": tokenised(model, [passages[row] for row in self.rows["document"]], "document"),
        }
        self.read = {"queries": 0, "documents": 0, "tokens": 0}
        """How many texts and tokens were handed out so far, padding apart."""

    def __call__(self, features: Sequence[dict[str, int]]) -> dict[str, Any]:
        """Return ``query*_*`` and ``document*_*`` tensors and ``label``."""
        import torch

        rows = np.array([feature["row"] for feature in features])
        mine, positives = self.data.queries[rows], self.data.positives[rows]
        used = np.concatenate([positives, self.data.negatives[rows].ravel()])
        chunks = {"query": self._chunks("query", mine), "document": self._chunks("document", used[used >= 0])}
        asked, documents = (self.rows[side][np.concatenate(chunks[side])] for side in ("query", "document"))
        target = (documents[None, :] == positives[:, None]).argmax(axis=1)
        counted = ~self.data.known.contains(mine[:, None], documents[None, :])
        counted[np.arange(len(rows)), target] = True
        batch: dict[str, Any] = {
            "return_loss": True,
            "label": {
                "query_chunks": torch.tensor(len(chunks["query"])),
                "row_query": torch.from_numpy((asked[None, :] == mine[:, None]).argmax(axis=1)),
                "target": torch.from_numpy(target),
                "counted": torch.from_numpy(counted),
            },
        }
        for side, pieces in chunks.items():
            for at, piece in enumerate(pieces):
                inputs = self.tokens[side].padded(piece, self.model)
                batch |= {f"{side}{at}_{name}": value for name, value in inputs.items()}
                self.read["tokens"] += int(self.tokens[side].lengths[piece].sum())
        self.read["queries"] += len(asked)
        self.read["documents"] += len(documents)
        return batch

    def _chunks(self, side: str, rows: Int32) -> list[Int64]:
        """Return the texts of ``rows``, each once, longest first, as positions in what was tokenised."""
        return self.tokens[side].chunks(np.searchsorted(self.rows[side], np.unique(rows)), self.chunk_tokens)
