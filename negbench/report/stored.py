"""Read the results of a grid back from their folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from negbench import user_files
from negbench.errors import InputError, plainly
from negbench.escaping import for_csv
from negbench.plain_values import json_file
from negbench.report.rows import Row
from negbench.report.side_by_side import Matrix
from negbench.user_files import is_there

MANIFEST = "manifest.json"
_AGAIN = "run the grid again, stored stages are reused"


def results_folder(path: Path) -> Path:
    """Return the folder of results that a path names: the folder itself, or its manifest. Raises InputError."""
    folder = path.parent if path.name == MANIFEST and path.is_file() else path
    if not folder.is_dir():
        raise InputError(f"{path}: no such folder; expected results of a grid, such as runs/NAME, or their {MANIFEST}")
    return folder


def read(folder: Path, for_page: bool = False) -> dict[str, Any]:
    """Return what ``results.json`` of a folder holds, with ``manifest``, after a check of what is read of them.

    A page reads more than a comparison. Raises InputError without the files, and for what no run writes.
    """
    for name in ("results.json", MANIFEST):
        if not is_there(folder / name):
            raise InputError(f"{folder}: no {name}; expected the results of a grid: run `negbench run` first")
    path = folder / "results.json"
    data = json_file(path, "the results of a grid")
    if not isinstance(data, dict) or not {"rows", "tables"} <= data.keys():
        raise InputError(f"{path}: written by an older version of negbench; {_AGAIN}")
    _check(path, _PageResults if for_page else _Results, data)
    known = {field.name for field in fields(Row)}
    if odd := sorted({key for row in data["rows"] for key in row} - known):
        raise InputError(f"{path}: rows: {odd[0]!r:.60} is of another version of negbench; {_AGAIN}")
    manifest = json_file(folder / MANIFEST, "the manifest of a run")
    _check(folder / MANIFEST, _PageManifest if for_page else _Manifest, manifest)
    return {**data, "manifest": manifest}


class _Trial(BaseModel):
    name: str
    spelling: str
    axes: dict[str, Any]
    seed: int | None
    status: str


class _Settings(BaseModel):
    measure: str


class _Results(BaseModel):
    """What a comparison reads of ``results.json``."""

    rows: list[Row]
    trials: list[_Trial]
    settings: _Settings


class _Manifest(BaseModel):
    digests: dict[str, dict[str, str]] = {}
    commit: str | None = None


class _PageTrial(_Trial):
    metrics: dict[str, float | None]
    cost: dict[str, Any]
    false_negatives: dict[str, dict[str, Any]]


class _PageSettings(_Settings):
    title: str
    baseline: str | None
    methods: int
    seeds: int
    legend: list[str] = Field(min_length=1)


class _Table(BaseModel):
    title: str
    heading: list[str]
    body: list[list[str]]


class _SideBySide(BaseModel):
    matrices: list[Matrix]
    tables: list[_Table]
    notes: list[str]
    folders: bool


class _Detail(BaseModel):
    method: str
    axes: dict[str, Any]
    group: str
    name: str


class _PageResults(_Results):
    """What a page reads, but for what older results lack."""

    trials: list[_PageTrial]  # type: ignore[assignment]  # a list that is read alone
    settings: _PageSettings
    tables: list[_Table]
    details: list[_Detail] = []
    side_by_side: _SideBySide | None = None
    further: list[_Table] = []
    notes: list[str]
    verdict: list[str] = []


class _PageManifest(_Manifest):
    command: list[str]
    grid: str
    versions: dict[str, Any]


def _check(path: Path, kind: type[BaseModel], data: Any) -> None:
    """Raise InputError, with the key, where a file that a run wrote holds what no run writes."""
    try:
        kind.model_validate(data)
    except ValidationError as error:
        issue = error.errors()[0]
        place = ".".join(map(str, issue["loc"]))
        raise InputError(f"{path}: {place + ': ' if place else ''}{plainly(issue)}; {_AGAIN}") from error


def by_query(folder: Path, trials: Iterable[str]) -> dict[str, dict[tuple[str, str], float]]:
    """Return the first measure by trial and (collection, query), as ``by_query.csv`` has it; empty without the file.

    ``trials`` are the names of the trials in ``results.json``: the file has them as no spreadsheet takes for formulas,
    and they are returned as they are. Raises InputError, with the line, for a value that is no number.
    """
    path = folder / "by_query.csv"
    names = {for_csv(name): name for name in trials}
    values: dict[str, dict[tuple[str, str], float]] = {}
    if not is_there(path):
        return values
    reader = csv.DictReader(io.StringIO(user_files.text(path, "a table of values by query"), newline=""))
    try:
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
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: broken CSV: {error}; {_AGAIN}") from error
    return values
