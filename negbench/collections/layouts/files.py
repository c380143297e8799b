"""Open a file or saved dataset by what it holds; its name does not matter."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from negbench import user_files
from negbench.collections.layouts import columns, json_lists, records, triples
from negbench.errors import InputError

KINDS = "a saved dataset, .parquet, .csv, .tsv, .jsonl or .json"

_UNPACK = "unpack it, or compress it with gzip"
_NOT_TEXT = {
    b"\xff\xfe": ("UTF-16 text", "save it as UTF-8"),
    b"\xfe\xff": ("UTF-16 text", "save it as UTF-8"),
    b"BZh": ("compressed with bzip2", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", _UNPACK),
    b"\xfd7zXZ": ("compressed with xz", _UNPACK),
    b"PK\x03\x04": ("a zip archive or an Excel file", "unpack it, or save the sheet as CSV"),
    b"\x80\x04": ("a pickle, which is not read", "save it as Parquet, CSV or JSON lines"),
}
"""What files begin with that hold no table as it is read here, what they are, and what to do."""


def is_dataset(folder: Path) -> bool:
    """Tell whether the folder was written by ``datasets.save_to_disk``."""
    return any((folder / name).is_file() for name in ("dataset_info.json", "dataset_dict.json"))


def open_file(path: Path, named: bool = False) -> Iterator[records.Record]:
    """Return the records of a Parquet, JSON, JSON lines, CSV or TSV file, gzipped or not.

    ``named``: the first line of a table holds names, whatever they are. Raises InputError for anything else.
    """
    start = _start(path)
    if start.startswith(b"PAR1"):
        return records.parquet(path)
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return records.json_lines(path)
    if start.startswith(b"["):
        return json_lists.records(path)
    for sign, (what, remedy) in _NOT_TEXT.items():
        if start.startswith(sign):
            raise InputError(f"{path}: is {what}; {remedy}")
    text = start.decode(errors="replace")
    first = text.split("\n", 1)[0].rstrip("\r")
    cells, delimiter = records.heading(text)
    if len(cells) > 1 and (named or columns.heading(cells)):
        return records.table(path, delimiter)
    if len(first.split("\t")) == 3:
        return triples.records(path)
    if len(cells) > 1 and all(re.fullmatch(r"[^\W\d][\w .-]{0,39}", cell) for cell in cells):
        raise columns.UnknownColumnsError(f"{path}:1", str(path), cells)
    raise InputError(
        f"{path}:1: unknown format, starts with {first!r:.60}; expected a first line that names columns such as query "
        f"and positive, or question and answer, in {KINDS}. In a collection, columns can be named: "
        "{pairs: FILE, query: COLUMN, positive: COLUMN}"
    )


def open_texts(path: Path, names: Collection[str]) -> Iterator[records.Record]:
    """Return the records of a file of documents or queries; a TSV file may have id and text without a heading.

    ``names`` are those that tell a heading from data. Raises InputError as ``open_file`` does.
    """
    cells = [cell.strip().lower() for cell in _start(path).split(b"\n", 1)[0].decode(errors="replace").split("\t")]
    if len(cells) == 2 and not cells[0].startswith(("{", "[")) and not set(cells) & set(names):
        return triples.id_and_text(path)
    return open_file(path, named=True)


def _start(path: Path) -> bytes:
    with user_files.reading(path) as file:
        return file.read(65_536)
