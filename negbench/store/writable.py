"""Folders that will be written to, tried before any work."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from negbench.errors import InputError
from negbench.store.integrity import flush
from negbench.store.leases import draft_of

PROBE_BYTES = 1 << 20
"""Bytes of the file with which a folder is tried."""


def expanded(folder: str | os.PathLike[str], name: str) -> Path:
    """Return the path with a home for its ``~``. Raises InputError, which begins with ``name``, where there is none."""
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise InputError(f"{name} {folder}: there is no such home; write the folder without ~") from error


def check_writable(folder: Path, name: str) -> None:
    """Raise InputError where ``folder``, which need not be there, cannot be written to; ``name`` tells what it is for.

    A file of 1 MiB is written to it, or to the nearest folder above it that is there, and removed.
    """
    there = folder.absolute()
    try:
        while not os.path.lexists(there):
            there = there.parent
        if not there.is_dir():
            raise NotADirectoryError(20, "is not a folder", str(there))
        for name_of_part in folder.absolute().relative_to(there).parts:
            with suppress(FileNotFoundError):
                os.lstat(there / name_of_part)  # a name that is too long for the disk raises another error
        probe = draft_of(there / ".negbench")
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
            flush(probe)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{name} {_short(folder)}: cannot be written to ({reason}); give another one") from error


def _short(path: object) -> str:
    """Return a path with its middle left out where it is very long."""
    text = str(path)
    return text if len(text) <= 200 else f"{text[:120]}...{text[-40:]}"
