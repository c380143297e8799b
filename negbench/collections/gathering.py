"""Gather documents, queries, judgments and given candidates from rows of pairs or negatives."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

import numpy as np

from negbench.collections import checks
from negbench.collections.checks import Document, Judgment, Query
from negbench.collections.duplicates import folded
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Row
from negbench.collections.matching import note
from negbench.errors import InputError
from negbench.types import Collection, GivenCandidates, Places


class Gathering:
    """Documents and queries, each once, as rows name them by text or by id.

    A text is the same whatever its white space. One of several ids has that of its first row. One without an id gets a
    digest of itself as its id, so that the order of rows changes nothing: splits and draws go by ids.
    """

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.queries: list[Query] = []
        self._document_of_id: dict[str, int] = {}
        self._document_of_text: dict[str, int] = {}
        self._query_of_id: dict[str, int] = {}
        self._query_of_text: dict[str, int] = {}
        self._ranks: dict[int, dict[int, tuple[int, int, float]]] = {}
        self._positive_scores: dict[int, dict[int, float]] = {}
        self._counts: Counter[str] = Counter()

    def add_documents(self, records: Iterable[Record]) -> None:
        """Add documents with ``_id`` (a digest of the text where there is none), ``title`` and ``text``."""
        for place, fields in records:
            text = checks.document({"_id": "0", **fields}, place)
            identifier = text.id if "_id" in fields else _digest(folded(f"{text.title} {text.text}"))
            if "_id" in fields or identifier not in self._document_of_id:
                self._document(identifier, text.title, text.text, place)

    def add_queries(self, records: Iterable[Record]) -> None:
        """Add queries with ``_id`` and ``text``. Raises InputError for one without an id."""
        for place, fields in records:
            query = checks.query(fields, place)
            self._query(query.id, query.text, place)

    def judgments(self, rows: Sequence[Row], source: str) -> list[Judgment]:
        """Return the judgments of the rows; add their texts, and keep their candidates for ``given``.

        Raises InputError for rows of ids without documents and queries that they could be ids of.
        """
        of_ids = any(row.of_ids for row in rows) or (bool(rows) and self._seems_of_ids(rows[0]))
        if of_ids and not self._document_of_id:
            shown = ", ".join([rows[0].query, *rows[0].positives])
            raise InputError(
                f"{rows[0].place}: ids, not texts ({shown:.60}); name their documents and queries: {{pairs: {source}, "
                "corpus: FILE, queries: FILE}, or {pairs: " + source + ", collection: NAME}"
            )
        if not of_ids:  # first those with ids: the text of a negative without one may be that of a later positive
            for row in rows:
                named = [
                    *zip(row.positives, row.positive_ids, strict=False),
                    *((it.text, it.id) for it in row.negatives),
                ]
                for text, identifier in named:
                    if identifier:
                        self._text_document(text, identifier, row.place)
        return [one for row in rows for one in (self._by_id(row) if of_ids else self._by_text(row))]

    def given(self) -> GivenCandidates | None:
        """Return the candidates of all rows; None where no row has any.

        A query's lists are joined in order of rank, the lists' order where that is equal or unknown.
        """
        if not any(self._ranks.values()):
            return None
        table = []
        for query in self._ranks.keys() | self._positive_scores.keys():
            ranks = self._ranks.get(query, {})
            listed = sorted(ranks.items(), key=lambda item: item[1][:2])
            table += [(query, rank, document, it[2]) for rank, (document, it) in enumerate(listed)]
            scores = self._positive_scores.get(query, {})
            table += [(query, -1, document, score) for document, score in scores.items() if document not in ranks]
        table.sort(key=lambda it: it[:3])
        columns = list(zip(*table, strict=True))
        queries, ranks_, documents = (np.array(column, np.int32) for column in columns[:3])
        return GivenCandidates(queries, documents, ranks_, np.array(columns[3], np.float32))

    def places(self, base: Collection | None = None) -> Places | None:
        """Return where the texts were read that have a digest as their id; None where all have ids.

        Those of ``base``, whose texts were added first, have its places.
        """
        known = None if base is None else base.places
        held = (0, 0) if base is None else (len(base.document_ids), len(base.query_ids))
        documents = ["" for _ in range(held[0])] if known is None else known.documents
        queries = ["" for _ in range(held[1])] if known is None else known.queries
        found = Places(
            documents + [_place(it.id, it.text, it.place) for it in self.documents[held[0] :]],
            queries + [_place(it.id, it.text, it.place) for it in self.queries[held[1] :]],
        )
        return found if any(found.documents) or any(found.queries) else None

    def notes(self) -> list[str]:
        """Return sentences on what was left out, each with its count."""
        return [
            *note(
                self._counts["empty"], "positive has no text and is left out", "positives have no text and are left out"
            ),
            *note(
                self._counts["unknown"],
                "given candidate names an unknown query or document and is left out",
                "given candidates name an unknown query or document and are left out",
            ),
            *note(
                self._counts["positive"],
                "given candidate is a labelled positive of its query, and no method draws it",
                "given candidates are labelled positives of their query, and no method draws them",
            ),
        ]

    def _seems_of_ids(self, row: Row) -> bool:
        named = [*row.positives, *(one.text for one in row.negatives)]
        return row.query in self._query_of_id and all(name in self._document_of_id for name in named)

    def _by_id(self, row: Row) -> Iterator[Judgment]:
        if row.query_text and row.query not in self._query_of_id:
            self._query(row.query, row.query_text, row.place)
        grades = row.grades or (1,) * len(row.positives)
        for document, grade in zip(row.positives, grades, strict=True):
            yield Judgment(row.place, row.query, document, grade)
        query = self._query_of_id.get(row.query)
        listed = [(self._document_of_id.get(one.text), one.rank, one.score) for one in row.negatives]
        positives = [self._document_of_id.get(name) for name in row.positives]
        self._keep(query, positives, listed, row)

    def _by_text(self, row: Row) -> Iterator[Judgment]:
        query = self._text_query(row)
        asked = self.queries[query].id
        named = row.positive_ids or ("",) * len(row.positives)
        positives = [self._text_document(*it, row.place) for it in zip(row.positives, named, strict=True)]
        grades = row.grades or (1,) * len(positives)
        self._counts["empty"] += positives.count(None)
        for document, grade in zip(positives, grades, strict=True):
            if document is not None:
                yield Judgment(row.place, asked, self.documents[document].id, grade)
        listed = [(self._text_document(one.text, one.id, row.place), one.rank, one.score) for one in row.negatives]
        filled = [it for it, one in zip(listed, row.negatives, strict=True) if one.text.strip()]
        self._keep(query, positives, filled, row)

    def _keep(
        self,
        query: int | None,
        positives: Sequence[int | None],
        listed: Sequence[tuple[int | None, int, float]],
        row: Row,
    ) -> None:
        """Keep a row's candidates, each at its best rank, and the scores of its positives."""
        for document, rank, score in listed:
            if query is None or document is None:
                self._counts["unknown"] += 1
                continue
            self._counts["positive"] += document in positives
            ranks = self._ranks.setdefault(query, {})
            before = ranks.get(document, (max(rank, 0), len(ranks), score))
            ranks[document] = (min(before[0], max(rank, 0)), before[1], score if math.isnan(before[2]) else before[2])
        for document, score in zip(positives, row.positive_scores, strict=False):
            if query is not None and document is not None and not math.isnan(score):
                self._positive_scores.setdefault(query, {})[document] = score

    def _text_query(self, row: Row) -> int:
        """Return the query with the row's id, else the one with its text, else a new one."""
        key = folded(row.query)
        if row.query_id in self._query_of_id:
            found = self._query_of_id[row.query_id]
            if folded(self.queries[found].text) != key:
                raise _two_texts(row.place, "query", row.query_id, self.queries[found].place)
            return found
        if key in self._query_of_text:
            return self._query_of_text[key]
        return self._query(row.query_id or _digest(key), row.query, row.place)

    def _text_document(self, text: str, identifier: str, place: str) -> int | None:
        """Return the document with the text, else a new one; None for no text."""
        key = folded(text)
        if not key:
            return None
        of_text, of_id = self._document_of_text.get(key), self._document_of_id.get(identifier)
        if of_id is not None and key not in self._texts_of(of_id):
            raise _two_texts(place, "document", identifier, self.documents[of_id].place)
        if of_text is not None:
            return of_text
        return self._document(identifier or _digest(key), "", text, place)

    def _texts_of(self, row: int) -> set[str]:
        """Return how rows may write a document: with its title or without."""
        document = self.documents[row]
        return {folded(f"{document.title} {document.text}"), folded(document.text)} - {""}

    def _document(self, identifier: str, title: str, text: str, place: str) -> int:
        row = len(self.documents)
        self.documents.append(Document(place, identifier, title, text))
        self._document_of_id.setdefault(identifier, row)
        for written in self._texts_of(row):
            self._document_of_text.setdefault(written, row)
        return row

    def _query(self, identifier: str, text: str, place: str) -> int:
        row = len(self.queries)
        self.queries.append(Query(place, identifier, text))
        self._query_of_id.setdefault(identifier, row)
        self._query_of_text.setdefault(folded(text), row)
        return row


def _place(identifier: str, text: str, place: str) -> str:
    """Return the file, without its folder, and line or row of a text whose id is its digest; empty for another id."""
    return PurePath(place).name if identifier == _digest(folded(text)) else ""


def _two_texts(place: str, what: str, identifier: str, other: str) -> InputError:
    return InputError(
        f"{place}: the {what} id {identifier!r} has another text at {other}; expected one text for each id: correct "
        "the id or the text"
    )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
