"""What the loop eats: training rows, and the collator that turns row numbers into model inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench import noise
from negbench.types import Collection, Int32, Negatives, Qrels, UInt64

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Tokens = dict[str, Int32]
"""The inputs of one text by name (``input_ids``, ``attention_mask``, ...), each [length]."""

_TOKENISED_AT_ONCE = 1024


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


def instances(collection: Collection, split: str, negatives: Negatives | None) -> Instances:
    """Make a row of every labelled (query, positive) pair of ``split``, with its query's negatives.

    No row is dropped, whether or not its query has negatives; None stands for a method without any.
    """
    known = collection.qrels[split].at_least(1)
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
        self.pad = model.tokenizer.pad
        documents = np.unique(np.concatenate([data.positives, data.negatives.ravel()]))
        documents = documents[documents >= 0]
        self.queries = _tokenised(model, "query", np.unique(data.queries), collection.queries)
        self.documents = _tokenised(model, "document", documents, collection.passages())
        self.read = {"queries": 0, "documents": 0, "tokens": 0}
        """How many texts and tokens were handed out so far, padding apart."""

    def __call__(self, features: Sequence[dict[str, int]]) -> dict[str, Any]:
        """Return ``query*_*`` and ``document*_*`` tensors and ``label``."""
        import torch

        rows = np.array([feature["row"] for feature in features])
        mine, positives = self.data.queries[rows], self.data.positives[rows]
        used = np.concatenate([positives, self.data.negatives[rows].ravel()])
        asked = _longest_first(np.unique(mine), self.queries)
        documents = _longest_first(np.unique(used[used >= 0]), self.documents)
        target = (documents[None, :] == positives[:, None]).argmax(axis=1)
        counted = ~self.data.known.contains(mine[:, None], documents[None, :])
        counted[np.arange(len(rows)), target] = True
        sides = {
            "query": [[self.queries[row] for row in chunk] for chunk in self._chunks(asked, self.queries)],
            "document": [[self.documents[row] for row in chunk] for chunk in self._chunks(documents, self.documents)],
        }
        batch: dict[str, Any] = {
            "return_loss": True,
            "label": {
                "query_chunks": torch.tensor(len(sides["query"])),
                "row_query": torch.from_numpy((asked[None, :] == mine[:, None]).argmax(axis=1)),
                "target": torch.from_numpy(target),
                "counted": torch.from_numpy(counted),
            },
        }
        for side, chunks in sides.items():
            for at, chunk in enumerate(chunks):
                columns = {name: [text[name].tolist() for text in chunk] for name in chunk[0]}
                inputs = self.pad(columns, return_tensors="pt")
                batch |= {f"{side}{at}_{name}": value for name, value in inputs.items()}
                self.read["tokens"] += sum(len(text["input_ids"]) for text in chunk)
        self.read["queries"] += len(asked)
        self.read["documents"] += len(documents)
        return batch

    def _chunks(self, rows: Int32, texts: dict[int, Tokens]) -> list[list[int]]:
        """Cut ``rows``, longest text first, where the padded chunk would grow beyond its bound."""
        chunks: list[list[int]] = [[]]
        for row in rows.tolist():
            if chunks[-1] and (len(chunks[-1]) + 1) * _length(texts[chunks[-1][0]]) > self.chunk_tokens:
                chunks.append([])
            chunks[-1].append(row)
        return chunks


def _tokenised(model: SentenceTransformer, side: str, rows: Int32, texts: Sequence[str]) -> dict[int, Tokens]:
    """Tokenise the texts at ``rows`` as the model reads them: prompt before each, cut, without padding."""
    prompt = model.prompts.get(side, "")
    found: dict[int, Tokens] = {}
    for at in range(0, len(rows), _TOKENISED_AT_ONCE):
        some = rows[at : at + _TOKENISED_AT_ONCE].tolist()
        inputs = model.preprocess([prompt + texts[row] for row in some])
        real = inputs["attention_mask"].bool()
        columns = {name: value for name, value in inputs.items() if getattr(value, "shape", None) == real.shape}
        for place, row in enumerate(some):
            found[row] = {name: value[place][real[place]].int().numpy() for name, value in columns.items()}
    return found


def _length(text: Tokens) -> int:
    return len(text["input_ids"])


def _longest_first(rows: Int32, texts: dict[int, Tokens]) -> Int32:
    lengths = np.array([_length(texts[row]) for row in rows.tolist()])
    return rows[np.argsort(-lengths, kind="stable")]
