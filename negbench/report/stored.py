"""Read the results of a grid back from their folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from negbench.errors import InputError

MANIFEST = "manifest.json"


def results_folder(path: Path) -> Path:
    """Return the folder of results that a path names: the folder itself, or its manifest. Raises InputError."""
    folder = path.parent if path.name == MANIFEST and path.is_file() else path
    if not folder.is_dir():
        raise InputError(f"{path}: no such folder; expected results of a grid, such as runs/NAME, or their {MANIFEST}")
    return folder


def read(folder: Path) -> dict[str, Any]:
    """Return what ``results.json`` of a folder holds, with ``manifest``. Raises InputError without them."""
    try:
        data: dict[str, Any] = _json(folder / "results.json")
        data["manifest"] = _json(folder / MANIFEST)
    except FileNotFoundError as error:
        raise InputError(
            f"{folder}: no {Path(error.filename).name}; expected the results of a grid: run `negbench run` first"
        ) from error
    if not {"rows", "tables"} <= data.keys():
        raise InputError(
            f"{folder / 'results.json'}: written by an older version of negbench; run the grid again, stored stages "
            "are reused"
        )
    return data


def by_query(folder: Path) -> dict[str, dict[tuple[str, str], float]]:
    """Return the first measure by trial and (collection, query), as ``by_query.csv`` has it; empty without the file.

    Raises InputError, with the line, for a value that is no number.
    """
    path = folder / "by_query.csv"
    values: dict[str, dict[tuple[str, str], float]] = {}
    if not path.exists():
        return values
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for line in reader:
            where = line.pop("collection", ""), line.pop("query", "")
            for trial, text in line.items():
                if not text:
                    continue
                try:
                    values.setdefault(trial, {})[where] = float(text)
                except (TypeError, ValueError) as error:
                    raise InputError(
                        f"{path}:{reader.line_num}: {trial}: expected a number, found {text!r:.40}; run the grid again"
                    ) from error
    return values


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not valid JSON: {error.msg}; run the grid again") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a mapping of keys, as negbench run writes it; run the grid again")
    return found
