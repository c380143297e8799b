"""Answers of language models, kept as they come: a question that was paid for is never asked twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path


class Answers:
    """A file of answers by question; several processes and threads may share it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._open() as database:
            database.execute("CREATE TABLE IF NOT EXISTS answers (question TEXT PRIMARY KEY, answer TEXT NOT NULL)")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._path, timeout=60)
        try:
            with database:
                yield database
        finally:
            database.close()

    @staticmethod
    def name(*asked: str) -> str:
        """Return the digest of a question: the server, the model, what it was told."""
        return hashlib.blake2b(json.dumps(asked).encode(), digest_size=16).hexdigest()

    def find(self, names: list[str]) -> dict[str, str]:
        """Return the answers that are there, by the digest of the question; empty ones, once kept, are none."""
        by_name: dict[str, str] = {}
        with self._open() as database:
            for first in range(0, len(names), 500):
                some = names[first : first + 500]
                marks = ",".join("?" * len(some))
                by_name.update(
                    database.execute(
                        f"SELECT question, answer FROM answers WHERE answer != '' AND question IN ({marks})",  # noqa: S608
                        some,
                    )
                )
        return by_name

    def keep(self, name: str, answer: str) -> None:
        """Store the answer to a question, in place of an earlier one."""
        with self._open() as database:
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (name, answer))
