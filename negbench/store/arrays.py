"""Arrays, and notes for the user, in the folder of an artifact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from negbench.types import Vectors

T = TypeVar("T")

JOINED = 10_000
"""Rows of vectors that are copied at a time."""

NOTES = "notes.json"
"""File of an artifact with sentences for the user: what is odd in its input, each with its count."""


def save_notes(notes: Sequence[str], folder: Path) -> None:
    """Write sentences for the user into a stage's ``folder``; a run prints them and its tables and page repeat them."""
    if notes:
        (folder / NOTES).write_text(json.dumps(list(notes), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def save_arrays(record: Any, folder: Path) -> None:
    """Write a dataclass of arrays and numbers: one ``.npy`` a field, the rest in ``fields.json``."""
    assert is_dataclass(record)
    rest: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            np.save(folder / f"{field.name}.npy", value, allow_pickle=False)
        else:
            rest[field.name] = value
    (folder / "fields.json").write_text(json.dumps(rest) + "\n")


def load_arrays(kind: type[T], folder: Path, *, mapped: bool = False) -> T:
    """Read a record of arrays from a folder that ``save_arrays`` wrote.

    ``mapped``: the arrays are views of their files, which cannot be written to and which memory need not hold.
    """
    values = json.loads((folder / "fields.json").read_text())
    for path in folder.glob("*.npy"):
        values[path.stem] = np.asarray(np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False))
    return kind(**values)


def join_vectors(parts: Sequence[Vectors], path: Path) -> None:
    """Write the rows of all ``parts`` [n, d] as one ``.npy``, in float32 if any is, a block at a time."""
    dtype = np.result_type(*(part.dtype for part in parts))
    shape = (sum(map(len, parts)), parts[0].shape[1])
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            for first in range(0, len(part), JOINED):
                np.ascontiguousarray(part[first : first + JOINED], dtype).tofile(file)
