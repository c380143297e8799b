"""Records of artifacts: the digests and sizes of their files, and what is damaged in them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

RECORD = "stage.json"
"""File of an artifact that says what it is and how its files were written; an artifact without it is not there."""

END = 32 * 1024
"""Bytes at either end of a file that a cheap check reads: headers, footers, and small files as a whole."""


class DamagedError(ValueError):
    """A record that is not what was written."""


def describe(folder: Path) -> dict[str, dict[str, Any]]:
    """Return ``bytes``, ``sha256`` and ``ends`` (SHA-256 of both ends) of every file in ``folder``, by its path."""
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": _whole(path),
            "ends": _ends(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the record of an artifact with the digest of itself, and see to it that all of the folder is on disk."""
    text = json.dumps({**record, "digest": _of_record(record)}, indent=1) + "\n"
    (folder / RECORD).write_text(text, encoding="utf-8")
    flush_all(folder)


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of an artifact; one of an earlier version has neither ``files`` nor ``digest``.

    Raises DamagedError.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise TypeError("no mapping")
        written = record.pop("digest", None)
        if record["key"] != folder.name or not isinstance(record["cost"]["seconds"], int | float):
            raise ValueError("not of this artifact")
        sealed = written is not None or "files" in record
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedError(f"{RECORD} cannot be read") from error
    if sealed and written != _of_record(record):
        raise DamagedError(f"{RECORD} is not as it was written")
    return record


def damage(folder: Path, whole: bool = False) -> str | None:
    """Return what is damaged in an artifact in a few words, None for nothing.

    Looks at each file's existence, size and both ends; with ``whole`` at every byte. Of an artifact of an earlier
    version, which has no digests, only the record is looked at.
    """
    try:
        files = read_record(folder).get("files", {})
    except DamagedError as error:
        return str(error)
    for name, written in files.items():
        path = folder / name
        try:
            size = path.stat().st_size
            if size != written["bytes"]:
                return f"{name} has {size:,} bytes, and {written['bytes']:,} were written"
            if _ends(path) != written["ends"] or (whole and _whole(path) != written["sha256"]):
                return f"{name} has other bytes than were written"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
    return None


def resting_on(key: str, folders: Iterable[Path]) -> list[Path]:
    """Return those of the artifacts in ``folders`` that were made from the one of ``key``, directly or not."""
    users: dict[str, list[Path]] = {}
    for folder in folders:
        try:
            inputs = read_record(folder)["inputs"]
        except (DamagedError, KeyError):
            continue  # it is set aside when somebody needs it
        for parent in inputs:
            users.setdefault(parent, []).append(folder)
    found: dict[Path, None] = {}
    left = [key]
    while left:
        new = [folder for folder in users.get(left.pop(), []) if folder not in found]
        found.update(dict.fromkeys(new))
        left += [folder.name for folder in new]
    return list(found)


def flush_all(folder: Path) -> None:
    """Wait until all of a folder is on disk."""
    for path in [*folder.rglob("*"), folder]:
        flush(path)


def flush(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is on disk and not in memory alone."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folder
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _of_record(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _whole(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ends(path: Path) -> str:
    return hashlib.sha256(b"".join(_both(path))).hexdigest()


def _both(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield file.read(END)
        file.seek(max(END, path.stat().st_size - END))
        yield file.read(END)
