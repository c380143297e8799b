"""The records that travel between rooms: judgments, collections, candidate pools, draws, instances.

Ids are strings at the edge (files, tables) and row numbers inside. Everything here is immutable by
convention: make a changed copy with ``dataclasses.replace``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Vectors = NDArray[np.float32] | NDArray[np.float16]
Bool = NDArray[np.bool_]

TruthKind = Literal["none", "proxy", "complete"]

ORIGINS = ("ranked", "filled", "written")
"""Where a negative came from, by code: 0 drawn from the candidate pool, 1 filled in after a shortfall, 2 written."""


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

    def __len__(self) -> int:
        return len(self.queries)

    def at_least(self, grade: int) -> Qrels:
        """Return only the judgments whose grade is ``grade`` or more."""
        return self.where(self.grades >= grade)

    def of_queries(self, queries: Int32) -> Qrels:
        """Return only the judgments of these query rows."""
        return self.where(np.isin(self.queries, queries))

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
        mine = self.queries.astype(np.int64) * width + self.documents  # ascending, as the rows are
        wanted = np.asarray(queries, np.int64) * width + np.asarray(documents, np.int64)
        if not len(mine):
            return np.zeros(wanted.shape, np.bool_)
        at = np.minimum(np.searchsorted(mine, wanted), len(mine) - 1)
        return np.asarray((mine[at] == wanted) & (np.asarray(documents) >= 0))


@dataclass(frozen=True, slots=True)
class Collection:
    """A corpus, queries, and judgments by split.

    ``truth`` holds fuller judgments of some splits: all relevant pairs where ``truth_kind`` is ``complete``,
    more than ``qrels`` but not all where it is ``proxy``. Only evaluation may read it.
    ``warnings`` are sentences for the user, each with its count.
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

    def passages(self) -> list[str]:
        """Return what an encoder reads of each document: title, a space, text."""
        return list(Passages(self.titles, self.texts))

    def split_queries(self, split: str) -> Int32:
        """Return the rows of the queries that have a positive (grade above 0) in ``split``, ascending."""
        return np.unique(self.qrels[split].at_least(1).queries)

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


class Passages(Sequence[str]):
    """What ``Collection.passages`` returns, each put together when it is read.

    A retriever reads each once, and a second copy of a large corpus would double its memory.
    """

    def __init__(self, titles: Sequence[str], texts: Sequence[str]) -> None:
        self._titles = titles
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Passages: ...
    def __getitem__(self, at: int | slice) -> str | Passages:
        if isinstance(at, slice):
            return Passages(self._titles[at], self._texts[at])
        return f"{self._titles[at]} {self._texts[at]}".strip()


def _holds(document: str, query: str) -> bool:
    """Tell whether the query stands in the document as whole words, letter case and white space apart."""
    folded = " ".join(query.lower().split())
    return re.search(rf"(?<!\w){re.escape(folded)}(?!\w)", " ".join(document.lower().split())) is not None


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """The top rows of one retriever for each of Q queries, best first.

    ``documents`` [Q, K] holds document rows, -1 past the end of a short list. ``scores`` [Q, K] are the
    retriever's own (higher is better), NaN past the end. ``known`` [Q, K] marks labelled positives and the
    query's own document, which no sampler may return. A column is a rank of the raw ranking: nothing has been
    taken out. ``positives`` and ``positive_scores`` [Q, P] are the labelled positives, padded with -1 and NaN;
    a positive's score is NaN where the retriever cannot score it.
    ``query_keys`` [Q] and ``document_keys`` [Q, K] are stable hashes of the ids, which seeded noise needs.
    ``excluded`` [Q, K] marks what filters threw out.
    ``recall`` is the share of the exact top K that an approximate retriever found, 1.0 for an exact one.

    The rest is there where a part of the method asks for it (``asks.py``). ``teacher_scores`` [Q, K] and
    ``positive_teacher_scores`` [Q, P]: NaN where the teacher was not asked. ``groups`` [Q, K] and
    ``positive_groups`` [Q, P]: documents that say the same share a number, -1 is padding. ``similarity`` [Q, K] to
    the nearest labelled positive, NaN where there is none. ``judged`` [K]: the share of judged queries whose document
    of that rank is relevant.
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
    teacher_scores: Float32 | None = None
    positive_teacher_scores: Float32 | None = None
    groups: Int32 | None = None
    positive_groups: Int32 | None = None
    similarity: Float32 | None = None
    judged: Float64 | None = None

    @property
    def depth(self) -> int:
        """K, the number of ranks held."""
        return int(self.documents.shape[1])

    def positive_score(self, which: Literal["highest", "lowest"]) -> Float64:
        """Return the score [Q] of the query's highest or lowest labelled positive, NaN where none has a score."""
        scores = self.positive_scores.astype(np.float64)
        worst, pick = (-np.inf, np.max) if which == "highest" else (np.inf, np.min)
        found = pick(np.where(np.isfinite(scores), scores, worst), axis=1, initial=worst)
        return np.where(np.isfinite(found), found, np.nan)

    def available(self) -> Bool:
        """Return [Q, K]: a document with a score that is a number, no known positive, and past all filters."""
        allowed = (self.documents >= 0) & ~self.known & ~np.isnan(self.scores)
        return allowed if self.excluded is None else allowed & ~self.excluded

    def without(self, thrown_out: Bool) -> CandidatePool:
        """Return the pool with the candidates marked in ``thrown_out`` [Q, K] excluded as well."""
        return replace(self, excluded=thrown_out if self.excluded is None else self.excluded | thrown_out)


@dataclass(frozen=True, slots=True)
class Draw:
    """What a sampler chose: ``positions`` [Q, k] into the pool's columns, -1 for a declared shortfall.

    -2 is a slot that the sampler leaves to the other rows of the batch: it is not filled.

    The positions come in the order of drawing. ``effective_size`` [Q] is the effective number of candidates
    that the selection chose among, exp(entropy) of its distribution: 1 means that chance had no say.
    """

    positions: Int32
    effective_size: Float32


@dataclass(frozen=True, slots=True)
class Negatives:
    """The negatives of Q queries as training gets them, after filters and fill.

    ``documents`` [Q, k] are document rows (-1 where even the fill found none), ``origins`` [Q, k] index
    ``ORIGINS``, ``ranks`` [Q, k] are zero-based raw ranks in the pool (-1 for filled ones), ``scores`` [Q, k]
    the retriever's (NaN for filled ones), ``effective_size`` [Q] as in ``Draw``.

    ``positives`` [Q, P] are the queries' labelled positives (-1 is padding) and ``trust`` [Q, P] what each weighs in
    training; ``promoted`` [Q, M] are further documents that count as positives (-1 is padding). Without label rules
    the trust is 1 and nothing is promoted.
    """

    queries: Int32
    documents: Int32
    origins: Int32
    ranks: Int32
    scores: Float32
    effective_size: Float32
    positives: Int32
    trust: Float32
    promoted: Int32

    @classmethod
    def without_rules(
        cls, queries: Int32, documents: Int32, origins: Int32, ranks: Int32, scores: Float32, effective_size: Float32
    ) -> Negatives:
        """Return negatives drawn without any label rule."""
        nothing = np.full((len(queries), 0), -1, np.int32)
        trust = np.ones((len(queries), 0), np.float32)
        return cls(queries, documents, origins, ranks, scores, effective_size, nothing, trust, nothing)
