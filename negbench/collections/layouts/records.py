"""Read records with named fields from a dataset folder, Parquet, JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from negbench import user_files
from negbench.collections import beir
from negbench.errors import InputError

_SEPARATOR = re.compile(r'"?sep=([\t,;])"?')


class Record(NamedTuple):
    """Named fields, and the place they were read from (file and line or row)."""

    place: str
    fields: dict[str, Any]


class Unnamed(Record):
    """A record of a file without field names, which are added here."""


def dataset_folder(folder: Path) -> Iterator[Record]:
    """Yield the rows of a dataset saved by ``datasets.save_to_disk``; of a dict of datasets, ``train`` or the only one.

    Raises InputError for another folder, and for several datasets without ``train``.
    """
    splits = dataset_splits(folder)
    if "train" not in splits and len(splits) != 1:
        raise InputError(f"{folder}: holds the datasets {', '.join(splits)}; give one, as in {folder / min(splits)}")
    yield from splits["train"] if "train" in splits else next(iter(splits.values()))


def dataset_splits(folder: Path) -> dict[str, Iterator[Record]]:
    """Return the rows of a dataset saved by ``datasets.save_to_disk`` by split; a single one is ``train``.

    Raises InputError for another folder.
    """
    import datasets

    try:
        saved = datasets.load_from_disk(str(folder))
    except Exception as error:  # whatever datasets and Arrow raise for a folder that is incomplete
        raise InputError(f"{folder}: cannot be read as a saved dataset: {_first_line(error)}; save it again") from error
    if isinstance(saved, datasets.DatasetDict):
        return {split: _numbered(rows, f"{folder}: {split} row") for split, rows in saved.items()}
    return {"train": _numbered(saved, f"{folder}: row")}


def _numbered(rows: Iterable[dict[str, Any]], place: str) -> Iterator[Record]:
    return (Record(f"{place} {number}", fields) for number, fields in enumerate(rows, 1))


def parquet(path: Path) -> Iterator[Record]:
    """Yield the rows of a Parquet file; InputError if it is unreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    user_files.check_regular(path, "a Parquet file")
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if twice := [name for position, name in enumerate(names) if name in names[:position]]:
                raise InputError(f"{path}: two columns are called {twice[0]!r:.60}; rename one")
            for batch in file.iter_batches(4096):
                for fields in batch.to_pylist():
                    number += 1
                    yield Record(f"{path}: row {number}", fields)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: cannot be read as Parquet: {_first_line(error)}; give a whole copy of the file"
        ) from error


def json_lines(path: Path) -> Iterator[Record]:
    """Yield the objects of a JSON lines file, gzipped or not; InputError for a line that is no object."""
    for fields, place in beir.objects(path):
        if not isinstance(fields, dict):
            raise InputError(f"{place}: expected one JSON object per line, found {fields!r:.60}")
        yield Record(place, fields)


def heading(text: str) -> tuple[list[str], str]:
    """Return the names of a table's columns, and what is between them: a tab, a comma or a semicolon.

    Spreadsheets may tell it in a line before the names, such as ``sep=;``.
    """
    lines = [line.rstrip("\r") for line in text.lstrip("\r\n").split("\n", 2)]
    told = _SEPARATOR.fullmatch(lines[0])
    first = lines[1] if told and len(lines) > 1 else lines[0]
    delimiter = told[1] if told else max("\t,;", key=first.count)
    return [name.strip().strip('"') for name in first.split(delimiter)], delimiter


def table(path: Path, delimiter: str) -> Iterator[Record]:
    """Yield the rows of a CSV or TSV file whose first line names the columns; InputError for a row of another length.

    Cells may hold line ends where they are quoted. A line such as ``sep=;`` may come before the names.
    """
    reader = csv.reader(io.StringIO(text_of(path), newline=""), delimiter=delimiter, strict=True)
    try:
        first = next((row for row in reader if row and not _SEPARATOR.fullmatch(delimiter.join(row))), [])
        names = [name.strip() for name in first]
        if twice := [name for position, name in enumerate(names) if name and name in names[:position]]:
            raise InputError(f"{path}:{reader.line_num}: two columns are called {twice[0]!r:.60}; rename one")
        for cells in reader:
            place = f"{path}:{reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(names):
                raise InputError(f"{place}: expected {len(names)} cells ({', '.join(names)}), found {len(cells)}")
            yield Record(place, dict(zip(names, cells, strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: broken CSV: {error}; mend this line") from error


def text_of(path: Path) -> str:
    """Return a file's text, gzipped or not, without a byte order mark; InputError if it is not UTF-8."""
    return user_files.text(path)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
