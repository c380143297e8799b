"""Splits: their names, and carving dev and test out of the training queries where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from negbench.noise import Noise, keys

Triple = tuple[int, int, int]
"""A judgment inside: query row, document row, grade."""

Share = Annotated[float, Field(ge=0, lt=0.5)]
"""The share of training queries that a missing split is carved from; 0 carves nothing."""

SPLIT_NAMES = {"validation": "dev", "valid": "dev", "val": "dev"}
"""Other names of the three splits that the harness knows as train, dev and test."""


def normalised(text: str) -> str:
    """Return a query text without what does not tell queries apart: case and runs of white space."""
    return " ".join(text.casefold().split())


def complete(
    given: dict[str, list[Triple]], ids: Sequence[str], texts: Sequence[str], *, dev: float, test: float
) -> tuple[dict[str, list[Triple]], list[str]]:
    """Return the splits with a missing test, then a missing dev, carved from train, and sentences that say so.

    Without a train split nothing is carved. ``ids`` and ``texts`` are those of all queries, by row.
    """
    splits, notes = dict(given), []
    for split, share in (("test", test), ("dev", dev)):
        if split in splits or "train" not in splits or not share:
            continue
        train = splits["train"]
        chosen = carve(train, ids, texts, share, split)
        if not chosen:
            notes.append(f"no {split} split: train holds too few distinct queries to carve one")
            continue
        total = len({row for row, _, _ in train})
        notes.append(f"{len(chosen)} of {total} training queries are set aside as {split}, which is missing")
        splits[split] = [triple for triple in train if triple[0] in chosen]
        splits["train"] = [triple for triple in train if triple[0] not in chosen]
    return splits, notes


def carve(train: Sequence[Triple], ids: Sequence[str], texts: Sequence[str], share: float, split: str) -> set[int]:
    """Choose the query rows that leave ``train`` for ``split``.

    Queries of the same normalised text go together. Of the groups with a positive, a ``share`` is taken, at
    least one and never all, ranked by noise on the ids: the order of files and rows has no say.
    """
    positive = {row for row, _, grade in train if grade > 0}
    groups: dict[str, list[int]] = {}
    for row in {row for row, _, _ in train}:
        groups.setdefault(normalised(texts[row]), []).append(row)
    # A group is named after its smallest id, which no order of reading changes.
    named = {min(ids[row] for row in rows): rows for rows in groups.values() if not positive.isdisjoint(rows)}
    if len(named) < 2:
        return set()
    names = list(named)
    order = Noise(0, f"split/{split}").order(keys(names))
    count = max(1, round(share * len(names)))
    return {row for position in order[:count] for row in named[names[position]]}
