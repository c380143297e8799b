"""The name that a grid gives the row of a method in its tables: ``{rank-band: {low: 10}, name: narrow band}``."""

from __future__ import annotations

from collections.abc import Collection, Mapping

REFERENCES = ("bm25-search", "start", "untouched")
"""Rows of a table that are no methods: BM25 as the search engine, the encoder before training and as published."""

LONGEST = 60
"""Most characters of a name."""


def taken_out(entry: object) -> tuple[object, object]:
    """Return a grid's entry for a method without its ``name``, and the name; None where it gives none."""
    if isinstance(entry, Mapping) and "name" in entry and len(entry) > 1:
        return {key: value for key, value in entry.items() if key != "name"}, entry["name"]
    return entry, None


def check(name: object, methods: Collection[str]) -> str:
    """Return a row's name; ValueError for one that would be mistaken for a method, a spelling or a reference."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"name: expected a text, as in name: narrow band, found {name!r:.60}")
    name = " ".join(name.split())
    if not name.isprintable():
        raise ValueError(f"name: {name!r:.80} has characters that cannot be seen; leave them out")
    if len(name) > LONGEST:
        raise ValueError(f"name: expected at most {LONGEST} characters, found {len(name)}")
    if "(" in name or ")" in name:
        raise ValueError(f"name: {name!r} has round brackets, which stand for a method's parameters; leave them out")
    if name in REFERENCES or name in methods:
        what = "a reference" if name in REFERENCES else "a method"
        raise ValueError(f"name: {name!r} is the name of {what}; give another")
    return name
