"""Files of others where results are to be written: they are not replaced."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from negbench.errors import InputError
from negbench.user_files import is_there

RESULTS = (
    *("results.json", "details.csv", "overlap.csv", "by_query.csv", "curves.csv", "false_negatives.csv"),
    *("table.md", "table.csv", "manifest.json"),
)
"""Files that every run of a grid writes into the folder of its results."""

VERDICTS = ("verdicts.json", "verdicts.md", "verdicts.svg", "by_query.csv", "manifest.json")
"""Files that the reproduction of a paper writes into its folder."""


def check_results(out: Path) -> None:
    """Raise InputError where a folder has a file of the names in ``RESULTS``, and no run of a grid has written it."""
    _check(out, RESULTS, _has(out / "results.json", "trials") or _has(out / "manifest.json", "grid"))


def check_verdicts(out: Path) -> None:
    """Raise InputError where a folder has a file of the names in ``VERDICTS``, and no reproduction has written it."""
    _check(out, VERDICTS, _has(out / "verdicts.json", "statements") or _has(out / "manifest.json", "command"))


def check_page(page: Path, marker: str) -> None:
    """Raise InputError for a page that exists and has no line ``marker``, which generated ones have."""
    if is_there(page) and not (page.is_file() and marker in page.read_text("utf-8", "replace").splitlines()):
        raise InputError(f"{page}: exists, and is no page of negbench's; choose another --out, or move it away")


def _check(folder: Path, names: Sequence[str], ours: bool) -> None:
    if not ours and (found := next((folder / name for name in names if is_there(folder / name)), None)):
        raise InputError(
            f"{found}: exists, and its folder holds no results of negbench's; choose another --out, or move it away"
        )


def _has(path: Path, key: str) -> bool:
    """Tell whether a JSON file is an object with this key."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and key in found
