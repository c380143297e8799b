"""Candidates that somebody else's search has found: a TREC run file, as a serving pipeline can write it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from negbench import rng, user_files
from negbench.collections.layouts.fields import MOST
from negbench.errors import InputError
from negbench.retrieval import Ranking, Retriever, Search
from negbench.types import Float32, Int32, UInt64

_COLUMNS = (5, 6)
"""Number of fields in a line, without and with the tag."""


class RunFile(Retriever):
    """Rank as a run file does: lines of ``query-id Q0 document-id rank score tag``, ``.gz`` too.

    Negatives from the pipeline that serves users are those that it will meet (live mining). The tag may be missing;
    ids that hold spaces need tabs between the fields. Lines are ordered by score, ties by document row. Queries
    without a line find nothing. Documents that the collection does not have (any more) are left out and counted; a
    run of nothing else, or of none of the queries, is refused. The file's digest is part of what results are stored
    under.
    """

    name: ClassVar[str] = "run-file"
    version: ClassVar[int] = 2

    path: str = Field(default="run.trec", min_length=1, description="Path of the run file.")

    @field_validator("path")
    @classmethod
    def _is_no_folder(cls, path: str) -> str:
        if user_files.is_folder(Path(path)):
            raise ValueError(f"{path} is a folder; give a TREC run file")
        return path

    def fingerprint(self) -> str:
        """Return the file's digest. Raises InputError where there is no such file."""
        return user_files.sha256(Path(self.path), "a TREC run file")

    def check(self, query_keys: UInt64, document_keys: UInt64) -> None:
        self._read(set(query_keys.tolist()), {key: row for row, key in enumerate(document_keys.tolist())})

    def rank(self, search: Search) -> Ranking:
        """Look every query up. Raises InputError with file and line for what is no run of this collection."""
        row_of = {key: row for row, key in enumerate(search.document_keys.tolist())}
        lists, note = self._read(set(search.query_keys.tolist()), row_of)
        ranked: Int32 = np.full((len(search.queries), self.depth), -1, np.int32)
        scores: Float32 = np.full(ranked.shape, np.nan, np.float32)
        positives: Float32 = np.full(search.positives.shape, np.nan, np.float32)
        for row, key in enumerate(search.query_keys.tolist()):
            of_query = lists.get(key, {})
            order = sorted(of_query, key=lambda document: (-of_query[document], document))[: self.depth]
            ranked[row, : len(order)] = order
            scores[row, : len(order)] = [of_query[document] for document in order]
            positives[row] = [of_query.get(document, math.nan) for document in search.positives[row].tolist()]
        return Ranking(ranked, scores, positives, note=note)

    def _read(self, queries: set[int], row_of: dict[int, int]) -> tuple[dict[int, dict[int, float]], str]:
        """Return the scores by query key and document row, and what there is to say of the documents left out."""
        lists: dict[int, dict[int, float]] = {}
        absent: list[str] = []
        total = 0
        for number, line in enumerate(self._text().splitlines(), start=1):
            if not line.strip():
                continue
            query, document, score = self._fields(number, line)
            asked, row = rng.key(query), row_of.get(rng.key(document))
            total += 1
            if row is None:
                absent.append(document)
            elif asked in queries:
                if row in lists.setdefault(asked, {}):
                    raise InputError(
                        f"{self.path}:{number}: document {document!r} is listed twice for query {query!r}; keep one "
                        "line"
                    )
                lists[asked][row] = score
        if absent and len(absent) == total:
            raise InputError(
                f"{self.path}: none of its documents is in the collection, the first is {absent[0]!r}; "
                "expected a run over this corpus, with its ids"
            )
        if queries and not lists:
            raise InputError(
                f"{self.path}: no line has one of the {len(queries)} queries to search for; "
                "expected a run of these queries, with their ids"
            )
        if not absent:
            return lists, ""
        count = f"{len(absent)} of {total} lines name documents that are not in the collection"
        return lists, f"{count} (such as {absent[0]!r}) and are left out"

    def _text(self) -> str:
        return user_files.text(Path(self.path), "a TREC run file")

    def _fields(self, number: int, line: str) -> tuple[str, str, float]:
        """Return query id, document id and score of a line; with tabs between the fields, ids may hold spaces."""
        expected = f"{self.path}:{number}: expected 'query-id Q0 document-id rank score tag'"
        tabbed = [field.strip() for field in line.split("\t")]
        fields = tabbed if len(tabbed) in _COLUMNS else line.split()
        if len(fields) not in _COLUMNS:
            hint = "; ids that hold spaces need tabs between the fields" if len(fields) > max(_COLUMNS) else ""
            raise InputError(f"{expected}, found {line!r:.80}{hint}")
        try:
            score = float(fields[4])
        except ValueError as error:
            raise InputError(f"{expected}, found {line!r:.80}") from error
        if not abs(score) <= MOST or "_" in fields[4]:
            raise InputError(f"{self.path}:{number}: expected a score that is a number, found {fields[4]}")
        return fields[0], fields[2], score
