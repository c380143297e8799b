"""Records of named fields from whatever holds them: a dataset folder, Parquet, JSON lines, CSV."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from negbench.collections import beir
from negbench.errors import InputError


class Record(NamedTuple):
    """Named fields, and the place that they were read from (file and line or row)."""

    place: str
    fields: dict[str, Any]


class Unnamed(Record):
    """A record of a file that names no fields: the names are ours."""


def dataset_folder(folder: Path) -> Iterator[Record]:
    """Yield the rows of what ``datasets.save_to_disk`` wrote; of a dict of datasets, the ``train`` one or the only one.

    Raises InputError where the folder holds something else, or several datasets and none of them is ``train``.
    """
    import datasets

    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # whatever datasets and Arrow raise for a folder that is incomplete
        raise InputError(f"{folder}: cannot be read as a saved dataset: {_first_line(error)}") from error
    if isinstance(found, datasets.DatasetDict):
        if "train" not in found and len(found) != 1:
            raise InputError(f"{folder}: holds the datasets {', '.join(found)}; give one, as in {folder / min(found)}")
        found = found["train"] if "train" in found else next(iter(found.values()))
    for number, fields in enumerate(found, 1):
        yield Record(f"{folder}: row {number}", fields)


def parquet(path: Path) -> Iterator[Record]:
    """Yield the rows of a Parquet file; InputError where it is broken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(4096):
                for fields in batch.to_pylist():
                    number += 1
                    yield Record(f"{path}: row {number}", fields)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from error


def json_lines(path: Path) -> Iterator[Record]:
    """Yield the objects of a file with one a line, gzipped or not; InputError where a line is none."""
    for fields, place in beir.objects(path):
        if not isinstance(fields, dict):
            raise InputError(f"{place}: expected a JSON object a line, found {fields!r:.60}")
        yield Record(place, fields)


def table(path: Path, delimiter: str) -> Iterator[Record]:
    """Yield the rows of a CSV or TSV file whose first line names the columns; InputError for a row of another length.

    Cells may hold line ends where they are quoted.
    """
    reader = csv.reader(io.StringIO(text_of(path), newline=""), delimiter=delimiter, strict=True)
    try:
        heading = [name.strip() for name in next(reader, [])]
        for cells in reader:
            place = f"{path}:{reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(heading):
                raise InputError(f"{place}: expected {len(heading)} cells ({', '.join(heading)}), found {len(cells)}")
            yield Record(place, dict(zip(heading, cells, strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: broken CSV: {error}") from error


def text_of(path: Path) -> str:
    """Return a file's text, gzipped or not, without a byte order mark; InputError where it is no UTF-8."""
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line}: not UTF-8 text: {error.reason}; save it as UTF-8") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
