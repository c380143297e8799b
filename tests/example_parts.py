"""Parts as small as they come: what has no default gets a plain value."""

from __future__ import annotations

from typing import Any

from negbench.registry import Part


def required(part: type[Part]) -> dict[str, Any]:
    """Return a value for each field without a default: the first of its ``examples``, else 3, else "x"."""
    needed = {name: field for name, field in part.model_fields.items() if field.is_required()}
    plain = {name: 3 if field.annotation in (int, float) else "x" for name, field in needed.items()}
    return {name: field.examples[0] if field.examples else plain[name] for name, field in needed.items()}


def example(part: type[Part]) -> Part:
    """Return a part with its defaults."""
    return part.model_validate(required(part))
