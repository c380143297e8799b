"""Addresses of MLflow stores."""

from __future__ import annotations

import re
from pathlib import Path


def sqlite_file(uri: str) -> Path | None:
    """Return the database file of an SQLite address, None for other addresses."""
    matched = re.fullmatch(r"sqlite(?:\+\w+)?:///(?!:memory:)([^?]+)(?:\?.*)?", uri)
    return Path(matched[1]).resolve() if matched else None


def shown(text: str) -> str:
    """Return the text with user names, passwords and what follows a question mark removed from addresses."""
    return re.sub(r"(//[^\s?]*)[?][^\s,;)]*", r"\1", re.sub(r"//[^/\s]*@", "//", text))
