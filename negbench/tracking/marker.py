"""The file beside the results that says what each store already holds."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

_LOCK_SECONDS = 600  # another process that delivers the same grid is waited for this long


class Delivered(BaseModel):
    """What one store holds of one grid: run ids by trial key, keys of the trials whose encoder it has, digests of
    the parent's files."""

    trials: dict[str, str] = {}
    models: set[str] = set()
    files: dict[str, str] = {}


_MARKER_FILE = "mlflow.json"
_MARKER = TypeAdapter(dict[str, dict[str, Delivered]])  # store -> grid -> what it holds


def read(path: Path) -> dict[str, dict[str, Delivered]]:
    """Return the marker file, or nothing where it is lost or damaged: the tags in the store say the same."""
    try:
        return _MARKER.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return {}


def write(path: Path, marker: dict[str, dict[str, Delivered]]) -> None:
    """Write the file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(_MARKER.dump_json(marker, indent=1) + b"\n")
    temporary.replace(path)


def held(marker: dict[str, dict[str, Delivered]], uri: str, name: str) -> Delivered:
    """Return the marker's entry for one store and grid, an empty one if the store's database is gone."""
    database = sqlite_file(uri)
    store = marker.setdefault(f"sqlite:///{database}" if database else shown(uri), {})
    if database and not database.exists():
        store.clear()
    return store.setdefault(name, Delivered())


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder of results: two processes that finish the same grid must not both log it."""
    from filelock import FileLock

    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".mlflow.lock", timeout=_LOCK_SECONDS):
        yield


def sqlite_file(uri: str) -> Path | None:
    """Return the database that an address of SQLite's means, None for any other."""
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///(?!:memory:)([^?]+)(?:\?.*)?", uri)
    return Path(found[1]).resolve() if found else None


def shown(text: str) -> str:
    """Return the text without the user names and passwords that addresses may hold."""
    return re.sub(r"//[^/@\s]*@", "//", text)
