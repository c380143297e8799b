"""Pairs, triplets and mined negatives in files: questions and answers, anchors and positives, lists of ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field

from negbench.collections import Source, assembly, row_ids, tables
from negbench.collections.beir import digest
from negbench.collections.checks import Judgment, Records
from negbench.collections.gathering import Gathering
from negbench.collections.layouts import columns, ids, labelled, recognise, row_warnings, tuples
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Row
from negbench.collections.matching import Held, matched, note
from negbench.collections.resolve import source_of
from negbench.collections.splits import SPLIT_NAMES, Share, Together
from negbench.collections.tables import Location
from negbench.errors import InputError
from negbench.types import Collection, Qrels


def _collection(value: Any) -> Any:
    return None if value is None else source_of(value)


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Pairs(Source):
    """Pairs of a query and its positive, with or without negatives: a file, a folder, or a dataset of the hub.

    The corpus is made of the distinct texts, negatives among them, and of those in ``corpus``. Layouts are recognised
    by the names of columns (``layouts``), and so are ids (``layouts.ids``); a text without one gets a digest as its id.
    Negatives that come along are the candidates of the method ``given``. Rows are training pairs unless a file or split
    is called dev or test; missing splits are carved from them.

    With ``collection`` the rows add to a collection, whose ids or texts they may name: its labels and splits stay, and
    rows of its dev and test queries are left out.
    """

    name: ClassVar[str] = "pairs"
    version: ClassVar[int] = 2
    carves: ClassVar[bool] = True

    path: str = Field(
        min_length=1,
        description="CSV, TSV, Parquet, JSON or JSON lines file, saved dataset, folder with train.csv, or `hub:ID`.",
    )
    query: str | None = Field(default=None, description="Column of the query; null where its name is a known one.")
    positive: str | None = Field(
        default=None, description="Column of the positive, a text or a list; null where its name is a known one."
    )
    negative: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="Columns of negatives, texts or lists; empty where their names are known ones."
    )
    query_id: str | None = Field(
        default=None, description="Column of the query's id; null where its name is a known one, or there is none."
    )
    positive_id: str | None = Field(
        default=None, description="Column of the positive's id; null where its name is a known one, or there is none."
    )
    corpus: str | None = Field(
        default=None, description="File or `hub:ID` with further documents, or with those that ids in the rows name."
    )
    queries: str | None = Field(
        default=None, description="File or `hub:ID` with the queries that ids in the rows name."
    )
    collection: Annotated[Source | None, BeforeValidator(_collection)] = Field(
        default=None, description="Collection that the rows add to, as a grid names it.", examples=["helpdesk"]
    )
    config: str | None = Field(default=None, description="Config of a repository with several.")
    split: str | None = Field(
        default=None, description="Split to train on, where splits are not called train, dev and test."
    )
    revision: str | None = Field(default=None, description="Branch, tag or commit of a repository of the hub.")
    dev: Share = Field(
        default=0.1,
        description="Share of the training queries that becomes dev where there is no such split, in [0, 0.5).",
    )
    test: Share = Field(
        default=0.1,
        description="Share of the training queries that becomes test where there is no such split, in [0, 0.5).",
    )
    together: Together = "positive"

    def model_post_init(self, _: object) -> None:
        if (self.query is None) != (self.positive is None):
            raise ValueError("query and positive go together: name both columns, or none")
        chosen = [name for name in (self.query, self.positive, *self.negative) if name is not None]
        if twice := next((name for name in chosen if chosen.count(name) > 1), None):
            raise ValueError(f"the column {twice} is named twice: query, positive and negative are different columns")
        if self.negative and self.query is None:
            raise ValueError("negative: name the columns query and positive, too")
        if self.collection is not None and (self.corpus or self.queries):
            raise ValueError("collection has documents and queries: leave corpus and queries out")

    def fingerprint(self) -> str:
        """Return a digest of the files that are read, or their commit, and of the parameters."""
        inner = self.collection
        shape: dict[str, Any] = {
            **self.parameters,
            "path": None,
            "corpus": None,
            "queries": None,
            "revision": None,
            "version": self.version,
            "collection": inner and [inner.name, inner.version, inner.fingerprint()],
        }
        read = [Location(text, self.revision) if text else None for text in (self.path, self.corpus, self.queries)]
        parts = [it and (it.commit or digest(_folder(it), it.contents(), {})) for it in read]
        content = json.dumps([shape, parts], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def load(self) -> Collection:
        """Read and check the rows. Raises InputError with file and line or row for invalid data."""
        base = None if self.collection is None else self.collection.load()
        gathering = Gathering()
        if base is not None:
            gathering.add_documents(_documents_of(base))
            gathering.add_queries(
                Record(base.name, {"_id": name, "text": text})
                for name, text in zip(base.query_ids, base.queries, strict=True)
            )
        config, documents, queries = self._tables()
        if documents is not None:
            gathering.add_documents(documents)
        if queries is not None:
            gathering.add_queries(queries)
        read, notes = self._rows(config)
        judged = {split: gathering.judgments(rows, self.path) for split, rows in read.items()}
        notes += [*row_warnings.odd_texts([row for rows in read.values() for row in rows]), *gathering.notes()]
        records = {split: Records(f"{self.path} {split}", rows) for split, rows in judged.items()}
        if base is not None:
            return self._added(base, gathering, records, notes)
        made = assembly.assemble(
            Path(self.path).name.split(".")[0] or self.path,
            Records(self.path if self.corpus is None else self.corpus, gathering.documents),
            Records(self.path if self.queries is None else self.queries, gathering.queries),
            records,
            dev=self.dev,
            test=self.test,
            together=self.together,
        )
        return replace(
            made,
            given=gathering.given(),
            warnings=(*notes, *made.warnings),
            places=gathering.places(),
        )

    def _tables(self) -> tuple[str | None, Iterator[Record] | None, Iterator[Record] | None]:
        """Return the config of the rows, and the records of documents and queries where there are any.

        A repository of candidate lists has all three as configs.
        """
        place = Location(self.path, self.revision)
        if self.config is None and self.corpus is None and set(place.configs()) >= tables.CANDIDATE_CONFIGS:
            only = None if self.split is None else (self.split,)
            return (
                "scores",
                place.texts(tables.DOCUMENTS, "documents", only),
                place.texts(tables.QUERIES, "queries", only),
            )
        documents = None if self.corpus is None else Location(self.corpus, self.revision).texts(tables.DOCUMENTS)
        queries = None if self.queries is None else Location(self.queries, self.revision).texts(tables.QUERIES)
        return self.config, documents, queries

    def _rows(self, config: str | None) -> tuple[dict[str, list[Row]], list[str]]:
        """Return the rows by split, and a sentence on the columns where they are recognised by common names."""
        named = self.query is not None
        notes: list[str] = []
        rows = {}
        found = tables.chosen(Location(self.path, self.revision).splits(config, named), self.split, self.path)
        for split, records in found.items():
            if self.query_id or self.positive_id:
                records = ids.named(records, self.query_id, self.positive_id)
            if self.query is not None and self.positive is not None:
                records = columns.renamed(records, self.query, self.positive, self.negative)
            first = next(records, None)
            if first is None:
                raise InputError(f"{self.path}: {split} has no rows; expected pairs of a query and its positive")
            if not named and not notes:
                notes = _columns_of(first)
            rows[SPLIT_NAMES.get(split, split)] = list(recognise.rows(chain([first], records), self.path))
        if self.corpus is None and self.queries is None and self.collection is None:
            rows, found_ids = row_ids.applied(rows)
            notes += found_ids
        return rows, notes

    def _added(
        self, base: Collection, gathering: Gathering, records: dict[str, Records[Judgment]], notes: list[str]
    ) -> Collection:
        """Return the collection with the rows' training pairs, texts and candidates."""
        documents, queries = gathering.documents, gathering.queries
        held = Held(
            {query.id: row for row, query in enumerate(queries)},
            {document.id: row for row, document in enumerate(documents)},
            base.name,
            base.name,
        )
        labels = list(chain.from_iterable(it.entries for it in records.values()))  # none where rows lack positives
        triples, left_out = matched(Records(self.path, labels), "train", held) if labels else ([], [])
        elsewhere = {row for split, table in base.qrels.items() if split != "train" for row in table.queries.tolist()}
        kept = [triple for triple in triples if triple[0] not in elsewhere]
        notes += note(
            len({row for row, _, _ in triples} & elsewhere),
            "query of the rows belongs to another split than train and is left out",
            "queries of the rows belong to another split than train and are left out",
        )
        train = base.qrels.get("train", Qrels.of([]))
        added = len(documents) - len(base.document_ids)
        parents = base.parents
        if parents is not None:
            parents = np.concatenate([parents, np.arange(len(parents), len(documents), dtype=np.int32)])
        notes.append(f"{self.path} adds {added} documents and {len(queries) - len(base.query_ids)} queries")
        return replace(
            base,
            document_ids=[document.id for document in documents],
            titles=[document.title for document in documents],
            texts=[document.text for document in documents],
            query_ids=[query.id for query in queries],
            queries=[query.text for query in queries],
            qrels={**base.qrels, "train": Qrels.both(Qrels.of(kept), train)},
            given=gathering.given(),
            parents=parents,
            places=gathering.places(base),
            warnings=(*base.warnings, *notes, *left_out),
        )


def _folder(location: Location) -> Path:
    path = location.folder_or_file
    return path if path.is_dir() else path.parent


def _documents_of(collection: Collection) -> Iterator[Record]:
    for name, title, text in zip(collection.document_ids, collection.titles, collection.texts, strict=True):
        yield Record(collection.name, {"_id": name, "title": title, "text": text})


def _columns_of(first: Record) -> list[str]:
    """Return a sentence on the columns that are read as query and positive; none for a layout of a tool."""
    fields = {str(name).lower(): name for name in first.fields}
    layout = next((it for it in recognise.LAYOUTS if it.recognises(set(fields))), None)
    if layout not in (tuples, labelled):
        return []
    negatives = [name for name in fields if columns.NEGATIVE.fullmatch(name)]
    query, positive = columns.query_and_document(dict.fromkeys(fields), first.place, negatives)
    return [f"the column {fields[query]} is read as the query, and {fields[positive]} as its document"]
