"""Splits: their names, and carving dev and test out of the training queries where they are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from negbench.rng import CounterRNG, keys

Triple = tuple[int, int, int]
"""A judgment by rows: query row, document row, grade."""

Share = Annotated[float, Field(ge=0, lt=0.5)]
"""The share of training queries that a missing split is carved from; 0 carves nothing."""

Together = Annotated[
    Literal["text", "positive"],
    Field(
        description=(
            "Training queries that a carved split keeps on one side: those of the same `text`, or also those that "
            "share a `positive`, directly or by a chain."
        )
    ),
]

SPLIT_NAMES = {"validation": "dev", "valid": "dev", "val": "dev"}
"""Other names of the three splits that the harness knows as train, dev and test."""

_CARVED = re.compile(r"(\d+) of (\d+) training queries are set aside as the missing \w+ split")
"""The sentence of ``complete`` on a carved split."""


def normalised(text: str) -> str:
    """Return a query text in lower case with single spaces."""
    return " ".join(text.casefold().split())


def complete(
    given: dict[str, list[Triple]],
    ids: Sequence[str],
    texts: Sequence[str],
    *,
    dev: float,
    test: float,
    together: Literal["text", "positive"] = "text",
) -> tuple[dict[str, list[Triple]], list[str]]:
    """Return the splits with a missing test, then a missing dev, carved from train, and sentences that say so.

    Without a train split nothing is carved. ``ids`` and ``texts`` are those of all queries, by row. ``together`` is as
    in ``carve``; carved queries that share a positive with training queries are counted in a sentence.
    """
    splits, notes = dict(given), []
    for split, share in (("test", test), ("dev", dev)):
        if split in splits or "train" not in splits or not share:
            continue
        train = splits["train"]
        chosen = carve(train, ids, texts, share, split, together)
        if not chosen:
            notes.append(f"no {split} split: train has too few distinct queries to carve one")
            continue
        total = len({row for row, _, _ in train})
        sentence = f"{len(chosen)} of {total} training queries are set aside as the missing {split} split"
        splits[split] = [triple for triple in train if triple[0] in chosen]
        splits["train"] = [triple for triple in train if triple[0] not in chosen]
        notes.append(sentence + _overlap(splits[split], splits["train"], together))
    return splits, notes


def carved(notes: Iterable[str]) -> tuple[int, int] | None:
    """Return how many training queries are left and how many there were, by the sentences of ``complete`` in ``notes``.

    None where nothing was carved.
    """
    counts = [(int(it[1]), int(it[2])) for note in notes if (it := _CARVED.search(note))]
    if not counts:
        return None
    before = max(total for _, total in counts)
    return before - sum(count for count, _ in counts), before


def carve(
    train: Sequence[Triple],
    ids: Sequence[str],
    texts: Sequence[str],
    share: float,
    split: str,
    together: Literal["text", "positive"] = "text",
) -> set[int]:
    """Choose the query rows that leave ``train`` for ``split``.

    Queries of the same normalised text go together. Of the groups with a positive, a ``share`` is taken, at
    least one and never all, in a random order by id: the order of files and rows does not matter.

    With ``together`` positive, groups that share a positive, directly or by a chain, go together as well. The order is
    then that of these larger groups, and one that would exceed the share is passed over. Where half of the share or
    more is missed so, only the text counts. Without shared positives the choice is the same.
    """
    positive = {row for row, _, grade in train if grade > 0}
    groups: dict[str, list[int]] = {}
    for row in {row for row, _, _ in train}:
        groups.setdefault(normalised(texts[row]), []).append(row)
    # A group is named after its smallest id, which no order of reading changes.
    named = {min(ids[row] for row in rows): rows for rows in groups.values() if not positive.isdisjoint(rows)}
    if len(named) < 2:
        return set()
    count = max(1, round(share * len(named)))
    chosen: list[str] = []
    if together == "positive":
        linked = _linked(named, train)
        for name in _shuffled(list(linked), split):
            if len(chosen) + len(linked[name]) <= count:
                chosen += linked[name]
    if 2 * len(chosen) <= count:
        chosen = _shuffled(list(named), split)[:count]
    return {row for name in chosen for row in named[name]}


def _shuffled(names: list[str], split: str) -> list[str]:
    order = CounterRNG(0, f"split/{split}").order(keys(names))
    return [names[position] for position in order.tolist()]


def _linked(named: dict[str, list[int]], train: Sequence[Triple]) -> dict[str, list[str]]:
    """Return the names of groups that shared positives link, under the smallest of these names."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    group_of = {row: number for number, rows in enumerate(named.values()) for row in rows}
    links = {(group_of[row], document) for row, document, grade in train if grade > 0 and row in group_of}
    documents = {document: number for number, document in enumerate(sorted({document for _, document in links}))}
    ends = np.array([(group, len(named) + documents[document]) for group, document in links]).reshape(-1, 2)
    size = len(named) + len(documents)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    members: dict[int, list[str]] = {}
    for name, label in zip(named, labels.tolist(), strict=False):  # the labels of documents come after
        members.setdefault(label, []).append(name)
    return {min(names): names for names in members.values()}


def _overlap(carved: Sequence[Triple], train: Sequence[Triple], together: str) -> str:
    """Return a phrase that counts the carved queries with a training query's positive; empty for none."""
    held = {document for _, document, grade in train if grade > 0}
    count = len({row for row, document, grade in carved if grade > 0 and document in held})
    if not count:
        return ""
    share = "1 of them shares its positive" if count == 1 else f"{count} of them share a positive"
    why = (
        "`together: positive` keeps such queries on one side"
        if together == "text"
        else "so many queries are linked by shared positives that they cannot be kept on one side"
    )
    return f"; {share} with training queries: {why}"
