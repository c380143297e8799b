"""Typed access to the fields of a record; errors name the record's place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from negbench.collections import checks
from negbench.collections.layouts.rows import Negative
from negbench.errors import InputError

MOST = float(np.finfo(np.float32).max)
"""Largest score, as scores are float32."""


def text(fields: Mapping[str, Any], key: str, place: str) -> str:
    """Return the text under ``key``, which must not be blank. Raises InputError otherwise."""
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{place}: {key}: expected some text, found {_shown(value)}")
    return value


def list_of(fields: Mapping[str, Any], key: str, place: str) -> list[Any]:
    """Return the list under ``key``. Raises InputError for anything else."""
    value = fields.get(key)
    if not isinstance(value, list):
        raise InputError(f"{place}: {key}: expected a list, found {_shown(value)}")
    return value


def texts(fields: Mapping[str, Any], key: str, place: str) -> list[str]:
    """Return a list of texts; blank ones are kept, and counted in a warning later."""
    values = list_of(fields, key, place)
    if odd := [value for value in values if not isinstance(value, str)]:
        raise InputError(f"{place}: {key}: expected a list of texts, found {odd[0]!r:.60} in it")
    return values


def passages(fields: Mapping[str, Any], key: str, place: str) -> list[str]:
    """Return the texts of a list of objects with ``text`` and maybe ``title``, the title before the text."""
    passage_texts = []
    for passage in list_of(fields, key, place):
        if not isinstance(passage, dict):
            raise InputError(
                f'{place}: {key}: expected objects like {{"docid": ..., "text": ...}}, found {passage!r:.60}'
            )
        if not isinstance(passage.get("text"), str):
            raise InputError(f"{place}: {key}: text: expected some text, found {_shown(passage.get('text'))}")
        passage_texts.append(f"{passage.get('title') or ''} {passage['text']}".strip())
    return passage_texts


def ids(fields: Mapping[str, Any], key: str, place: str) -> list[str]:
    """Return a list of ids as text; whole numbers are their digits."""
    return [checks.identifier(value, key, place) for value in list_of(fields, key, place)]


def optional_id(fields: Mapping[str, Any], key: str, place: str) -> str:
    """Return the id under ``key`` as text; empty where there is none."""
    value = fields.get(key)
    return "" if value is None or value == "" else checks.identifier(value, key, place)


def numbers(values: Any, count: int, place: str) -> list[float]:
    """Return a list of ``count`` numbers, each one that float32 holds."""
    if not isinstance(values, list) or any(isinstance(it, bool) or not isinstance(it, int | float) for it in values):
        raise InputError(f"{place}: expected a list of numbers, found {values!r:.60}")
    if len(values) != count:
        raise InputError(f"{place}: expected {count} numbers, found {len(values)}")
    try:
        read = [float(value) for value in values]
    except OverflowError:
        read = [math.inf]
    if any(abs(value) > MOST for value in read):  # NaN stands for a score that is unknown
        raise InputError(
            f"{place}: expected numbers that are finite, up to {MOST:.2g}; correct or leave out the infinite one"
        )
    return read


def ranked(found: Sequence[str], scores: Sequence[float] | None = None) -> tuple[Negative, ...]:
    """Return the negatives of a list whose order is their rank."""
    known = [math.nan] * len(found) if scores is None else scores
    return tuple(Negative(one, rank, score) for rank, (one, score) in enumerate(zip(found, known, strict=True)))


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:60]
