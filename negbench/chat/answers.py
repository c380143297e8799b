"""Answers of language models, kept as they come: a question that was paid for is never asked twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from negbench.errors import InputError
from negbench.store import Store


class Answers:
    """A file of answers by question; several processes and threads may share it."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the file at ``path``, that of the store by default; it is made where there is none."""
        path = path or Answers.default()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._open() as database:
            database.execute("CREATE TABLE IF NOT EXISTS answers (question TEXT PRIMARY KEY, answer TEXT NOT NULL)")
            database.execute("CREATE TABLE IF NOT EXISTS answered (stage TEXT PRIMARY KEY)")
            database.execute("CREATE TABLE IF NOT EXISTS models (asked TEXT PRIMARY KEY, answering TEXT NOT NULL)")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=60)) as database, database:
                yield database
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{self._path}: is no database of answers that can be written to ({error}); make it writable, "
                "or move it away if it is damaged: what it held is asked for again"
            ) from error

    @staticmethod
    def default() -> Path:
        """Return where the store has its answers."""
        return Store.default().root / "answers" / "llm.sqlite"

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

    def first_model(self, asked: str, answering: str) -> str:
        """Return the model that first answered for ``asked``, the digest of a server and a name: ``answering`` if none.

        A name may stand for another model from one day to the next; the first one is stored.
        """
        with self._open() as database:
            database.execute("INSERT OR IGNORE INTO models VALUES (?, ?)", (asked, answering))
            ((first,),) = database.execute("SELECT answering FROM models WHERE asked = ?", (asked,))
        return str(first)

    def keep(self, name: str, answer: str) -> None:
        """Store the answer to a question, in place of an earlier one."""
        with self._open() as database:
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (name, answer))

    def keep_stages(self, keys: Iterable[str]) -> None:
        """Store that all questions of these stages have their answers here."""
        with self._open() as database:
            database.executemany("INSERT OR IGNORE INTO answered VALUES (?)", [(key,) for key in keys])

    def have(self, keys: Sequence[str]) -> bool:
        """Return whether all questions of each of these stages once had their answers here."""
        with self._open() as database:
            known = {key for (key,) in database.execute("SELECT stage FROM answered")}
        return known.issuperset(keys)
