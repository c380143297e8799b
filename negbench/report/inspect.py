"""What each method drew for a query, side by side: text, score, rank, label."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negbench.errors import InputError
from negbench.noise import Noise, keys
from negbench.plan.sources import TRAINING_SPLIT, read_collection
from negbench.plan.trials import Trial
from negbench.plan.writing import extended, texts_of
from negbench.store import Store
from negbench.types import Collection, Negatives


@dataclass(frozen=True)
class Drawn:
    """A negative: its document, ``score`` and ``rank`` (from 1) in the pool, None where it was filled in, and a label.

    ``label`` is ``false negative`` where fuller judgments call it relevant, ``not relevant`` where these are complete
    and do not, ``written`` where it stands in no corpus, else ``unjudged``.
    """

    document: str
    text: str
    score: float | None
    rank: int | None
    label: str


SHOWN = 5
"""How many of a method's negatives are shown of a query; lists that are drawn again on the way hold hundreds."""


@dataclass(frozen=True)
class Example:
    """A training query with its labelled positives (id, text), and by method the documents that were drawn for it."""

    query: str
    text: str
    positives: tuple[tuple[str, str], ...]
    drawn: dict[str, tuple[Drawn, ...]]

    @property
    def brief(self) -> list[tuple[str, tuple[Drawn, ...], str]]:
        """By method the first that were drawn, and how many more there are in words, if any."""
        found = []
        for method, drawn in self.drawn.items():
            rest = drawn[SHOWN:]
            false = sum(one.label == "false negative" for one in rest)
            told = f"and {len(rest)} more" + (f", {false} of them false negatives" if false else "") if rest else ""
            found.append((method, drawn[:SHOWN], told))
        return found


def examples(trials: Sequence[Trial], store: Store, queries: Sequence[str], count: int = 3) -> list[Example]:
    """Return what the methods of the first seed drew for these query ids; without any, for ``count`` telling queries.

    These are the ones whose negatives hold the most false ones, as far as known, and else any. Raises InputError for
    an id that is not among the training queries, or where nothing was drawn yet.
    """
    drawing = [trial for trial in trials if trial.negatives is not None and store.has(trial.negatives)]
    if not drawing:
        raise InputError("nothing was drawn yet: run the grid first")
    first = drawing[0]
    same = [it for it in drawing if it.seed == first.seed and it.evaluation.collection == first.evaluation.collection]
    collection = read_collection(store.path(first.evaluation.collection))
    tables = {trial.name: _negatives(trial, store) for trial in same}
    read = {trial.name: _with_written(collection, trial, store) for trial in same}
    asked = next(iter(tables.values())).queries
    ids = {collection.query_ids[row]: row for row in asked.tolist()}
    if missing := [query for query in queries if query not in ids]:
        near = difflib.get_close_matches(missing[0], list(ids), n=1, cutoff=0) or list(ids)[:1]
        raise InputError(f"no training query has the id {missing[0]!r}; one is {near[0]!r}")
    rows = [ids[query] for query in queries] if queries else _telling(collection, tables, count)
    return [_example(collection, row, tables, read) for row in rows]


def _with_written(collection: Collection, trial: Trial, store: Store) -> Collection:
    written = None if trial.negatives is None else trial.negatives.written
    return collection if written is None else extended(collection, texts_of(store.path(written)))


def _negatives(trial: Trial, store: Store) -> Negatives:
    assert trial.negatives is not None
    return store.load(Negatives, trial.negatives)


def _telling(collection: Collection, tables: dict[str, Negatives], count: int) -> list[int]:
    truth = collection.truth.get(TRAINING_SPLIT)
    first = next(iter(tables.values()))
    false = np.zeros(len(first.queries))
    if truth is not None:
        for table in tables.values():
            false += truth.at_least(1).contains(table.queries[:, None], table.documents).sum(axis=1)
    ticket = Noise(0, "examples").bits(keys([collection.query_ids[row] for row in first.queries.tolist()]))
    return [int(row) for row in first.queries[np.lexsort((ticket, -false))[:count]]]


def _example(collection: Collection, row: int, tables: dict[str, Negatives], read: dict[str, Collection]) -> Example:
    labels = collection.qrels[TRAINING_SPLIT].at_least(1).by_query().get(row, np.zeros(0, np.int32))
    return Example(
        collection.query_ids[row],
        collection.queries[row],
        tuple((collection.document_ids[at], _text(collection, at)) for at in labels.tolist()),
        {name: tuple(_drawn(read[name], row, table)) for name, table in tables.items()},
    )


def _drawn(collection: Collection, row: int, table: Negatives) -> list[Drawn]:
    at = int(np.searchsorted(table.queries, row))
    truth = collection.truth.get(TRAINING_SPLIT)
    found = []
    _, first = np.unique(table.documents[at], return_index=True)  # what is drawn again is told once
    for slot in np.sort(first).tolist():
        document = int(table.documents[at, slot])
        if document < 0:
            continue
        rank, score = int(table.ranks[at, slot]), float(table.scores[at, slot])
        label = "written" if table.origins[at, slot] == 2 else "unjudged"
        if truth is not None and truth.at_least(1).contains(np.array(row), np.array(document)):
            label = "false negative"
        elif collection.truth_kind == "complete" and label != "written":
            label = "not relevant"
        found.append(
            Drawn(
                collection.document_ids[document],
                _text(collection, document),
                None if np.isnan(score) else score,
                None if rank < 0 else rank + 1,
                label,
            )
        )
    return found


def _text(collection: Collection, row: int) -> str:
    return f"{collection.titles[row]} {collection.texts[row]}".strip()


def terminal(found: Sequence[Example], width: int = 300) -> Any:
    """Return the examples for rich: a table a query; texts are cut at ``width`` letters."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown: list[Any] = []
    for example in found:
        table = Table(title=Text(f"{example.query}: {example.text}"), title_justify="left", show_lines=True)
        for name in ("method", "document", "rank", "score", "label", "text"):
            table.add_column(name, overflow="fold")
        for document, text in example.positives:
            table.add_row("positive", Text(document), "", "", "labelled", Text(_cut(text, width)))
        for method, drawn, more in example.brief:
            for one in drawn:
                rank = "filled" if one.rank is None else str(one.rank)
                score = "" if one.score is None else f"{one.score:.3f}"
                table.add_row(Text(method), Text(one.document), rank, score, one.label, Text(_cut(one.text, width)))
            if more:
                table.add_row(Text(method), more, "", "", "", "")
        shown.append(table)
    return Group(*shown)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
