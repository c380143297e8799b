"""Check that the design of a labelling sheet holds what was written to it, before an estimate rests on it."""

from __future__ import annotations

from typing import Any


def check_record(record: Any, version: int) -> None:
    """Raise ValueError where ``design.json`` holds other kinds of values than a sheet of this ``version``."""
    if not isinstance(record, dict):
        raise ValueError(f"expected an object with version, methods, seed and items, found {record!r:.60}")
    if record.get("version") != version:
        raise ValueError(f"version {record.get('version')!r:.60}, expected {version}")
    methods, items, seed = (record.get(key) for key in ("methods", "items", "seed"))
    if not isinstance(methods, list) or not methods or not all(isinstance(name, str) for name in methods):
        raise ValueError(f"methods: expected a list of names, found {methods!r:.60}")
    if len(set(methods)) < len(methods):
        raise ValueError("methods: a name stands twice")
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected a whole number from 0, found {seed!r:.60}")
    if not isinstance(items, list) or not items or not all(type(item) is int and abs(item) < 2**62 for item in items):
        raise ValueError(f"items: expected a list of whole numbers, found {items!r:.60}")


def check_item(item: Any) -> None:
    """Raise ValueError where a line of ``items.jsonl`` is no item of a sheet."""
    texts = [item.get("query"), item.get("document")] if isinstance(item, dict) else [None]
    positives = item.get("positives") if isinstance(item, dict) else None
    if not all(isinstance(text, str) for text in [*texts, *(positives if isinstance(positives, list) else [None])]):
        raise ValueError(f"expected an object with query, positives and document, found {item!r:.60}")
    if type(item.get("item")) is not int or type(item.get("more")) is not int:
        raise ValueError(f"item and more: expected whole numbers, found {item.get('item')!r:.60}")
