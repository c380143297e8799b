"""What the loop eats: training rows, and the collator that turns row numbers into model inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench import noise
from negbench.encoders.tokens import Side, Tokens, tokenised
from negbench.errors import InputError
from negbench.training.recipe import Recipe
from negbench.training.targets import Targets
from negbench.types import Bool, Collection, Float32, Int32, Int64, Negatives, Passages, Qrels, UInt64, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, slots=True)
class Instances:
    """R training rows: ``queries`` [R] and ``positives`` [R] are rows of the collection, ``negatives`` [R, k].

    -1 marks a missing negative. ``weights`` float32 [R] is what a row weighs in the loss. ``known`` holds every
    positive of these queries, labelled and promoted, and, where the collection counts them, documents with the text of
    one; ``keys`` [R] a stable hash of each row's labelled pair of ids.
    ``targets`` are there where the loss asks for some, ``guide`` where it is guided.
    """

    queries: Int32
    positives: Int32
    negatives: Int32
    weights: Float32
    known: Qrels
    keys: UInt64
    targets: Targets | None = None
    guide: Targets | None = None


def instances(
    collection: Collection,
    split: str,
    negatives: Negatives | None,
    recipe: Recipe | None = None,
    seed: int = 0,
    growing: bool = False,
) -> Instances:
    """Make a row of every labelled (query, positive) pair of ``split``, with its query's negatives of every epoch.

    Row ``epoch * R + r`` is row r of R in that epoch. No row is dropped, whether or not its query has negatives; None
    stands for a method without any. With ``recipe.queries`` only that many queries take part, chosen by their ids:
    those of a smaller number are among those of a larger. Raises InputError where there are fewer.

    Where a query has M promoted documents beside its P labelled ones, each of its rows hands its place to one of
    them in M of M + P epochs, so that all are asked about equally often and the number of rows stays. ``growing``
    begins with one negative a row and ends with all. Without a recipe there is one epoch.
    """
    recipe = recipe or Recipe()
    labels = collection.qrels[split].at_least(1)
    if recipe.queries is not None:
        asked = np.unique(labels.queries)
        if recipe.queries > len(asked):
            raise InputError(
                f"train.queries: {recipe.queries} asked for, but {split} of {collection.name} has {len(asked)}"
            )
        order = noise.Noise(0, "training queries").order(_keys(collection.query_ids, asked))
        labels = labels.of_queries(asked[order[: recipe.queries]])
    query_keys = _keys(collection.query_ids, labels.queries)
    keys = noise.Noise(0, "rows").bits(query_keys, _keys(collection.document_ids, labels.documents))
    ones = np.ones(len(labels), np.float32)
    if negatives is None:
        nothing = np.full((len(labels), 0), -1, np.int32)
        known = labels.with_copies(collection.known_copies())
        same = Instances(labels.queries, labels.documents, nothing, ones, known, keys)
        return _stacked([same] * recipe.epochs)
    if not np.isin(labels.queries, negatives.queries).all():
        raise ValueError("the negatives were drawn for other queries than those of the training split")
    at = np.searchsorted(negatives.queries, labels.queries)
    known = _with_promoted(labels, negatives).with_copies(collection.known_copies())
    trust = ones
    if negatives.positives.shape[1]:
        column = (negatives.positives[at] == labels.documents[:, None]).argmax(axis=1)
        trust = negatives.trust[at, column]
    epochs = []
    for epoch in range(recipe.epochs):
        table = negatives.of_epoch(epoch).documents[at]
        if growing:
            table = table.copy()
            table[:, -(-table.shape[1] * (epoch + 1) // recipe.epochs) :] = -1
        positives = _stand_ins(labels, negatives.promoted[at], keys, seed, epoch)
        weights = np.where(positives == labels.documents, trust, np.float32(1))
        epochs.append(Instances(labels.queries, positives, table, weights, known, keys))
    return _stacked(epochs)


def _stand_ins(labels: Qrels, promoted: Int32, keys: UInt64, seed: int, epoch: int) -> Int32:
    """Return the positive [R] of each row in an epoch: its own, or one of its query's ``promoted`` [R, M]."""
    many = (promoted >= 0).sum(axis=1)  # they come first in a row
    _, row, labelled = np.unique(labels.queries, return_inverse=True, return_counts=True)
    ticket = noise.Noise(seed, "stand-ins", epoch).uniform(keys) * (many + labelled[row])
    chosen = np.minimum(ticket.astype(np.int64), many)
    stands_in = chosen < many
    found = labels.documents.copy()
    found[stands_in] = promoted[stands_in, chosen[stands_in]]
    return found


def _with_promoted(labels: Qrels, negatives: Negatives) -> Qrels:
    query, column = np.nonzero(negatives.promoted >= 0)
    if not len(query):
        return labels
    mine = np.isin(negatives.queries[query], labels.queries)
    more = zip(negatives.queries[query[mine]].tolist(), negatives.promoted[query, column][mine].tolist(), strict=True)
    return Qrels.of([*[(q, d, 1) for q, d in more], *labels.triples()])


def _stacked(epochs: Sequence[Instances]) -> Instances:
    first = epochs[0]
    return Instances(
        np.concatenate([it.queries for it in epochs]),
        np.concatenate([it.positives for it in epochs]),
        np.concatenate([it.negatives for it in epochs]),
        np.concatenate([it.weights for it in epochs]),
        first.known,
        first.keys,
    )


def in_rounds(rounds: Sequence[Instances]) -> Instances:
    """Return the rows of several rounds one after another; what one of them promoted is known in all."""
    known = Qrels.of([judgment for one in rounds for judgment in one.known.triples()])
    return replace(_stacked(rounds), known=known)


def _keys(ids: Sequence[str], rows: Int32) -> UInt64:
    """Return the hash of the id of each of ``rows``, and hash no other id."""
    used, at = np.unique(rows, return_inverse=True)
    return noise.keys([ids[row] for row in used.tolist()])[at]


def marks(data: Instances, rows: Int64, documents: Int32) -> tuple[Int64, Bool, Bool]:
    """Return ``target`` [B], ``relevant`` and ``own`` [B, D], as in ``losses.Scored``, of a batch.

    It holds ``rows`` [B] of ``data`` and the distinct ``documents`` [D], each row's positive and negatives among them.
    """
    mine, positives = data.queries[rows], data.positives[rows]
    target = (documents[None, :] == positives[:, None]).argmax(axis=1)
    relevant = data.known.contains(mine[:, None], documents[None, :])
    relevant[np.arange(len(rows)), target] = True
    own = np.zeros(relevant.shape, np.bool_)
    row, column = np.nonzero(data.negatives[rows] >= 0)
    order = np.argsort(documents)
    own[row, order[np.searchsorted(documents, data.negatives[rows][row, column], sorter=order)]] = True
    return target, relevant, own


def told(data: Instances, rows: Int64, documents: Int32) -> dict[str, Float32]:
    """Return ``targets`` and ``guide`` [B, D], as in ``losses.Scored``, of the batch of ``marks``: those there are."""
    known = {"targets": data.targets, "guide": data.guide}
    return {name: it.of(data.queries[rows], documents) for name, it in known.items() if it is not None}


class Collator:
    """Turns the row numbers of a batch into inputs for queries and documents, and a ``label`` dict of tensors.

    A query or document that stands several times in the batch is encoded once, and tokenised once a training. Each
    side comes longest text first, cut into chunks of at most ``chunk_tokens`` tokens, padding included: features
    ``query0``, ``query1``, ..., ``document0``, ... ``label`` has ``query_chunks`` int64 (how many features are
    queries), ``row_query`` int64 [B] (which of the encoded queries a row asks), ``document_rows`` int32 [D] (which
    documents of the collection are there), ``weight`` float32 [B], and ``target``, ``relevant``, ``own`` and, where
    there are any, ``targets`` and ``guide`` as in ``losses.Scored``. Where ``documents`` [N, d] are given, which are
    not trained, ``label`` has the vectors of the batch's, ``documents`` float32 [D, d], and no document is read.

    ``shares``: how many processes there are to encode a batch; each side is cut into pieces for all of them.
    """

    valid_label_columns: tuple[str, ...] = ()

    def __init__(
        self,
        data: Instances,
        collection: Collection,
        model: SentenceTransformer,
        chunk_tokens: int,
        shares: int = 1,
        documents: Vectors | None = None,
    ) -> None:
        self.documents = documents
        self.rows: dict[str, Int32] = {}
        """Which rows of the collection are tokenised, in the order of ``tokens``."""
        self.tokens: dict[str, Tokens] = {}
        self.chunk_tokens = chunk_tokens
        self.shares = shares
        self.model = model
        self.collection = collection
        self.read = {"queries": 0, "documents": 0, "tokens": 0}
        """How many texts and tokens were handed out so far, padding apart."""
        self.renew(data)

    def renew(self, data: Instances) -> None:
        """Look rows up in ``data`` from now on."""
        self.data = data
        self._tokenise("query", self.collection.queries, data.queries)
        if self.documents is None:
            used = np.concatenate([data.positives, data.negatives.ravel()])
            passages = Passages(self.collection.titles, self.collection.texts)
            self._tokenise("document", passages, used[used >= 0])

    def _tokenise(self, side: Side, texts: Sequence[str], rows: Int32) -> None:
        """Tokenise those of the texts of ``rows`` that are not there yet: of few, where rows change at every step."""
        known = self.rows.get(side, np.zeros(0, np.int32))
        new = np.setdiff1d(rows, known)
        if side in self.rows and not len(new):
            return
        found = tokenised(self.model, [texts[row] for row in new.tolist()], side)
        self.tokens[side] = self.tokens[side].followed_by(found) if side in self.tokens else found
        self.rows[side] = np.concatenate([known, new])

    def __call__(self, features: Sequence[dict[str, int]]) -> dict[str, Any]:
        """Return ``query*_*`` and ``document*_*`` tensors and ``label``."""
        import torch

        rows = np.array([feature["row"] for feature in features])
        mine, positives = self.data.queries[rows], self.data.positives[rows]
        used = np.concatenate([positives, self.data.negatives[rows].ravel()])
        used = used[used >= 0]
        chunks = {"query": self._chunks("query", mine)}
        if self.documents is None:
            chunks["document"] = self._chunks("document", used)
        asked = self.rows["query"][np.concatenate(chunks["query"])]
        documents = np.unique(used)
        if self.documents is None:
            documents = self.rows["document"][np.concatenate(chunks["document"])]
        target, relevant, own = marks(self.data, rows, documents)
        batch: dict[str, Any] = {
            "return_loss": True,
            "label": {
                "query_chunks": torch.tensor(len(chunks["query"])),
                "row_query": torch.from_numpy((asked[None, :] == mine[:, None]).argmax(axis=1)),
                "target": torch.from_numpy(target),
                "relevant": torch.from_numpy(relevant),
                "own": torch.from_numpy(own),
                "document_rows": torch.from_numpy(documents),
                "weight": torch.from_numpy(self.data.weights[rows]),
            },
        }
        if self.documents is not None:
            batch["label"]["documents"] = torch.from_numpy(np.asarray(self.documents[documents], np.float32))
        answers = told(self.data, rows, documents)
        batch["label"] |= {name: torch.from_numpy(answer) for name, answer in answers.items()}
        for side, pieces in chunks.items():
            for at, piece in enumerate(pieces):
                inputs = self.tokens[side].padded(piece, self.model)
                batch |= {f"{side}{at}_{name}": value for name, value in inputs.items()}
                self.read["tokens"] += int(self.tokens[side].lengths[piece].sum())
        self.read["queries"] += len(asked)
        self.read["documents"] += len(documents) if self.documents is None else 0
        return batch

    def _chunks(self, side: str, rows: Int32) -> list[Int64]:
        """Return the texts of ``rows``, each once, longest first, as positions in what was tokenised."""
        order = np.argsort(self.rows[side])
        texts = order[np.searchsorted(self.rows[side], np.unique(rows), sorter=order)]
        most = self.chunk_tokens
        if self.shares > 1:
            most = min(most, -(-int(self.tokens[side].lengths[texts].sum()) // self.shares))
        return self.tokens[side].chunks(texts, most)
