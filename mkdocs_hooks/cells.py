"""Markdown of generated pages: text in which nothing is taken for markup, values as code, tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any


def prose(text: str) -> str:
    """Return text in which Markdown finds nothing but code between backticks."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(it if it.startswith("`") else re.sub(r"([*\\[\]])", r"\\\1", _html(it)) for it in pieces)


def cell(text: str) -> str:
    """Return text as a table's cell holds it."""
    return prose(" ".join(text.split())).replace("|", "\\|")


def code(value: Any) -> str:
    """Return a value as code: a part by its name, text as it is, else as JSON; empty for no text."""
    if isinstance(value, Mapping) and "name" in value:
        value = value["name"]
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{said}`".replace("|", "\\|") if said else ""


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose cells are Markdown already, with an empty line before and after."""
    return ["", *(f"| {' | '.join(row)} |" for row in (heading, ["---"] * len(heading), *rows)), ""]


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
