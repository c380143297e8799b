"""Shared records: judgments, collections, candidate pools and draws.

Ids are strings at the edge (files, tables) and row numbers inside. Everything here is immutable by
convention: make a changed copy with ``dataclasses.replace``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from negbench.features import Feature
from negbench.types.given import GivenCandidates as GivenCandidates
from negbench.types.passages import Passages as Passages
from negbench.types.places import Places as Places

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Vectors = NDArray[np.float32] | NDArray[np.float16]
Bool = NDArray[np.bool_]

TruthKind = Literal["none", "proxy", "complete"]

ORIGINS = ("ranked", "random_fill", "synthetic")
"""Where a negative came from, by code: 0 the candidate pool, 1 random fill after a shortfall, 2 a language model."""


@dataclass(frozen=True, slots=True)
class Qrels:
    """Judgments of one split as parallel arrays of rows, sorted by (query, document) without duplicates."""

    queries: Int32
    documents: Int32
    grades: Int32

    @classmethod
    def of(cls, judgments: list[tuple[int, int, int]]) -> Qrels:
        """Build from (query row, document row, grade) triples in any order; the last of a duplicate wins."""
        unique = sorted({(query, document): grade for query, document, grade in judgments}.items())
        table = np.array([(q, d, g) for (q, d), g in unique], dtype=np.int32).reshape(-1, 3)
        return cls(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy())

    @classmethod
    def both(cls, one: Qrels, other: Qrels) -> Qrels:
        """Return the judgments of two tables; the second wins for a pair that is in both."""
        return cls.of([*one.triples(), *other.triples()])

    def triples(self) -> list[tuple[int, int, int]]:
        """Return the judgments as (query row, document row, grade)."""
        return list(zip(self.queries.tolist(), self.documents.tolist(), self.grades.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.queries)

    def at_least(self, grade: int) -> Qrels:
        """Return only the judgments whose grade is ``grade`` or more."""
        return self.where(self.grades >= grade)

    def of_queries(self, queries: Int32) -> Qrels:
        """Return only the judgments of these query rows."""
        return self.where(np.isin(self.queries, queries))

    def with_copies(self, copies: Mapping[int, Int32]) -> Qrels:
        """Return the judgments and, where ``copies`` has a document's row, the same grade for the rows it maps to.

        A pair that is judged here keeps its own grade; of several documents it copies, the highest grade counts.
        """
        more = [
            (query, copy, grade)
            for query, document, grade in self.triples()
            if document in copies
            for copy in copies[document].tolist()
        ]
        return Qrels.both(Qrels.of(sorted(more, key=lambda it: it[2])), self) if more else self

    def where(self, keep: Bool) -> Qrels:
        """Return only the judgments that ``keep`` [J] marks."""
        return Qrels(self.queries[keep], self.documents[keep], self.grades[keep])

    def by_query(self) -> dict[int, Int32]:
        """Map each judged query row to its document rows, in ascending order."""
        rows, starts = np.unique(self.queries, return_index=True)
        return dict(zip(rows.tolist(), np.split(self.documents, starts[1:]), strict=True)) if len(rows) else {}

    def contains(self, queries: NDArray[np.integer], documents: NDArray[np.integer]) -> Bool:
        """Tell for each (query row, document row), broadcast, whether it is judged here; row -1 never is."""
        width = np.int64(1) << 32
        judged = self.queries.astype(np.int64) * width + self.documents  # ascending, as the rows are
        wanted = np.asarray(queries, np.int64) * width + np.asarray(documents, np.int64)
        if not len(judged):
            return np.zeros(wanted.shape, np.bool_)
        position = np.minimum(np.searchsorted(judged, wanted), len(judged) - 1)
        return np.asarray((judged[position] == wanted) & (np.asarray(documents) >= 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A corpus, queries, and judgments by split.

    ``truth`` holds fuller judgments of some splits: all relevant pairs where ``truth_kind`` is ``complete``,
    more than ``qrels`` but not all where it is ``proxy``. Only evaluation may read it.
    ``warnings`` are sentences for the user, each with its count. ``equal_texts`` [documents] is, for each document, the
    row of the first one with the same text after normalisation (``collections.duplicates``); None where texts were not
    compared. ``copies_known``: whether a document with the text of a labelled positive is a known positive in mining.
    ``given`` are candidates that came with the collection, None for none. ``parents`` [documents], where documents are
    passages, is for each the row of the first passage of the document that it was cut from (``collections.cut``).
    ``places``: where texts without ids were read.
    """

    name: str
    document_ids: list[str]
    titles: list[str]
    texts: list[str]
    query_ids: list[str]
    queries: list[str]
    qrels: dict[str, Qrels]
    truth: dict[str, Qrels] = field(default_factory=dict)
    truth_kind: TruthKind = "none"
    warnings: tuple[str, ...] = ()
    equal_texts: Int32 | None = None
    copies_known: bool = True
    given: GivenCandidates | None = None
    parents: Int32 | None = None
    places: Places | None = None

    def passages(self) -> list[str]:
        """Return what an encoder reads of each document: title, a space, text."""
        return list(Passages(self.titles, self.texts))

    def split_queries(self, split: str) -> Int32:
        """Return the rows of the queries that have a positive (grade above 0) in ``split``, ascending."""
        return np.unique(self.qrels[split].at_least(1).queries)

    def copies(self) -> dict[int, Int32]:
        """Return the rows of all documents with the same text, for each document that is not alone with its text.

        Empty where texts were not compared.
        """
        return {} if self.equal_texts is None else _groups(self.equal_texts)

    def known_copies(self) -> dict[int, Int32]:
        """Return for a document the rows of those that are known positives where it is one.

        These are its ``copies``, unless copies are not known, and all passages of its parent.
        """
        copies = self.copies() if self.copies_known else {}
        siblings = {} if self.parents is None else _groups(self.parents)
        both = {row: np.union1d(copies[row], siblings[row]) for row in copies.keys() & siblings.keys()}
        return {**copies, **siblings, **both}

    def by_parent(self) -> Collection:
        """Return the same with each judgment on the first passage of its document; itself without ``parents``."""
        if self.parents is None:
            return self
        of = self.parents
        qrels = {
            split: Qrels.of(sorted(((q, int(of[d]), g) for q, d, g in table.triples()), key=lambda it: it[2]))
            for split, table in self.qrels.items()
        }
        return replace(self, qrels=qrels, parents=None)

    def own_documents(self) -> Int32:
        """Return for each query [queries] the row of the document that it was taken from, -1 for none.

        That is a document with the query's id whose title or text holds the query's text, as in ArguAna and SCIDOCS:
        no retriever may be praised for finding it. Equal ids alone say nothing (Cranfield numbers both from 1).
        """
        named = set(self.query_ids)  # of many documents, few or none have the id of a query
        row_of = {document: row for row, document in enumerate(self.document_ids) if document in named}
        own = np.full(len(self.query_ids), -1, np.int32)
        for query, (name, text) in enumerate(zip(self.query_ids, self.queries, strict=True)):
            row = row_of.get(name)
            if row is not None and _holds(f"{self.titles[row]} {self.texts[row]}", text):
                own[query] = row
        return own


def _groups(leaders: Int32) -> dict[int, Int32]:
    """Return the rows that have the same leader, for each row that shares its own."""
    order = np.argsort(leaders, kind="stable").astype(np.int32)
    _, starts, sizes = np.unique(leaders[order], return_index=True, return_counts=True)
    groups = [order[start : start + size] for start, size in zip(starts, sizes, strict=True) if size > 1]
    return {row: group for group in groups for row in group.tolist()}


def _holds(document: str, query: str) -> bool:
    """Tell whether the query stands in the document as whole words, letter case and white space apart."""
    folded = " ".join(query.lower().split())
    return re.search(rf"(?<!\w){re.escape(folded)}(?!\w)", " ".join(document.lower().split())) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatePool:
    """The top rows of one retriever for each of Q queries, best first.

    ``documents`` [Q, K] holds document rows, -1 past the end of a short list. ``scores`` [Q, K] are the
    retriever's own (higher is better), NaN past the end. ``known`` [Q, K] marks labelled positives and the
    query's own document, which no sampler may return. A column is a rank of the raw ranking: nothing has been
    taken out. ``positives`` and ``positive_scores`` [Q, P] are the labelled positives, padded with -1 and NaN;
    a positive's score is NaN where the retriever cannot score it.
    ``query_keys`` [Q] and ``document_keys`` [Q, K] are stable hashes of the ids, which seeded noise needs.
    ``excluded`` [Q, K] marks what filters threw out.
    ``recall`` is the share of the exact top K that an approximate retriever found, 1.0 for an exact one. ``note`` is
    the retriever's, for a reader of the results. ``corpus_size`` is the number of documents that were searched, None
    where nobody says.

    ``features`` holds values that the method's parts require, by class of requirement (``requirements.PoolFeature``).
    A stored pool has none.
    """

    queries: Int32
    documents: Int32
    scores: Float32
    known: Bool
    positives: Int32
    positive_scores: Float32
    query_keys: UInt64
    document_keys: UInt64
    excluded: Bool | None = None
    recall: float = 1.0
    corpus_size: int | None = None
    note: str = ""
    features: Mapping[type[Any], Feature] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """K, the number of ranks held."""
        return int(self.documents.shape[1])

    def positive_score(self, which: Literal["highest", "lowest"]) -> Float64:
        """Return the score [Q] of the query's highest or lowest labelled positive, NaN where none has a score."""
        return extreme_score(self.positive_scores, which)

    def available(self) -> Bool:
        """Return [Q, K]: a document with a score that is a number, no known positive, and past all filters."""
        allowed = (self.documents >= 0) & ~self.known & ~np.isnan(self.scores)
        return allowed if self.excluded is None else allowed & ~self.excluded

    def without(self, thrown_out: Bool) -> CandidatePool:
        """Return the pool with the candidates marked in ``thrown_out`` [Q, K] excluded as well."""
        return replace(self, excluded=thrown_out if self.excluded is None else self.excluded | thrown_out)

    def with_feature(self, kind: type[Any], feature: Feature) -> CandidatePool:
        """Return the pool with the feature for requirements of class ``kind``."""
        return replace(self, features={**self.features, kind: feature})

    def of_queries(self, rows: NDArray[np.integer]) -> CandidatePool:
        """Return the pool of the queries at ``rows``, in that order, with their features."""
        tables = {name: getattr(self, name) for name in BY_QUERY}
        cut = {name: table[rows] for name, table in tables.items() if table is not None}
        return replace(self, **cut, features={kind: it.of_queries(rows) for kind, it in self.features.items()})


def extreme_score(scores: Float32, which: Literal["highest", "lowest"]) -> Float64:
    """Return the highest or lowest finite score of each line [Q] of ``scores`` [Q, P], NaN where there is none."""
    exact = scores.astype(np.float64)
    worst, pick = (-np.inf, np.max) if which == "highest" else (np.inf, np.min)
    extreme = pick(np.where(np.isfinite(exact), exact, worst), axis=1, initial=worst)
    return np.where(np.isfinite(extreme), extreme, np.nan)


BY_QUERY = (
    "queries",
    "documents",
    "scores",
    "known",
    "positives",
    "positive_scores",
    "query_keys",
    "document_keys",
    "excluded",
)
"""The fields of ``CandidatePool`` with a row for each query."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a sampler chose: ``positions`` [Q, k] into the pool's columns, -1 for a declared shortfall.

    -2 is a slot that the sampler leaves to the other rows of the batch: it is not filled.

    The positions come in the order of drawing. ``effective_size`` [Q] is the effective number of candidates
    that the selection chose among, exp(entropy) of its distribution: 1 means that chance had no say.
    """

    positions: Int32
    effective_size: Float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Negatives:
    """The negatives of Q queries as training gets them, after filters and fill.

    ``documents`` [Q, k] are document rows (-1 where even the fill found none), ``origins`` [Q, k] index
    ``ORIGINS``, ``ranks`` [Q, k] are zero-based raw ranks in the pool (-1 for filled ones), ``scores`` [Q, k]
    the retriever's (NaN for filled ones), ``effective_size`` [Q] as in ``Draw``.

    ``positives`` [Q, P] are the queries' labelled positives (-1 is padding) and ``positive_weights`` [Q, P] what
    each weighs in training; ``promoted`` [Q, M] are further documents that count as positives (-1 is padding). Without
    label rules the weights are 1 and nothing is promoted.

    ``epochs``: how many draws stand side by side, one for each epoch of the training. Those of epoch e are the columns
    from ``e * k / epochs`` on. With 1, every epoch gets the same.
    """

    queries: Int32
    documents: Int32
    origins: Int32
    ranks: Int32
    scores: Float32
    effective_size: Float32
    positives: Int32
    positive_weights: Float32
    promoted: Int32
    epochs: int = 1

    @property
    def width(self) -> int:
        """Number of negatives per query in one epoch."""
        return int(self.documents.shape[1]) // self.epochs

    def of_epoch(self, epoch: int) -> Negatives:
        """Return the negatives that training gets in ``epoch``, counted from 0."""
        begin = self.width * (epoch if self.epochs > 1 else 0)
        here = {name: getattr(self, name)[:, begin : begin + self.width] for name in BY_SLOT}
        return replace(self, epochs=1, **here)

    def only(self, epochs: Sequence[int] | set[int]) -> Negatives:
        """Return the same without the draws of other ``epochs`` than these."""
        if self.epochs == 1:
            return self
        gone = ~np.isin(np.arange(self.documents.shape[1]) // self.width, list(epochs))
        return self.without(np.broadcast_to(gone, self.documents.shape))

    def without(self, gone: Bool) -> Negatives:
        """Return the same with the slots in ``gone`` [Q, k] empty: documents -1, no origin, rank or score."""
        return replace(
            self,
            documents=np.where(gone, np.int32(-1), self.documents),
            origins=np.where(gone, np.int32(0), self.origins),
            ranks=np.where(gone, np.int32(-1), self.ranks),
            scores=np.where(gone, np.float32(np.nan), self.scores),
        )

    @classmethod
    def side_by_side(cls, draws: Sequence[Negatives]) -> Negatives:
        """Return the draws of successive epochs as one record.

        All are of the same queries, in the same order, and of the same number of negatives. What any of them
        promoted is promoted in all.
        """
        first = draws[0]
        slots = {name: np.concatenate([getattr(draw, name) for draw in draws], axis=1) for name in BY_SLOT}
        sizes = np.stack([draw.effective_size for draw in draws]).mean(axis=0).astype(np.float32)
        promoted = _union([draw.promoted for draw in draws])
        epochs = sum(draw.epochs for draw in draws)
        return replace(first, effective_size=sizes, promoted=promoted, epochs=epochs, **slots)

    @classmethod
    def without_rules(
        cls, queries: Int32, documents: Int32, origins: Int32, ranks: Int32, scores: Float32, effective_size: Float32
    ) -> Negatives:
        """Return negatives drawn without any label rule."""
        nothing = np.full((len(queries), 0), -1, np.int32)
        positive_weights = np.ones((len(queries), 0), np.float32)
        return cls(
            queries=queries,
            documents=documents,
            origins=origins,
            ranks=ranks,
            scores=scores,
            effective_size=effective_size,
            positives=nothing,
            positive_weights=positive_weights,
            promoted=nothing,
        )


def _union(tables: Sequence[Int32]) -> Int32:
    """Return the distinct rows above -1 in each line of tables [Q, M], first in their line, padded with -1."""
    if all(np.array_equal(table, tables[0]) for table in tables):
        return tables[0]
    joined = np.concatenate(tables, axis=1)
    lines = [np.unique(line[line >= 0]) for line in joined]
    union = np.full((len(lines), max(map(len, lines), default=0)), -1, np.int32)
    for row, line in enumerate(lines):
        union[row, : len(line)] = line
    return union


BY_SLOT = ("documents", "origins", "ranks", "scores")
"""The fields of ``Negatives`` with a column for each negative."""
