"""Records from a file that starts with a JSON list: a list of objects (DPR), or rows as lists (ColBERT)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from negbench import plain_values
from negbench.collections import beir
from negbench.collections.layouts import triples
from negbench.collections.layouts.records import Record, text_of
from negbench.errors import InputError

_GAP = re.compile(r"\s*")


def records(path: Path) -> Iterator[Record]:
    """Yield the records of a file with one list of all records, or one list per line; gzipped or not.

    An object is a record with named fields, a list is query, positive, negatives. Raises InputError with file and line.
    """
    text = text_of(path)
    inside = _skip(text, text.index("[") + 1)
    one_value = text[inside : inside + 1] in ("{", "[", "]", "")
    for value, place in _entries(path, text, inside) if one_value else beir.objects(path):
        if isinstance(value, list):
            yield triples.of_list(value, place)
        elif isinstance(value, dict):
            yield Record(place, value)
        else:
            raise InputError(f"{place}: expected a JSON object or a list, found {value!r:.60}")


def _entries(path: Path, text: str, at: int) -> Iterator[tuple[Any, str]]:
    """Yield each entry of the list from ``at``, with its place.

    Entries are decoded one by one, since DPR's files have gigabytes.
    """
    decoder, line, counted = plain_values.JSON_RECORDS, 1, 0
    more = not text.startswith("]", at)
    while more:
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = decoder.raw_decode(text, at)
            plain_values.check_texts(value, text[at:end])
        except json.JSONDecodeError as error:
            raise InputError(
                f"{path}:{error.lineno}: broken JSON, {error.msg} at column {error.colno}; mend this"
            ) from error
        except plain_values.RepeatedKeyError as error:
            line += text.count("\n", at, error.position_in(text, at))
            raise InputError(f"{path}:{line}: {error}") from error
        except plain_values.NotPlainError as error:
            raise InputError(f"{path}:{line}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{line}: unreadable JSON: {error}; mend it there") from error
        yield value, f"{path}:{line}"
        at = _skip(text, end)
        more = text.startswith(",", at)
        if more:
            at = _skip(text, at + 1)
    if text[at : at + 1] != "]" or _skip(text, at + 1) < len(text):
        line += text.count("\n", counted, at)
        raise InputError(
            f"{path}:{line}: broken JSON, expected a comma or the list's end, found {text[at : at + 40]!r}; mend this"
        )


def _skip(text: str, at: int) -> int:
    """Return the position after the white space at ``at``."""
    gap = _GAP.match(text, at)
    return gap.end() if gap else at
