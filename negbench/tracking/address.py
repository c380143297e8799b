"""Addresses of MLflow stores."""

from __future__ import annotations

import re
from pathlib import Path


def sqlite_file(uri: str) -> Path | None:
    """Return the database that an address of SQLite's means, None for any other."""
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///(?!:memory:)([^?]+)(?:\?.*)?", uri)
    return Path(found[1]).resolve() if found else None


def shown(text: str) -> str:
    """Return the text without the user names and passwords that addresses may hold."""
    return re.sub(r"//[^/@\s]*@", "//", text)
