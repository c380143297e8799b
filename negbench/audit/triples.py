"""Triples in a TSV file without a heading: query, positive, negative, as texts or as ids of a collection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from negbench.audit.records import Record, text_of
from negbench.errors import InputError


def records(path: Path) -> Iterator[Record]:
    """Yield a record of query, positive and negative for every line; InputError where it has not three cells."""
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) != 3:
            raise InputError(f"{path}:{number}: expected query, positive and negative between tabs, found {line!r:.60}")
        yield Record(f"{path}:{number}", dict(zip(("query", "positive", "negative"), cells, strict=True)))
