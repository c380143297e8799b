"""Mined negatives as training rows with texts, put together query by query."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from negbench.types import ORIGINS, Collection, Float32, Int32, Negatives


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document of a row.

    ``rank`` (from 1) and ``score`` are those in the candidate pool, ``teacher_score`` that of the method's teacher;
    None where there is none. ``origin`` is one of ``types.ORIGINS``, ``label`` for a labelled positive, or
    ``promoted`` for one that a label rule made a positive. ``place`` is the file and line or row that it was read from,
    None where it has an id of its own.
    """

    id: str
    title: str
    text: str
    origin: str
    rank: int | None = None
    score: float | None = None
    teacher_score: float | None = None
    place: str | None = None

    @property
    def passage(self) -> str:
        """Title and text, as an encoder reads them."""
        return f"{self.title} {self.text}".strip()

    def scored(self, by: Scorer) -> float:
        """Return the score of the teacher or the retriever, which must be there."""
        score = self.teacher_score if by == "teacher" else self.score
        assert score is not None
        return score


@dataclass(frozen=True, slots=True)
class Row:
    """A query with its positives and its mined negatives, at least one of each."""

    query_id: str
    query: str
    positives: tuple[Document, ...]
    negatives: tuple[Document, ...]
    query_place: str | None = None


Scorer = Literal["teacher", "retriever"]


@dataclass(frozen=True, kw_only=True)
class MinedRows:
    """The negatives of one epoch as rows, in ascending order of the query; each iteration makes them anew.

    ``negatives`` [Q, k] are of the documents of ``collection``. ``positive_scores`` [Q, P] are the retriever's scores
    of ``negatives.positives``; ``teacher`` [Q, k] and ``positive_teacher`` [Q, P] a teacher's, None where none was
    asked. NaN is unknown. Positives of weight 0 are left out, and so are queries without a positive or a negative.
    """

    collection: Collection
    negatives: Negatives
    positive_scores: Float32
    teacher: Float32 | None = None
    positive_teacher: Float32 | None = None

    def __iter__(self) -> Iterator[Row]:
        places = self.collection.places
        for query in self.kept.tolist():
            row = int(self.negatives.queries[query])
            positives = [self._document(int(self.negatives.positives[query, at]), at, query) for at in self._of(query)]
            promoted = [self.plain(int(it), "promoted") for it in self.negatives.promoted[query] if it >= 0]
            slots = np.flatnonzero(self.negatives.documents[query] >= 0).tolist()
            yield Row(
                self.collection.query_ids[row],
                self.collection.queries[row],
                (*positives, *promoted),
                tuple(self.negative(query, slot) for slot in slots),
                None if places is None else places.of_query(row),
            )

    def __len__(self) -> int:
        return len(self.kept)

    @cached_property
    def kept(self) -> Int32:
        """The positions of the queries that have a positive and a negative."""
        has_positive = self.weighed.any(axis=1) | (self.negatives.promoted >= 0).any(axis=1)
        has_negative = (self.negatives.documents >= 0).any(axis=1)
        return np.flatnonzero(has_positive & has_negative).astype(np.int32)

    @property
    def width(self) -> int:
        """The most negatives of a query."""
        return int((self.negatives.documents[self.kept] >= 0).sum(axis=1).max(initial=0))

    @cached_property
    def scorer(self) -> Scorer | None:
        """Who scored every positive and every negative: the teacher, else the retriever; None for neither."""
        if self._complete(self.teacher, self.positive_teacher):
            return "teacher"
        return "retriever" if self._complete(self.negatives.scores, self.positive_scores) else None

    def notes(self) -> list[str]:
        """Return a sentence on queries that are left out."""
        left_out = len(self.negatives.queries) - len(self)
        return [f"{left_out:,} queries have no positive or no negative and are left out"] if left_out else []

    @cached_property
    def weighed(self) -> np.ndarray:
        """Bool [Q, P]: positives that count in training."""
        return np.asarray((self.negatives.positives >= 0) & (self.negatives.positive_weights > 0))

    def _of(self, query: int) -> list[int]:
        return np.flatnonzero(self.weighed[query]).tolist()

    def _complete(self, scores: Float32 | None, positive_scores: Float32 | None) -> bool:
        if scores is None or positive_scores is None or (self.negatives.promoted[self.kept] >= 0).any():
            return False
        there = self.negatives.documents[self.kept] >= 0
        known = np.isfinite(scores[self.kept]) | ~there
        return bool(known.all() and (np.isfinite(positive_scores[self.kept]) | ~self.weighed[self.kept]).all())

    def plain(self, row: int, origin: str) -> Document:
        """Return the document of a row of the collection, without rank and scores."""
        of = self.collection
        return Document(
            id=of.document_ids[row],
            title=of.titles[row],
            text=of.texts[row],
            origin=origin,
            place=None if of.places is None else of.places.of_document(row),
        )

    def _document(self, row: int, at: int, query: int) -> Document:
        of = self.collection
        return Document(
            id=of.document_ids[row],
            title=of.titles[row],
            text=of.texts[row],
            origin="label",
            score=_known(self.positive_scores, query, at),
            teacher_score=_known(self.positive_teacher, query, at),
            place=None if of.places is None else of.places.of_document(row),
        )

    def negative(self, query: int, slot: int) -> Document:
        """Return the negative in a slot, which must not be empty, of the query at a position."""
        of, row, rank = self.collection, int(self.negatives.documents[query, slot]), self.negatives.ranks[query, slot]
        return Document(
            id=of.document_ids[row],
            title=of.titles[row],
            text=of.texts[row],
            origin=ORIGINS[int(self.negatives.origins[query, slot])],
            rank=None if rank < 0 else int(rank) + 1,
            score=_known(self.negatives.scores, query, slot),
            teacher_score=_known(self.teacher, query, slot),
            place=None if of.places is None else of.places.of_document(row),
        )


def _known(scores: Float32 | None, query: int, at: int) -> float | None:
    if scores is None:
        return None
    score = float(scores[query, at])
    return None if math.isnan(score) else score
