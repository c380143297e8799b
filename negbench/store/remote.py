"""Finished artifacts in an object store (``negbench[s3]``, or what else fsspec has), for machines that share no disk.

An artifact is put under ``kind/key/``: each file as an object named by the SHA-256 of its bytes, and last its record,
only where none is there. So an artifact is whole or not there, files of two makers do not mix, and of two that made the
same stage all use what the first one put.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path, PurePosixPath
from typing import Any

from negbench.errors import InputError
from negbench.store import integrity
from negbench.store.integrity import RECORD, DamagedError

_log = logging.getLogger(__name__)

_MARKER = b'{"format": 1}\n'
"""Content of ``store.json``, by which the address is tried: the version of the layout."""


class Remote:
    """The object store at an address such as ``s3://bucket/prefix``.

    Keys and endpoints come from the environment, as fsspec's package for the scheme reads them. Raises InputError for
    what is no such address, holds a password, or needs a package that is not installed.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        scheme, _, place = address.partition("://")
        if "@" in place or "?" in place:
            raise InputError(
                f"store {scheme}://...: keys and options do not belong into the address; set them in the environment, "
                "such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"
            )
        if not place.strip("/") or "::" in address:
            raise InputError(f"store {address}: expected BUCKET/PREFIX after {scheme}://")
        if scheme in ("file", "local"):
            raise InputError(f"store {address}: is a folder; give its path without {scheme}://")
        import fsspec

        try:
            self._files, self._root = fsspec.url_to_fs(self.address)
        except ImportError as error:
            hint = "pip install 'negbench[s3]'" if scheme == "s3" else reason(error)
            raise InputError(f"store {address}: the package for {scheme}:// is not installed: {hint}") from error
        except ValueError as error:
            raise InputError(f"store {address}: {scheme}:// is unknown; give a folder or s3://BUCKET/PREFIX") from error

    def check(self) -> None:
        """Raise InputError where nothing can be put or read, or where a second put is not refused as it has to be."""
        marker = f"{self._root}/store.json"
        try:
            refused = False
            for _ in range(2):
                try:
                    self._files.pipe_file(marker, _MARKER, mode="create")
                except (FileNotFoundError, PermissionError):
                    raise
                except OSError:
                    refused = True  # it is there, which reading it shows
            written = self._files.cat_file(marker)
            self._files.exists(f"{self._root}/nothing")
        except FileNotFoundError as error:
            raise InputError(f"store {self.address}: there is no such bucket; make it, or correct it") from error
        except PermissionError as error:
            raise InputError(
                f"store {self.address}: not permitted ({reason(error)}); give keys that may read, write and list"
            ) from error
        except Exception as error:  # whatever the package of the scheme raises: no keys, no endpoint
            raise InputError(
                f"store {self.address}: cannot be used ({reason(error)}); check the keys and the endpoint, such as "
                "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"
            ) from error
        if written != _MARKER:
            raise InputError(f"store {self.address}: of a newer negbench; upgrade, or give another prefix")
        if not refused:
            raise InputError(
                f"store {self.address}: it overwrites what is there where it is told not to (If-None-Match), so that "
                "machines would mix their results; use another service, or a folder"
            )

    def send(self, root: Path, kind: str, key: str, folder: Path) -> bool:
        """Upload an artifact of the store in ``root``; False where another machine has sent one with other bytes.

        What fails is noted in ``unsent`` of the store: hours of training are not lost for it.
        """
        unsent = root / "unsent" / f"{kind}.{key}"
        try:
            first = self.put(kind, key, folder)
        except Exception as error:  # whatever the package of the scheme raises
            _log.warning("%s/%s: not sent to %s (%s); the next run sends it", kind, key, self.address, reason(error))
            unsent.parent.mkdir(exist_ok=True)
            unsent.touch()
            return True
        unsent.unlink(missing_ok=True)
        return first

    def send_left(self, root: Path) -> None:
        """Upload what could not be sent before, as far as it is still there."""
        for kind, _, key in [path.name.partition(".") for path in root.glob("unsent/*")]:
            if (root / kind / key / RECORD).is_file():
                self.send(root, kind, key, root / kind / key)

    def put(self, kind: str, key: str, folder: Path) -> bool:
        """Upload an artifact, its record last; False where another one is there whose files have other bytes."""
        place = f"{self._root}/{kind}/{key}"
        files = {
            f"{place}/{written['sha256']}": name
            for name, written in json.loads((folder / RECORD).read_text(encoding="utf-8"))["files"].items()
        }
        uploaded = [there for there in files if not self._files.exists(there)]
        for there in uploaded:
            self._files.put_file(str(folder / files[there]), there)
        try:
            self._files.pipe_file(f"{place}/{RECORD}", (folder / RECORD).read_bytes(), mode="create")
        except OSError:
            record = json.loads(self._files.cat_file(f"{place}/{RECORD}"))  # raises where it is not there
            theirs = {f"{place}/{written['sha256']}": name for name, written in record["files"].items()}
            for there in set(uploaded) - theirs.keys():
                self._files.rm_file(there)
            return theirs == files
        return True

    def fetch(self, kind: str, key: str, folder: Path) -> bool:
        """Write an artifact into ``folder``, empty and named ``key``; False where it is not there.

        Every byte is compared with the digests. What is damaged is removed from the object store.
        """
        place = f"{self._root}/{kind}/{key}"
        try:
            (folder / RECORD).write_bytes(self._files.cat_file(f"{place}/{RECORD}"))
        except FileNotFoundError:
            return False
        problem = self._fill(place, folder) or integrity.damage(folder, whole=True)
        if problem is None:
            integrity.flush_all(folder)
            return True
        _log.warning("stored %s/%s/%s is damaged (%s): removed there; made again", self.address, kind, key, problem)
        self._files.rm_file(f"{place}/{RECORD}")  # first, so that nobody takes what is left for an artifact
        self._files.rm(place, recursive=True)
        return False

    def _fill(self, place: str, folder: Path) -> str | None:
        """Fetch the files of a record; return what is wrong with it."""
        try:
            files: dict[str, Any] = integrity.read_record(folder)["files"]
            for name, written in files.items():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                    return f"{RECORD} names a file outside of it"
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                try:
                    self._files.get_file(f"{place}/{written['sha256']}", str(folder / name))
                except FileNotFoundError:
                    return f"{name} is missing"
        except DamagedError as error:
            return str(error)
        except (KeyError, TypeError, AttributeError):
            return f"{RECORD} names no files"
        return None


def reason(error: Exception) -> str:
    """Return an error in one line, without passwords in addresses."""
    first = (str(error).strip().splitlines() or [""])[0]
    return re.sub(r"//[^/\s]*@", "//", f"{type(error).__name__}: {first}".removesuffix(": "))
