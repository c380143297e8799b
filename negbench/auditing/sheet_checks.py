"""Check that a labelling sheet holds what was written to it: an estimate from another would be wrong in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from negbench.auditing.sheet import Sheet


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


def check(sheet: Sheet) -> None:
    """Raise ValueError where numbers of a sheet are out of range, or not those of one draw."""
    pairs, drawn = len(sheet.queries), sheet.probability > 0
    if not pairs:
        raise ValueError("no pairs, expected at least one")
    if odd := [item for item in sheet.items.tolist() if not 0 <= item < pairs]:
        raise ValueError(f"items: {odd[0]} is none of the {pairs} pairs, expected numbers from 0")
    for name, values, low, high in (
        ("probability", sheet.probability, 0.0, 1.0),
        ("weight", sheet.weights, 0.0, np.finfo(np.float32).max),
    ):
        if not (np.isfinite(values) & (values >= low) & (values <= high)).all():
            raise ValueError(f"{name}: expected numbers from {low:g} to {high:g}")
    if not (sheet.weights.sum(axis=1) > 0).all():
        raise ValueError("weight: expected a weight above 0 for each method")
    if sheet.queries.min() < 0 or sheet.strata.min() < -1:
        raise ValueError("query, stratum: expected whole numbers from 0, and -1 for a known positive's stratum")
    if sheet.judge is not None and np.isinf(sheet.judge).any():
        raise ValueError("judge: expected finite numbers, or none")
    if not all(isinstance(digest, str) for digest in sheet.digests):
        raise ValueError("digest: expected texts")
    if not drawn[sheet.items].all() or len(np.unique(sheet.items)) != int(drawn.sum()):
        raise ValueError("items: expected the pairs with a probability above 0")
