"""A collection from whose training queries nothing is carved, for what needs no dev and no test split."""

from __future__ import annotations

from typing import Any

from negbench.collections import Source

SHARES = ("dev", "test")


def uncarved(source: Source) -> Source:
    """Return a source, and the one inside it, with the shares of carved splits at 0; those that were given stay."""
    changes: dict[str, Any] = {}
    if source.carves:
        changes = {name: 0.0 for name in SHARES if name not in source.model_fields_set}
    if isinstance(inner := source.parameters.get("collection"), Source):
        changes["collection"] = uncarved(inner)
    return source.model_copy(update=changes)
