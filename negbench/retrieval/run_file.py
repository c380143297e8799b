"""Candidates that somebody else's search has found: a TREC run file, as a serving pipeline can write it."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from negbench import noise
from negbench.errors import InputError
from negbench.retrieval import Ranking, Retriever, Search
from negbench.types import Float32, Int32


class RunFile(Retriever):
    """Rank as a run file does: lines of ``query-id Q0 document-id rank score tag``, ``.gz`` too.

    Negatives from the pipeline that serves users are those that it will meet (live mining). Lines are ordered by
    score, ties by document row; queries without a line find nothing, and unknown ids are passed over. The file's
    digest is part of what results are stored under.

    path: the file.
    """

    name: ClassVar[str] = "run-file"

    path: str = Field(default="run.trec", min_length=1)

    @field_validator("path")
    @classmethod
    def _is_no_folder(cls, path: str) -> str:
        if Path(path).is_dir():
            raise ValueError(f"{path} is a folder; give a TREC run file")
        return path

    def fingerprint(self) -> str:
        """Return the file's digest. Raises InputError where there is no such file."""
        return hashlib.sha256(self._bytes()).hexdigest()

    def rank(self, search: Search) -> Ranking:
        """Look every query up. Raises InputError with file and line for what is no run."""
        row_of = {key: row for row, key in enumerate(search.document_keys.tolist())}
        lists = self._read(set(search.query_keys.tolist()), row_of)
        found: Int32 = np.full((len(search.queries), self.depth), -1, np.int32)
        scores: Float32 = np.full(found.shape, np.nan, np.float32)
        positives: Float32 = np.full(search.positives.shape, np.nan, np.float32)
        for row, key in enumerate(search.query_keys.tolist()):
            mine = lists.get(key, {})
            order = sorted(mine, key=lambda document: (-mine[document], document))[: self.depth]
            found[row, : len(order)] = order
            scores[row, : len(order)] = [mine[document] for document in order]
            positives[row] = [mine.get(document, math.nan) for document in search.positives[row].tolist()]
        return Ranking(found, scores, positives)

    def _bytes(self) -> bytes:
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror}); give a TREC run file") from error

    def _read(self, queries: set[int], row_of: dict[int, int]) -> dict[int, dict[int, float]]:
        data = self._bytes()
        try:
            text = (gzip.decompress(data) if self.path.endswith(".gz") else data).decode("utf-8")
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path}: cannot be read as UTF-8 text: {error}") from error
        lists: dict[int, dict[int, float]] = {}
        ids: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            fields = line.split()
            if not fields:
                continue
            try:
                query, _, document, _, score, *_ = fields
                value = float(score)
            except ValueError as error:
                raise InputError(
                    f"{self.path}:{number}: expected 'query-id Q0 document-id rank score tag', found {line!r:.80}"
                ) from error
            for name in (query, document):
                if name not in ids:
                    ids[name] = noise.key(name)
            if ids[query] in queries and ids[document] in row_of and math.isfinite(value):
                lists.setdefault(ids[query], {})[row_of[ids[document]]] = value
        return lists
