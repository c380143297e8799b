"""Negatives of each method for single queries, side by side: text, score, rank, label."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from negbench.errors import InputError
from negbench.plan.damage import repeat_if_damaged
from negbench.plan.trials import Trial
from negbench.rng import CounterRNG, keys
from negbench.stages.inputs import TRAINING_SPLIT, read_collection
from negbench.stages.mining.writing import texts_of, with_synthetic
from negbench.store import Stage, Store
from negbench.types import Collection, Negatives


@dataclass(frozen=True)
class ShownNegative:
    """A drawn negative.

    ``rank`` (from 1) and ``score`` are those in the candidate pool, None for random fill and synthetic texts. ``label``
    is ``false negative`` if fuller judgments call the document relevant, ``not relevant`` if complete judgments do not,
    ``synthetic`` for a generated text, else ``unjudged``.
    """

    document: str
    text: str
    score: float | None
    rank: int | None
    label: str

    @property
    def place(self) -> str:
        """Rank in words: ``rank 3``, ``random fill`` or ``no rank`` (of a synthetic text)."""
        if self.rank is not None:
            return f"rank {self.rank}"
        return "no rank" if self.label == "synthetic" else "random fill"


SHOWN = 5
"""Most negatives of a method that are shown for a query; refreshed negatives may be hundreds."""


@dataclass(frozen=True)
class Example:
    """A training query with its labelled positives (id, text) and the negatives drawn for it, by method."""

    query: str
    text: str
    positives: tuple[tuple[str, str], ...]
    drawn: dict[str, tuple[ShownNegative, ...]]

    @property
    def brief(self) -> list[tuple[str, tuple[ShownNegative, ...], str]]:
        """The first ``SHOWN`` negatives of each method, and a phrase that counts the others."""
        shown = []
        for method, drawn in self.drawn.items():
            rest = drawn[SHOWN:]
            false = sum(one.label == "false negative" for one in rest)
            remainder = (
                f"and {len(rest)} more" + (f", {false} of them false negatives" if false else "") if rest else ""
            )
            shown.append((method, drawn[:SHOWN], remainder))
        return shown


def examples(trials: Sequence[Trial], store: Store, queries: Sequence[str], count: int = 3) -> list[Example]:
    """Return the negatives that the methods drew for ``queries`` (ids) with the first seed.

    Without ids, for the ``count`` queries with the most known false negatives. Raises InputError for an id that is no
    training query, and if no negatives are stored.
    """
    with_negatives = [trial for trial in trials if trial.negatives is not None]
    needed = [stage for trial in with_negatives for stage in _read(trial)]
    return repeat_if_damaged(store, needed, partial(_examples, with_negatives, store, queries, count))


def are_stored(trials: Sequence[Trial], store: Store) -> bool:
    """Tell whether the store holds negatives of some trial; without them there is nothing to read."""
    return any(trial.negatives is not None and all(map(store.has, _read(trial))) for trial in trials)


def _read(trial: Trial) -> list[Stage]:
    """Return the stages whose artifacts are read."""
    negatives = trial.negatives
    written = None if negatives is None else negatives.written
    return [stage for stage in (trial.evaluation.collection, negatives, written) if stage is not None]


def _examples(trials: Sequence[Trial], store: Store, queries: Sequence[str], count: int) -> list[Example]:
    drawing = [trial for trial in trials if all(map(store.has, _read(trial)))]
    if not drawing:
        raise InputError("no negatives are stored for this grid; run it first")
    first = drawing[0]
    same = [it for it in drawing if it.seed == first.seed and it.evaluation.collection == first.evaluation.collection]
    collection = read_collection(store.path(first.evaluation.collection))
    tables = {trial.name: _negatives(trial, store) for trial in same}
    read = {trial.name: _with_written(collection, trial, store) for trial in same}
    asked = next(iter(tables.values())).queries
    ids = {collection.query_ids[row]: row for row in asked.tolist()}
    if missing := [query for query in queries if query not in ids]:
        near = difflib.get_close_matches(missing[0], list(ids), n=1, cutoff=0) or list(ids)[:1]
        raise InputError(f"no training query has the id {missing[0]!r}; did you mean {near[0]!r}?")
    rows = [ids[query] for query in queries] if queries else _telling(collection, tables, count)
    return [_example(collection, row, tables, read) for row in rows]


def _with_written(collection: Collection, trial: Trial, store: Store) -> Collection:
    written = None if trial.negatives is None else trial.negatives.written
    return collection if written is None else with_synthetic(collection, texts_of(store.path(written)))


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
    ticket = CounterRNG(0, "examples").bits(keys([collection.query_ids[row] for row in first.queries.tolist()]))
    return [int(row) for row in first.queries[np.lexsort((ticket, -false))[:count]]]


def _example(collection: Collection, row: int, tables: dict[str, Negatives], read: dict[str, Collection]) -> Example:
    labels = collection.qrels[TRAINING_SPLIT].at_least(1).by_query().get(row, np.zeros(0, np.int32))
    return Example(
        collection.query_ids[row],
        collection.queries[row],
        tuple((collection.document_ids[document], _text(collection, document)) for document in labels.tolist()),
        {name: tuple(_drawn(read[name], row, table)) for name, table in tables.items()},
    )


def _drawn(collection: Collection, row: int, table: Negatives) -> list[ShownNegative]:
    place = int(np.searchsorted(table.queries, row))
    truth = collection.truth.get(TRAINING_SPLIT)
    drawn = []
    _, first = np.unique(
        table.documents[place], return_index=True
    )  # a document that is drawn in several epochs is shown once
    for slot in np.sort(first).tolist():
        document = int(table.documents[place, slot])
        if document < 0:
            continue
        rank, score = int(table.ranks[place, slot]), float(table.scores[place, slot])
        label = "synthetic" if table.origins[place, slot] == 2 else "unjudged"
        if truth is not None and truth.at_least(1).contains(np.array(row), np.array(document)):
            label = "false negative"
        elif collection.truth_kind == "complete" and label != "synthetic":
            label = "not relevant"
        drawn.append(
            ShownNegative(
                collection.document_ids[document],
                _text(collection, document),
                None if np.isnan(score) else score,
                None if rank < 0 else rank + 1,
                label,
            )
        )
    return drawn


def _text(collection: Collection, row: int) -> str:
    return f"{collection.titles[row]} {collection.texts[row]}".strip()


def terminal(found: Sequence[Example], width: int = 300) -> Any:
    """Return the examples for rich, one table per query; texts are cut at ``width`` characters."""
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
                rank = one.place.removeprefix("rank ")
                score = "" if one.score is None else f"{one.score:.3f}"
                table.add_row(Text(method), Text(one.document), rank, score, one.label, Text(_cut(one.text, width)))
            if more:
                table.add_row(Text(method), more, "", "", "", "")
        shown.append(table)
    return Group(*shown)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
