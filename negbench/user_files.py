"""Look at and open the files that a user names: regular files alone, and of compressed ones a bounded part."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import select
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from negbench.errors import InputError

FREE_BYTES = 16 << 20
"""Bytes that a compressed file may expand to, however small it is."""

MOST_RATIO = 100
"""Most bytes that each compressed byte may expand to, once there are more than ``FREE_BYTES``."""

MOST_LINE_BYTES = 64 << 20
"""Most bytes in one line of a file that is read line by line."""

MOST_BLANK_LINES = 100_000
"""Most blank lines in a file that is read line by line."""

MOST_FILES = 10_000
"""Most files below a folder that is read as a whole."""

PIPE_SECONDS = 3
"""Seconds within which standard input must end."""

_BROKEN = (OSError, EOFError, zlib.error)
"""What is raised while a file is read that is damaged, or on a damaged disk."""

_NOT_FILES = {
    stat.S_ISDIR: "is a folder",
    stat.S_ISFIFO: "is a pipe (FIFO), which may never end",
    stat.S_ISSOCK: "is a socket",
    stat.S_ISCHR: "is a device",
    stat.S_ISBLK: "is a device",
}


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path for a message, its middle left out where it is very long."""
    text = os.fspath(path)
    return text if len(text) <= 200 else f"{text[:120]}...{text[-40:]}"


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` and ``~user`` replaced; InputError where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{shown(path)}: there is no such home; write the path without ~") from error


def resolved(path: Path) -> Path:
    """Return the absolute path without links; InputError where links lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise _refused(path, error) from error


def is_there(path: Path) -> bool:
    """Tell whether there is anything at ``path``.

    Raises InputError where this cannot be told: a name that is too long, links in a circle, a folder that may not be
    looked into.
    """
    return _status(path) is not None


def is_folder(path: Path) -> bool:
    """Tell whether ``path`` is a folder. Raises InputError as ``is_there`` does."""
    found = _status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_file(path: Path) -> bool:
    """Tell whether there is something at ``path`` that is no folder; whether it can be read is told when it is opened.

    Raises InputError as ``is_there`` does.
    """
    found = _status(path)
    return found is not None and not stat.S_ISDIR(found.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise _refused(path, error) from error
    except ValueError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> InputError:
    """Return the error for a path that cannot be used, with what to do."""
    if isinstance(error, PermissionError):
        return InputError(f"{shown(path)}: may not be read (Permission denied); change its permissions, or copy it")
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, RuntimeError) or getattr(error, "errno", None) == errno.ELOOP:
        reason = "its links lead in a circle"
    return InputError(f"{shown(path)}: cannot be read ({reason}); give the path of a file that can be")


def check_regular(path: Path, expected: str) -> None:
    """Raise InputError for what is no regular file: nothing, a folder, a pipe, a device.

    ``expected`` is the kind of file that the message asks for instead.
    """
    found = _status(path)
    if found is None:
        raise InputError(f"{shown(path)}: no such file; give the path of {expected}")
    for is_kind, what in _NOT_FILES.items():
        if is_kind(found.st_mode):
            raise InputError(f"{shown(path)}: {what}; give the path of {expected}")


@contextmanager
def opened(path: Path, expected: str = "a file") -> Iterator[IO[bytes]]:
    """Open a regular file, decompressed where its name ends with ``.gz``, for reading bytes.

    Raises InputError for what is no regular file or may not be read. A compressed file raises it while it is read,
    once it has expanded to more than ``FREE_BYTES`` and more than ``MOST_RATIO`` times of what was read of it.
    """
    check_regular(path, expected)
    try:
        raw = path.open("rb")
    except OSError as error:
        raise _refused(path, error) from error
    with raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw, mode="rb") as inside:
                yield io.BufferedReader(_Bounded(inside, raw, path), 1 << 16)
        else:
            yield raw


class _Bounded(io.RawIOBase):
    """A decompressed stream that refuses to expand without end."""

    def __init__(self, inside: gzip.GzipFile, compressed: IO[bytes], path: Path) -> None:
        self._inside, self._compressed, self._path = inside, compressed, path
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._inside.read(len(buffer))
        self._read += len(content)
        if self._read > FREE_BYTES and self._read > MOST_RATIO * self._compressed.tell():
            raise InputError(
                f"{shown(self._path)}: expands to more than {FREE_BYTES >> 20} MB and {MOST_RATIO} times its size, as "
                "no text does; give the decompressed file"
            )
        buffer[: len(content)] = content
        return len(content)


@contextmanager
def reading(path: Path, expected: str = "a file") -> Iterator[IO[bytes]]:
    """Open a file as ``opened`` does; what its reader finds damaged raises InputError, too."""
    try:
        with opened(path, expected) as file:
            yield file
    except _BROKEN as error:
        raise unreadable(path, error) from error


def files_below(folder: Path, what: str) -> list[Path]:
    """Return all files below a folder, ascending; links to folders are not followed.

    Raises InputError for a folder below it that cannot be read, and for more than ``MOST_FILES``: it is then hardly the
    folder of ``what``, which the message names.
    """

    def refuse(error: OSError) -> None:
        raise _refused(Path(error.filename or folder), error) from error

    found: list[Path] = []
    for place, _, names in os.walk(folder, onerror=refuse):
        found += [Path(place, name) for name in names]
        if len(found) > MOST_FILES:
            raise InputError(f"{shown(folder)}: holds more than {MOST_FILES:,} files; give the folder of {what}")
    return sorted(found)


def content(path: Path, expected: str = "a file", most: int | None = None) -> bytes:
    """Return a regular file's bytes, decompressed where its name ends with ``.gz``.

    Raises InputError as ``opened`` does, for a damaged file, and for one of more than ``most`` bytes.
    """
    with reading(path, expected) as file:
        raw = file.read() if most is None else file.read(most + 1)
    if most is not None and len(raw) > most:
        raise InputError(f"{shown(path)}: has more than {most:,} bytes; expected {expected}, which is smaller")
    return raw


def text(path: Path, expected: str = "a file", most: int | None = None) -> str:
    """Return a regular file's text without a byte order mark. Raises InputError as ``content`` does, and for no UTF-8.

    The message for what is no UTF-8 names the line.
    """
    return _decoded(content(path, expected, most), path)


def _decoded(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{shown(path)}:{line}: not UTF-8 text: {error.reason}; save it as UTF-8") from error


STANDARD_INPUT = Path("<stdin>")
"""How messages call standard input."""


@cache
def standard_input(expected: str, most: int) -> str:
    """Return the text on standard input, which can be read once: a second call returns the same.

    Raises InputError for a terminal, for more than ``most`` bytes, for no UTF-8, and where there is no end within
    ``PIPE_SECONDS``.
    """
    if os.isatty(0):
        raise InputError(f"{STANDARD_INPUT}: is a terminal; give the path of {expected}, or pipe one in")
    content, end = b"", time.monotonic() + PIPE_SECONDS
    while len(content) <= most:
        left = end - time.monotonic()
        if left <= 0 or not select.select([0], [], [], left)[0]:
            raise InputError(
                f"{STANDARD_INPUT}: has no end within {PIPE_SECONDS} s; save it to a file, and give the path of that"
            )
        if not (part := os.read(0, 1 << 16)):
            return _decoded(content, STANDARD_INPUT)
        content += part
    raise InputError(f"{STANDARD_INPUT}: has more than {most:,} bytes; expected {expected}, which is smaller")


def sha256(path: Path, expected: str = "a file") -> str:
    """Return the SHA-256 of a regular file's bytes, as they are on disk. Raises InputError as ``content``."""
    check_regular(path, expected)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _refused(path, error) from error


def lines(path: Path, expected: str = "a file") -> Iterator[tuple[str, bytes]]:
    """Yield the place (``FILE:LINE``) and the bytes of every line that is not blank, its end included.

    Raises InputError as ``content`` does, with the line, and for a line of more than ``MOST_LINE_BYTES`` or too many
    blank lines.
    """
    number = blank = 0
    place = str(path)
    try:
        with opened(path, expected) as file:
            while line := file.readline(MOST_LINE_BYTES + 1):
                number += 1
                if len(line) > MOST_LINE_BYTES:
                    raise InputError(
                        f"{shown(path)}:{number}: a line of more than {MOST_LINE_BYTES >> 20} MB; expected one record "
                        "in each line"
                    )
                if not line.isspace():
                    yield f"{place}:{number}", line
                    continue
                blank += 1
                if blank > MOST_BLANK_LINES:
                    raise InputError(f"{shown(path)}:{number}: more than {MOST_BLANK_LINES:,} blank lines; remove them")
    except _BROKEN as error:
        raise unreadable(path, error, number + 1) from error


def unreadable(path: Path, error: Exception, line: int | None = None) -> InputError:
    """Return the error for a file that is damaged, from ``line`` on where it is given."""
    reason = getattr(error, "strerror", None) or str(error)
    place = shown(path) if line is None else f"{shown(path)}:{line}"
    since = "cannot be read" if line is None else "the file is unreadable from this line on"
    return InputError(f"{place}: {since}: {reason}; give a whole copy of the file")
