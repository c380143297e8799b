"""Tables of pairs or documents by split: a file, a folder of files by split, a saved dataset, a repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negbench import user_files
from negbench.collections import repository
from negbench.collections.layouts import files, records
from negbench.collections.layouts.records import Record
from negbench.collections.splits import SPLIT_NAMES
from negbench.errors import InputError

SPLITS = ("train", "dev", "test", *SPLIT_NAMES)
_SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".json", ".csv.gz", ".tsv.gz", ".jsonl.gz")
IDS = ("_id", "id", "document_id", "docid", "doc_id", "passage_id", "corpus_id", "query_id", "qid", "pid")
"""Names of the column of ids in a table of documents or queries."""
DOCUMENTS = ("text", "document", "passage", "contents", "document_text", "body", "answer", "positive")
"""Names of the column of texts in a table of documents."""
QUERIES = ("text", "query", "question", "query_text", "anchor")
"""Names of the column of texts in a table of queries."""

CANDIDATE_CONFIGS = {"queries", "documents", "scores"}
"""Configs of a repository of candidate lists, as LightOn's has them."""


@dataclass(frozen=True)
class Location:
    """A place that tables are read from: a path, or ``hub:ID``, maybe at a ``revision``."""

    text: str
    revision: str | None = None

    @property
    def folder_or_file(self) -> Path:
        """The path; of a repository that of its commit, without the files. Raises InputError where there is none."""
        if self._id is None:
            return self._existing()
        found = repository.snapshot(self._id, self.revision, whole=False)
        if found is None:
            raise repository.missing(self._id, self.revision)
        return found

    def contents(self) -> list[Path]:
        """Return the files that are read, those of a repository of the hub excepted: its commit stands for them."""
        if self._id is not None:
            return []
        path = self._existing()
        return [path] if user_files.is_file(path) else list(repository.files(path))

    @property
    def commit(self) -> str | None:
        """The commit of a repository of the hub; None for a path."""
        return None if self._id is None else self.folder_or_file.name

    def configs(self) -> list[str]:
        """Return the configs of a repository; none of anything else."""
        if self._id is None and not is_repository(self._existing()):
            return []
        return repository.configs(self._folder(), self.text)

    def splits(self, config: str | None = None, named: bool = False) -> dict[str, Iterator[Record]]:
        """Return the records by split; a single file is ``train``.

        ``config`` is one of a repository's. ``named``: the first line of a file holds names, whatever they are. Raises
        InputError where nothing is there, and for a repository of several configs where none is given.
        """
        if self._id is not None or is_repository(self._existing()):
            return self._of_repository(config)
        path = self._existing()
        if user_files.is_file(path):
            return {"train": files.open_file(path, named)}
        if files.is_dataset(path):
            return records.dataset_splits(path)
        found = by_split(path)
        if not found:
            raise InputError(
                f"{path}: no tables; expected a saved dataset, files such as train.csv and test.csv, or a repository "
                "with a README.md that names its configs"
            )
        return {split: files.open_file(file, named) for split, file in found.items()}

    def texts(
        self, names: Sequence[str], config: str | None = None, splits: Sequence[str] | None = None
    ) -> Iterator[Record]:
        """Yield the records of all tables with the keys ``_id``, ``title`` and ``text`` as far as they are there.

        ``names`` are those that the column of texts may have; of several ``splits`` only those are read. A TSV file
        without a heading has id and text. Raises InputError for a record without a text.
        """
        path = None if self._id is not None else self._existing()
        if path is not None and user_files.is_file(path):
            tables = [files.open_texts(path, (*IDS, *names))]
        else:
            of = self.splits(config, named=True)
            tables = [table for split, table in of.items() if splits is None or split in splits or len(of) == 1]
        for record in (record for table in tables for record in table):
            fields = {str(name).lower(): value for name, value in record.fields.items()}
            text = next((name for name in names if fields.get(name) is not None), None)
            if text is None:
                found, known = ", ".join(map(str, record.fields)), ", ".join(names)
                raise InputError(f"{record.place}: no column of texts; found {found}, expected one of {known}")
            identifier = next((name for name in IDS if fields.get(name) is not None), None)
            kept = {"text": fields[text], "title": fields.get("title")}
            yield Record(record.place, kept if identifier is None else {"_id": fields[identifier], **kept})

    @property
    def _id(self) -> str | None:
        return self.text.removeprefix("hub:") if self.text.startswith("hub:") else None

    def _existing(self) -> Path:
        path = user_files.expanded(self.text)
        if not user_files.is_there(path):
            raise InputError(f"{self.text}: no such file or folder; expected {files.KINDS}, or hub:ID")
        return path

    def _folder(self) -> Path:
        if self._id is None:
            return self._existing()
        found = repository.snapshot(self._id, self.revision, whole=True)
        if found is None:
            raise repository.missing(self._id, self.revision)
        return found

    def _of_repository(self, config: str | None) -> dict[str, Iterator[Record]]:
        known = self.configs()
        if config is None and len(known) > 1 and "default" not in known:
            raise InputError(f"{self.text}: has the configs {', '.join(known)}; give one of them with config=")
        config = config or (known[0] if len(known) == 1 else "default")
        if config not in known:
            raise InputError(f"{self.text}: no config {config!r}; give one of {', '.join(known)}")
        tables = repository.splits(self._folder(), config, self.text)
        return {split: self._rows(table, f"{config} {split}") for split, table in tables.items()}

    def _rows(self, table: Any, name: str) -> Iterator[Record]:
        with repository.reading(f"{self.text}: cannot read {name}"):
            for number, row in enumerate(table, 1):
                yield Record(f"{self.text} {name} row {number}", row)


def is_repository(path: Path) -> bool:
    """Tell whether the folder is a copy of a repository whose card names its configs."""
    card = path / "README.md"
    return card.is_file() and "configs:" in card.read_text(encoding="utf-8", errors="replace").partition("\n---")[0]


def by_split(folder: Path) -> dict[str, Path]:
    """Return the tables of a folder that are named after a split, such as train.csv; empty for none."""
    named = ((split, folder / f"{split}{suffix}") for suffix in reversed(_SUFFIXES) for split in SPLITS)
    return {split: path for split, path in named if user_files.is_file(path)}


def chosen(tables: Mapping[str, Iterator[Record]], split: str | None, place: str) -> dict[str, Iterator[Record]]:
    """Return the tables to read: the one called ``split`` as train, or all where their names are those of splits.

    A single table is train, whatever it is called, unless it is called after another split. Raises InputError where
    there is no such split, or several of unknown names.
    """
    if split is not None:
        if split not in tables:
            raise InputError(f"{place}: no split {split!r}; give one of {', '.join(tables)}")
        return {"train": tables[split]}
    if unknown := [name for name in tables if name not in SPLITS]:
        if len(tables) > 1:
            raise InputError(f"{place}: has the splits {', '.join(tables)}; give the one to train on with split=")
        return {"train": tables[unknown[0]]}
    return dict(tables)
