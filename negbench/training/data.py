"""Training rows, and the collator that turns row numbers into model inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench import rng
from negbench.encoders.tokens import Limits, Side, Tokens, tokenised
from negbench.errors import InputError
from negbench.requirements import PairTarget, TeacherMatch
from negbench.training.recipe import Recipe
from negbench.training.targets import Targets, VectorTargets
from negbench.types import Bool, Collection, Float32, Int32, Int64, Negatives, Passages, Qrels, UInt64, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """R training rows: ``queries`` [R] and ``positives`` [R] are rows of the collection, ``negatives`` [R, k].

    -1 marks a missing negative. ``weights`` float32 [R] is what a row weighs in the loss. ``known`` holds every
    positive of these queries, labelled and promoted, and, where the collection counts them, documents with the text of
    one; ``keys`` [R] a stable hash of each row's labelled pair of ids. ``kept`` [R] marks the rows that are trained on;
    None for all. ``targets`` are what the loss requires, by class of requirement. ``further_positives`` [R, p] are
    other positives of the row's query that its batch holds, for a loss that asks for them; -1 marks a missing one.
    """

    queries: Int32
    positives: Int32
    negatives: Int32
    weights: Float32
    known: Qrels
    keys: UInt64
    kept: Bool | None = None
    targets: Mapping[type[PairTarget], Targets] = field(default_factory=dict)
    further_positives: Int32 | None = None

    def documents(self, rows: Int64 | slice) -> Int32:
        """Return the distinct documents of a batch of ``rows``, ascending."""
        further = () if self.further_positives is None else (self.further_positives[rows].ravel(),)
        documents = np.unique(np.concatenate([self.positives[rows], self.negatives[rows].ravel(), *further]))
        return documents[documents >= 0]


def instances(
    collection: Collection,
    split: str,
    negatives: Negatives | None,
    recipe: Recipe | None = None,
    seed: int = 0,
    growing: bool = False,
    further_positives: int = 0,
    without_short: bool = False,
) -> Instances:
    """Make a row of every labelled (query, positive) pair of ``split``, with its query's negatives of every epoch.

    Row ``epoch * R + r`` is row r of R in that epoch. ``without_short``: rows of an epoch in which their query has no
    negative are not ``kept``; else all are. None stands for a method without any negatives. With ``recipe.queries``
    only that many queries take part, chosen by their ids: those of a smaller number are among those of a larger. Raises
    InputError where there are fewer.

    Where a query has M promoted documents beside its P labelled ones, one of them replaces the positive of each
    of its rows in M of M + P epochs, so that all are used equally often and the number of rows stays. ``growing``
    begins with one negative a row and ends with all. Without a recipe there is one epoch. So many
    ``further_positives`` of the query, labelled or promoted, are drawn for each row and epoch, the same for its rows.
    """
    recipe = recipe or Recipe()
    labels = collection.qrels[split].at_least(1)
    if recipe.queries is not None:
        asked = np.unique(labels.queries)
        if recipe.queries > len(asked):
            raise InputError(
                f"train.queries: {recipe.queries} asked for, but {split} of {collection.name} has {len(asked)}; ask "
                "for fewer"
            )
        order = rng.CounterRNG(0, "training queries").order(_keys(collection.query_ids, asked))
        labels = labels.of_queries(asked[order[: recipe.queries]])
    query_keys = _keys(collection.query_ids, labels.queries)
    keys = rng.CounterRNG(0, "rows").bits(query_keys, _keys(collection.document_ids, labels.documents))
    ones = np.ones(len(labels), np.float32)
    if negatives is None:
        nothing = np.full((len(labels), 0), -1, np.int32)
        known = labels.with_copies(collection.known_copies())
        same = Instances(
            queries=labels.queries, positives=labels.documents, negatives=nothing, weights=ones, known=known, keys=keys
        )
        return _with_further_positives(_stacked([same] * recipe.epochs), labels, collection, further_positives, seed)
    if not np.isin(labels.queries, negatives.queries).all():
        raise ValueError("the negatives were drawn for other queries than those of the training split")
    positions = np.searchsorted(negatives.queries, labels.queries)
    relevant = _with_promoted(labels, negatives)
    known = relevant.with_copies(collection.known_copies())
    positive_weights = ones
    if negatives.positives.shape[1]:
        column = (negatives.positives[positions] == labels.documents[:, None]).argmax(axis=1)
        positive_weights = negatives.positive_weights[positions, column]
    epochs = []
    for epoch in range(recipe.epochs):
        table = negatives.of_epoch(epoch).documents[positions]
        has_some = np.asarray((table >= 0).any(axis=1))
        if growing:
            table = table.copy()
            table[:, -(-table.shape[1] * (epoch + 1) // recipe.epochs) :] = -1
        positives = _stand_ins(labels, negatives.promoted[positions], keys, seed, epoch)
        weights = np.where(positives == labels.documents, positive_weights, np.float32(1))
        epochs.append(
            Instances(
                queries=labels.queries,
                positives=positives,
                negatives=table,
                weights=weights,
                known=known,
                keys=keys,
                kept=has_some if without_short and table.shape[1] else None,
            )
        )
    return _with_further_positives(_stacked(epochs), relevant, collection, further_positives, seed)


def _with_further_positives(
    data: Instances, relevant: Qrels, collection: Collection, count: int, seed: int
) -> Instances:
    """Return the rows with ``count`` other documents, at most, that are ``relevant`` to their queries."""
    if not count:
        return data
    pairs = _keys(collection.query_ids, relevant.queries), _keys(collection.document_ids, relevant.documents)
    queries, starts = np.unique(relevant.queries, return_index=True)
    further = np.full((len(data.queries), count), -1, np.int32)
    for row, (query, positive) in enumerate(zip(data.queries.tolist(), data.positives.tolist(), strict=True)):
        epoch, first = divmod(row, len(data.keys))
        if not first:
            ticket = rng.CounterRNG(seed, "further positives", epoch).bits(*pairs)
            drawn = np.split(relevant.documents[np.lexsort((ticket, relevant.queries))], starts[1:])
            by_query = dict(zip(queries.tolist(), drawn, strict=True))
        others = by_query[query][by_query[query] != positive][:count]
        further[row, : len(others)] = others
    return replace(data, further_positives=further)


def _stand_ins(labels: Qrels, promoted: Int32, keys: UInt64, seed: int, epoch: int) -> Int32:
    """Return the positive [R] of each row in an epoch: its own, or one of its query's ``promoted`` [R, M]."""
    many = (promoted >= 0).sum(axis=1)  # they come first in a row
    _, row, labelled = np.unique(labels.queries, return_inverse=True, return_counts=True)
    ticket = rng.CounterRNG(seed, "stand-ins", epoch).uniform(keys) * (many + labelled[row])
    chosen = np.minimum(ticket.astype(np.int64), many)
    stands_in = chosen < many
    positives = labels.documents.copy()
    positives[stands_in] = promoted[stands_in, chosen[stands_in]]
    return positives


def _with_promoted(labels: Qrels, negatives: Negatives) -> Qrels:
    query, column = np.nonzero(negatives.promoted >= 0)
    if not len(query):
        return labels
    is_asked = np.isin(negatives.queries[query], labels.queries)
    more = zip(
        negatives.queries[query[is_asked]].tolist(), negatives.promoted[query, column][is_asked].tolist(), strict=True
    )
    return Qrels.of([*[(q, d, 1) for q, d in more], *labels.triples()])


def _stacked(epochs: Sequence[Instances]) -> Instances:
    first = epochs[0]
    marked = [it.kept for it in epochs if it.kept is not None]
    return Instances(
        queries=np.concatenate([it.queries for it in epochs]),
        positives=np.concatenate([it.positives for it in epochs]),
        negatives=np.concatenate([it.negatives for it in epochs]),
        weights=np.concatenate([it.weights for it in epochs]),
        known=first.known,
        keys=first.keys,
        further_positives=_stacked_further([it.further_positives for it in epochs], [len(it.queries) for it in epochs]),
        kept=np.concatenate(marked) if len(marked) == len(epochs) else None,
    )


def _stacked_further(tables: Sequence[Int32 | None], rows: Sequence[int]) -> Int32 | None:
    """Return the tables, of which some may be None, under one another, as wide as the widest."""
    width = max(0 if table is None else table.shape[1] for table in tables)
    if not width:
        return None
    stacked = [np.full((count, width), -1, np.int32) for count in rows]
    for place, table in zip(stacked, tables, strict=True):
        if table is not None:
            place[:, : table.shape[1]] = table
    return np.concatenate(stacked)


def in_rounds(rounds: Sequence[Instances]) -> Instances:
    """Return the rows of several rounds one after another; positives promoted in one are known in all."""
    known = Qrels.of([judgment for one in rounds for judgment in one.known.triples()])
    return replace(_stacked(rounds), known=known)


def _keys(ids: Sequence[str], rows: Int32) -> UInt64:
    """Return the hash of the id of each of ``rows``; ids of other rows are not hashed."""
    used, inverse = np.unique(rows, return_inverse=True)
    return rng.keys([ids[row] for row in used.tolist()])[inverse]


def marks(data: Instances, rows: Int64, documents: Int32) -> tuple[Int64, Bool, Bool]:
    """Return a batch's ``positive_column`` [B], ``known_mask`` and ``mined_mask`` [B, D] as in ``losses.ScoredBatch``.

    It holds ``rows`` [B] of ``data`` and the distinct ``documents`` [D], those of ``data.documents`` among them.
    """
    queries, positives = data.queries[rows], data.positives[rows]
    positive_column = (documents[None, :] == positives[:, None]).argmax(axis=1)
    known_mask = data.known.contains(queries[:, None], documents[None, :])
    known_mask[np.arange(len(rows)), positive_column] = True
    mined_mask = np.zeros(known_mask.shape, np.bool_)
    row, column = np.nonzero(data.negatives[rows] >= 0)
    order = np.argsort(documents)
    mined_mask[row, order[np.searchsorted(documents, data.negatives[rows][row, column], sorter=order)]] = True
    return positive_column, known_mask, mined_mask


def target_scores(data: Instances, rows: Int64, documents: Int32) -> dict[type[PairTarget], Float32]:
    """Return ``targets`` [B, D] each, as in ``losses.ScoredBatch``, of the batch of ``marks``.

    A teacher's vectors are not among them: they are compared with the encoder's own in training.
    """
    stored = {kind: targets for kind, targets in data.targets.items() if kind is not TeacherMatch}
    return {kind: targets.of(data.queries[rows], documents) for kind, targets in stored.items()}


class Collator:
    """Turns the row numbers of a batch into inputs for queries and documents, and a ``label`` dict of tensors.

    A query or document that stands several times in the batch is encoded once, and tokenised once a training. Each
    side comes longest text first, cut into chunks of at most ``chunk_tokens`` tokens, padding included: features
    ``query0``, ``query1``, ..., ``document0``, ... ``label`` has ``query_chunks`` int64 (number of features with
    queries), ``row_query`` int64 [B] (index of each row's query among the encoded ones), ``document_rows`` int32 [D]
    (rows of the batch's documents in the collection), ``weight`` float32 [B], and ``positive_column``, ``known_mask``,
    ``mined_mask`` and ``targets`` as in ``losses.ScoredBatch``. Where the loss has a teacher's vectors imitated, also
    ``teacher_queries`` float32 [B, m] and ``teacher_documents`` float32 [D, m]. Where ``documents`` [N, d] are given,
    vectors that are not trained, ``label`` has those of the batch, ``documents`` float32 [D, d], and no document is
    encoded.

    ``shares``: how many processes there are to encode a batch; each side is cut into pieces for all of them.
    ``limits``: tokens that a text is cut to, by side, where the model's own limit is not lower.
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
        limits: Limits | None = None,
    ) -> None:
        self.documents = documents
        self.limits = limits or {"query": None, "document": None}
        self.rows: dict[Side, Int32] = {}
        """Which rows of the collection are tokenised, in the order of ``tokens``."""
        self.tokens: dict[Side, Tokens] = {}
        self.chunk_tokens = chunk_tokens
        self.shares = shares
        self.model = model
        self.collection = collection
        self.read = {"queries": 0, "documents": 0, "tokens": 0}
        """Number of texts and tokens in batches so far, without padding."""
        self.renew(data)

    def renew(self, data: Instances) -> None:
        """Use the rows of ``data`` from now on; tokenise texts that are new."""
        self.data = data
        self._tokenise("query", self.collection.queries, data.queries)
        if self.documents is None:
            passages = Passages(self.collection.titles, self.collection.texts)
            self._tokenise("document", passages, data.documents(slice(None)))

    def _tokenise(self, side: Side, texts: Sequence[str], rows: Int32) -> None:
        """Tokenise the texts of ``rows`` that are not tokenised yet: few, where rows change at every step."""
        known = self.rows.get(side, np.zeros(0, np.int32))
        new = np.setdiff1d(rows, known)
        if side in self.rows and not len(new):
            return
        tokens = tokenised(self.model, [texts[row] for row in new.tolist()], side, self.limits[side])
        self.tokens[side] = self.tokens[side].followed_by(tokens) if side in self.tokens else tokens
        self.rows[side] = np.concatenate([known, new])

    def __call__(self, features: Sequence[dict[str, int]]) -> dict[str, Any]:
        """Return ``query*_*`` and ``document*_*`` tensors and ``label``."""
        import torch

        rows = np.array([feature["row"] for feature in features])
        queries, documents = self.data.queries[rows], self.data.documents(rows)
        chunks: dict[Side, list[Int64]] = {"query": self._chunks("query", queries)}
        if self.documents is None:
            chunks["document"] = self._chunks("document", documents)
        asked = self.rows["query"][np.concatenate(chunks["query"])]
        if self.documents is None:
            documents = self.rows["document"][np.concatenate(chunks["document"])]
        positive_column, known_mask, mined_mask = marks(self.data, rows, documents)
        batch: dict[str, Any] = {
            "return_loss": True,
            "label": {
                "query_chunks": torch.tensor(len(chunks["query"])),
                "row_query": torch.from_numpy((asked[None, :] == queries[:, None]).argmax(axis=1)),
                "positive_column": torch.from_numpy(positive_column),
                "known_mask": torch.from_numpy(known_mask),
                "mined_mask": torch.from_numpy(mined_mask),
                "document_rows": torch.from_numpy(documents),
                "weight": torch.from_numpy(self.data.weights[rows]),
            },
        }
        if self.documents is not None:
            batch["label"]["documents"] = torch.from_numpy(np.asarray(self.documents[documents], np.float32))
        teacher = self.data.targets.get(TeacherMatch)
        if isinstance(teacher, VectorTargets):
            sides = zip(("teacher_queries", "teacher_documents"), teacher.vectors(queries, documents), strict=True)
            batch["label"] |= {name: torch.from_numpy(vectors) for name, vectors in sides}
        targets = target_scores(self.data, rows, documents)
        batch["label"]["targets"] = {kind: torch.from_numpy(scores) for kind, scores in targets.items()}
        for side, pieces in chunks.items():
            for number, piece in enumerate(pieces):
                inputs = self.tokens[side].padded(piece, self.model)
                batch |= {f"{side}{number}_{name}": value for name, value in inputs.items()}
                self.read["tokens"] += int(self.tokens[side].lengths[piece].sum())
        self.read["queries"] += len(asked)
        self.read["documents"] += len(documents) if self.documents is None else 0
        return batch

    def _chunks(self, side: Side, rows: Int32) -> list[Int64]:
        """Return the texts of ``rows``, each once, longest first, as positions in what was tokenised."""
        order = np.argsort(self.rows[side])
        texts = order[np.searchsorted(self.rows[side], np.unique(rows), sorter=order)]
        most = self.chunk_tokens
        if self.shares > 1:
            most = min(most, -(-int(self.tokens[side].lengths[texts].sum()) // self.shares))
        return self.tokens[side].chunks(texts, most)
