"""Read the results of a grid back from their folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from negbench.errors import InputError
from negbench.escaping import for_csv
from negbench.plain_values import json_file
from negbench.user_files import is_there

MANIFEST = "manifest.json"


def results_folder(path: Path) -> Path:
    """Return the folder of results that a path names: the folder itself, or its manifest. Raises InputError."""
    folder = path.parent if path.name == MANIFEST and path.is_file() else path
    if not folder.is_dir():
        raise InputError(f"{path}: no such folder; expected results of a grid, such as runs/NAME, or their {MANIFEST}")
    return folder


def read(folder: Path) -> dict[str, Any]:
    """Return what ``results.json`` of a folder holds, with ``manifest``. Raises InputError without them."""
    for name in ("results.json", MANIFEST):
        if not is_there(folder / name):
            raise InputError(f"{folder}: no {name}; expected the results of a grid: run `negbench run` first")
    data = json_file(folder / "results.json", "the results of a grid")
    if not isinstance(data, dict) or not {"rows", "tables"} <= data.keys():
        raise InputError(
            f"{folder / 'results.json'}: written by an older version of negbench; run the grid again, stored stages "
            "are reused"
        )
    return {**data, "manifest": json_file(folder / MANIFEST, "the manifest of a run")}


def by_query(folder: Path, trials: Iterable[str]) -> dict[str, dict[tuple[str, str], float]]:
    """Return the first measure by trial and (collection, query), as ``by_query.csv`` has it; empty without the file.

    ``trials`` are the names of the trials in ``results.json``: the file has them as no spreadsheet takes for formulas,
    and they are returned as they are. Raises InputError, with the line, for a value that is no number.
    """
    path = folder / "by_query.csv"
    names = {for_csv(name): name for name in trials}
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
                    values.setdefault(names.get(trial, trial), {})[where] = float(text)
                except (TypeError, ValueError) as error:
                    raise InputError(
                        f"{path}:{reader.line_num}: {trial}: expected a number, found {text!r:.40}; run the grid again"
                    ) from error
    return values
