"""Rows without field names: query, positive, negative, as texts or as ids of a collection.

Either a TSV file without a heading, or JSON lists (ColBERT, RAGatouille), which may have more negatives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from negbench.collections.layouts.records import Record, Unnamed, text_of
from negbench.errors import InputError


def records(path: Path) -> Iterator[Record]:
    """Yield a record of query, positive and negative for every line; InputError for a line without three cells."""
    for cells, place in _cells(path, 3, "query, positive and negative"):
        yield _record(cells, place)


def id_and_text(path: Path) -> Iterator[Record]:
    """Yield a record of ``_id`` and ``text`` for every line; InputError for a line without two cells."""
    for cells, place in _cells(path, 2, "id and text"):
        yield Record(place, dict(zip(("_id", "text"), cells, strict=True)))


def _cells(path: Path, count: int, what: str) -> Iterator[tuple[list[str], str]]:
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) != count:
            raise InputError(f"{path}:{number}: expected {what} between tabs, found {line!r:.60}")
        yield cells, f"{path}:{number}"


def of_list(cells: list[Any], place: str) -> Record:
    """Return the record of a JSON list of at least two texts or ids; InputError for another list."""
    if len(cells) < 2 or any(isinstance(cell, bool) or not isinstance(cell, str | int) for cell in cells):
        raise InputError(
            f"{place}: expected a list of query, positive and negatives, each a text or an id, found {cells!r:.60}"
        )
    return _record(cells, place)


def _record(cells: Sequence[Any], place: str) -> Record:
    names = ["query", "positive", *(f"negative_{number}" for number in range(1, len(cells) - 1))]
    return Unnamed(place, dict(zip(names, cells, strict=True)))


def are_ids(cells: Sequence[str]) -> bool:
    """Tell whether the cells of a row without names look like ids: none has a space or a non-ASCII character.

    Texts in languages without spaces have non-ASCII characters.
    """
    return all(cell.isascii() and not any(map(str.isspace, cell.strip())) for cell in cells)
