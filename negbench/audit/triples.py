"""Rows without names: query, positive, negative, as texts or as ids of a collection.

In a TSV file without a heading, or as JSON lists (ColBERT, RAGatouille), where more negatives may follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from negbench.audit.records import Record, Unnamed, text_of
from negbench.errors import InputError


def records(path: Path) -> Iterator[Record]:
    """Yield a record of query, positive and negative for every line; InputError where it has not three cells."""
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) != 3:
            raise InputError(f"{path}:{number}: expected query, positive and negative between tabs, found {line!r:.60}")
        yield _record(cells, f"{path}:{number}")


def of_list(cells: list[Any], place: str) -> Record:
    """Return the record of a JSON list of three or more texts or ids; InputError where it is another list."""
    if len(cells) < 3 or any(isinstance(cell, bool) or not isinstance(cell, str | int) for cell in cells):
        raise InputError(
            f"{place}: expected a list of query, positive and negatives, each a text or an id, found {cells!r:.60}"
        )
    return _record(cells, place)


def _record(cells: Sequence[Any], place: str) -> Record:
    names = ["query", "positive", *(f"negative_{number}" for number in range(1, len(cells) - 1))]
    return Unnamed(place, dict(zip(names, cells, strict=True)))


def are_ids(cells: Sequence[str]) -> bool:
    """Tell whether the cells of a row without names look like ids: none has a space or a letter beyond ASCII.

    Languages that write no spaces write other letters.
    """
    return all(cell.isascii() and not any(map(str.isspace, cell.strip())) for cell in cells)
