"""Records from a file that starts with a JSON list: a list of objects (DPR), or rows as lists (ColBERT)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from negbench.audit import triples
from negbench.audit.records import Record, text_of
from negbench.collections import beir
from negbench.errors import InputError

_GAP = re.compile(r"\s*")


def records(path: Path) -> Iterator[Record]:
    """Yield the records of one list that holds all of them, or of a list a line; gzipped or not.

    An object is a record by its names, a list is query, positive, negatives. Raises InputError with file and line.
    """
    text = text_of(path)
    inside = _skip(text, text.index("[") + 1)
    whole = text[inside : inside + 1] in ("{", "[", "]", "")
    for value, place in _entries(path, text, inside) if whole else beir.objects(path):
        if isinstance(value, list):
            yield triples.of_list(value, place)
        elif isinstance(value, dict):
            yield Record(place, value)
        else:
            raise InputError(f"{place}: expected a JSON object or a list, found {value!r:.60}")


def _entries(path: Path, text: str, at: int) -> Iterator[tuple[Any, str]]:
    """Yield what the list holds from ``at``, and the line that each entry starts in.

    Entry by entry: DPR's files have gigabytes, of which little is kept.
    """
    decoder, line, counted = json.JSONDecoder(), 1, 0
    more = not text.startswith("]", at)
    while more:
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{error.lineno}: broken JSON, {error.msg} at column {error.colno}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{line}: JSON that cannot be read: {error}") from error
        yield value, f"{path}:{line}"
        at = _skip(text, end)
        more = text.startswith(",", at)
        if more:
            at = _skip(text, at + 1)
    if text[at : at + 1] != "]" or _skip(text, at + 1) < len(text):
        line += text.count("\n", counted, at)
        raise InputError(
            f"{path}:{line}: broken JSON, expected a comma or the list's end, found {text[at : at + 40]!r}"
        )


def _skip(text: str, at: int) -> int:
    """Return where white space that starts at ``at`` ends."""
    gap = _GAP.match(text, at)
    return gap.end() if gap else at
