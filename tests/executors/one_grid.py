"""A grid of a few seconds, and what of its results is the same whoever made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def grid(encoder: Path) -> dict[str, Any]:
    return {
        "name": "tiny",
        "collection": "helpdesk(articles=100, queries=24, dev=6, test=12)",
        "encoder": {"model": encoder, "reinit_layers": 1},
        "methods": ["in-batch", "bm25"],
        "seeds": [0, 1],
        "train": {"epochs": 1, "batch_size": 8, "max_length": 32, "precision": "float32"},
        "baseline": "in-batch",
        "estimators": ["exact"],
    }


def steady(value: Any) -> Any:
    """Return a part of results.json without what a clock or the memory says."""
    if isinstance(value, dict):
        return {
            name: steady(one)
            for name, one in value.items()
            if name not in ("added", "peak_mib") and not name.startswith("seconds")
        }
    return [steady(one) for one in value] if isinstance(value, list) else value
