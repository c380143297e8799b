"""What stands where an export is to be written: only an earlier export that nobody has changed is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from negbench import plain_values, user_files
from negbench.errors import InputError
from negbench.export import FOLDER, Format

DESCRIPTION = "negbench.json"
"""The description in a folder; that of a file is beside it, under its name and ``.json``."""

_LEFT_OUT = (DESCRIPTION, "state.json")
"""Files without a digest: the description, and that in which ``datasets`` puts a random fingerprint."""

_KEYS = {"format", "loaded_by", "a_row_is"}
"""Keys that every description has."""


def description_of(out: Path) -> Path:
    """Return the path of the description of what is saved at ``out``."""
    return out / DESCRIPTION if out.suffix == FOLDER else out.with_name(f"{out.name}.json")


def digests(out: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of all files of a folder without ``_LEFT_OUT``, by name."""
    if not out.is_dir():
        return {out.name: user_files.sha256(out)}
    paths = sorted(path for path in out.rglob("*") if not path.is_dir())
    named = {path.relative_to(out).as_posix(): path for path in paths}
    return {name: user_files.sha256(path) for name, path in named.items() if name not in _LEFT_OUT}


def check_free(out: Path, chosen: Format, inputs: Sequence[Path] = ()) -> None:
    """Raise InputError where an export to ``out`` would destroy something.

    Replaced is an earlier export in the same format whose description has the digest of every file that is there, and
    that is none of the ``inputs``, files and folders that are read for the new one.
    """
    if not out.name:
        raise InputError(f"{out}: has no name; give the path of a new file or folder")
    if out.is_dir() and out.suffix != FOLDER:
        raise InputError(f"{out}: is a folder, expected a file; choose another name")
    if out.is_file() and out.suffix == FOLDER:
        raise InputError(f"{out}: is a file, expected a folder; choose another name")
    beside = description_of(out)
    for path in (out, beside):
        if path.exists() and any(_overlap(path, user_files.expanded(it)) for it in inputs):
            raise InputError(f"{path}: is read as the collection, or lies in its folder; choose another --out")
    if out.is_dir() and not any(out.iterdir()):
        return
    described = _described(beside) if beside.exists() else None
    if described is None and (out.is_dir() or beside.exists()):
        what = "holds other files" if out.is_dir() else f"{beside} would be written over and is not an export's"
        raise InputError(f"{out}: {what}; choose another {'folder' if out.is_dir() else 'file'}")
    if not out.exists():
        return
    if described is None:
        raise InputError(f"{out}: exists, and is no export of negbench's; choose another file")
    if described["format"] != chosen.spelling:
        raise InputError(
            f"{out}: holds an export in the format {described['format']}; choose another --out, or remove this one"
        )
    if described.get("files") != digests(out):
        raise InputError(f"{out}: is not what {beside} describes; choose another --out, or remove this one")


def _described(path: Path) -> dict[str, Any] | None:
    """Return the description in a file; None for what is none."""
    try:
        found = plain_values.json_file(path, "a description")
    except InputError:
        return None
    return found if isinstance(found, dict) and found.keys() >= _KEYS else None


def _overlap(one: Path, other: Path) -> bool:
    """Tell whether two paths are the same, or one is in the other."""
    if not other.exists():
        return False
    one, other = user_files.resolved(one), user_files.resolved(other)
    return one == other or one in other.parents or other in one.parents
