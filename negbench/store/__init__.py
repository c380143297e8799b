"""Stages and the content-addressed store of what they made.

A stage is a frozen spec. Its key is a digest of its kind, its version, its parameters and the keys of its input
stages, so equal work is done once, whoever asks. An artifact is a folder that is whole or not there: it is written
under a temporary name, flushed to disk and renamed, under a lease that other processes wait for. Its record holds the
digests of its files. A damaged artifact is set aside and made again, and so is all that rests on it: stages are
deterministic, and whoever read the damaged files may have computed with them.
"""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from filelock import Timeout

from negbench import resources
from negbench.errors import InputError
from negbench.store import integrity
from negbench.store.arrays import NOTES, load_arrays, save_arrays, save_notes
from negbench.store.integrity import RECORD
from negbench.store.leases import SUFFIX, Lease, draft_of, look_anew, write_whole
from negbench.store.remote import Remote, reason
from negbench.store.stage import FORMAT, Stage, ancestors, scratch
from negbench.store.writable import check_writable, expanded
from negbench.versions import versions

__all__ = [
    "FORMAT",
    "NOTES",
    "Stage",
    "StageLockedError",
    "Store",
    "ancestors",
    "load_arrays",
    "save_arrays",
    "save_notes",
    "scratch",
]

T = TypeVar("T")

STORE_FORMAT = 2
"""Version of the store's own files: 2 has digests in its records. A store without ``store.json`` has version 1."""

PART_OF = "part_of"
"""Field of the record of a part: the key of the stage that it is a part of."""

_VERIFY = "NEGBENCH_VERIFY"
"""Environment variable: 1 lets every artifact that is used be read as a whole and compared with its digests."""

_log = logging.getLogger(__name__)


class StageLockedError(RuntimeError):
    """Another process is making the stage."""


class Store:
    """A folder of artifacts, each in a folder named by its stage's kind and key; with ``remote``, a cache of those."""

    def __init__(self, root: Path, remote: Remote | None = None) -> None:
        self.root, self.remote = root, remote
        self._sound: set[str] = set()  # keys of artifacts that were looked at; each is looked at once
        self._leases: dict[str, Lease] = {}  # by key: each is asked more than once to tell that its holder is dead
        self._known = self._opened = False

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_leases": {}}  # another process asks for leases of its own

    @classmethod
    def default(cls) -> Store:
        """Return the store at ``NEGBENCH_STORE``, or ``.negbench`` in the working directory."""
        return cls.at(os.environ.get("NEGBENCH_STORE", ".negbench"))

    @classmethod
    def at(cls, folder: str | os.PathLike[str]) -> Store:
        """Return the store in a folder, in which ~ stands for a home, or at an address such as s3://bucket/prefix.

        The latter has the folder at ``NEGBENCH_CACHE``, else ``.negbench``, for what is made and fetched. Raises
        InputError where there is no such home or address.
        """
        if "://" in str(folder):
            cache = os.environ.get("NEGBENCH_CACHE", ".negbench")
            return cls(expanded(cache, "NEGBENCH_CACHE").absolute(), Remote(str(folder)))
        return cls(expanded(folder, "store").absolute())

    def path(self, stage: Stage) -> Path:
        """Return the folder of the stage's artifact, whether or not it is there yet."""
        return self.root / stage.kind / stage.key

    def has(self, stage: Stage) -> bool:
        """Return whether the artifact is there, complete, and undamaged as far as ``damage`` tells."""
        self.check_format()
        return (self.path(stage) / RECORD).is_file() and self.damage(stage) is None

    def damage(self, stage: Stage, whole: bool | None = None) -> str | None:
        """Return what is damaged in an artifact that is there, None for nothing.

        ``whole`` compares every byte with the digests, by default where ``NEGBENCH_VERIFY`` is 1; else only the size
        and both ends of each file. An artifact that was found sound is not looked at again unless ``whole`` is given.
        """
        folder = self.path(stage)
        if not (folder / RECORD).is_file() or (whole is None and stage.key in self._sound):
            return None
        found = integrity.damage(folder, os.environ.get(_VERIFY) == "1" if whole is None else whole)
        if found is None:
            self._sound.add(stage.key)
        return found

    def ensure(self, stage: Stage, wait: bool = True) -> Path:
        """Return the artifact's folder, making it, and before it its inputs, where it is missing or damaged.

        Two processes that want the same stage make it once: the second waits, or with ``wait=False`` raises
        StageLockedError. Whatever ``run`` raises passes through, and leaves nothing behind.
        """
        if self.has(stage):
            return self.path(stage)
        self.open()
        if self.fetch(stage, wait):
            return self.path(stage)
        for parent in stage.inputs:
            self.ensure(parent, wait)
        parts = stage.parts(self.path)
        self._ensure_parts(stage, parts, wait)
        while not self._under_lease(stage, wait, partial(self._make, stage, parts)):
            _log.warning("%s: another process took this one for dead and makes it; its result is awaited", stage.label)
        for part in parts:
            self._sound.discard(part.key)
            self.discard(self.path(part))
        return self.path(stage)

    def fetch(self, stage: Stage, wait: bool = True) -> bool:
        """Fetch a missing artifact from the object store; False where there is none, or the artifact is not there."""
        return self._remote_of(stage) is not None and self._under_lease(stage, wait, partial(self._fetch, stage))

    def _remote_of(self, stage: Stage) -> Remote | None:
        return self.remote if stage.part_of is None else None

    def _under_lease(self, stage: Stage, wait: bool, obtain: Callable[[], bool]) -> bool:
        """Obtain an artifact under its lease unless it is there; return whether it is there then."""
        try:
            with self.lease(stage.key).hold(math.inf if wait else 0):
                look_anew(self.path(stage))
                if self.has(stage):
                    return True
                if problem := self.damage(stage, whole=False):
                    self._set_aside(self.path(stage), problem)
                return obtain()
        except Timeout as error:
            raise StageLockedError(stage.label) from error

    def _ensure_parts(self, stage: Stage, parts: Sequence[Stage], wait: bool) -> None:
        """Make the parts of a stage: first those that no other process is making, so that processes share them."""
        for blocking in (False, True) if wait else (False,):
            for part in parts:
                if self.has(stage):
                    return
                try:
                    self.ensure(part, blocking)
                except StageLockedError:
                    if not wait:
                        raise

    def discard(self, folder: Path) -> bool:
        """Remove an artifact; False where another process is making or removing it, or has removed it."""
        try:
            with self.lease(folder.name).hold(0):
                self._bury(folder)
                return True
        except (Timeout, FileNotFoundError):
            return False

    def _bury(self, folder: Path) -> None:
        """Remove an artifact or a draft: at once under its name, then file by file. Raises FileNotFoundError."""
        grave = draft_of(self.root / "drafts" / folder.name.partition(".")[0])
        grave.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(grave)  # a half-removed artifact would be a damaged one, a half-removed draft a smaller artifact
        shutil.rmtree(grave, ignore_errors=True)

    def _make(self, stage: Stage, parts: Sequence[Stage] = ()) -> bool:
        """Run a stage whose lease is held and whose parts are stored, and put what it wrote in its place.

        False, whatever went wrong, if the lease is another's at the end: that one has removed the draft.
        """
        final = self.path(stage)
        self._remove_drafts(stage.key)
        draft = draft_of(self.root / "drafts" / stage.key)
        draft.mkdir(parents=True)
        try:
            resources.forget_peak()
            began, started = time.time(), time.perf_counter()
            with resources.watched() as samples:
                cost = stage.run(self.path, draft)
            cost = {"seconds": round(time.perf_counter() - started, 3), **resources.peak(), **cost}
            if parts:
                began = min(began, *(self.period(part)[0] for part in parts))
            if samples:
                (draft / "system.json").write_text(json.dumps(samples) + "\n")
            record = {
                "key": stage.key,
                "format": FORMAT,
                **stage.identity(),
                "inputs": [parent.key for parent in stage.inputs],
                "cost": resources.together([cost, *map(self.cost, parts)]),
                "began": round(began, 3),
                "machine": platform.machine(),
                "threads": resources.threads(),
                "versions": versions(),
                **({} if stage.part_of is None else {PART_OF: stage.part_of.key}),
                "files": integrity.describe(draft),
            }
            integrity.write_record(draft, record)
            if not self.lease(stage.key).is_ours:
                return False
            remote = self._remote_of(stage)
            if remote is not None and not remote.send(self.root, stage.kind, stage.key, draft) and self._fetch(stage):
                return True  # what another machine was first to send
            self._put(draft, final)
            return True
        except Exception:
            if self.lease(stage.key).is_ours:
                raise
            return False
        finally:
            for path in (draft, *self.root.glob(f"drafts/{draft.name}.*")):
                shutil.rmtree(path, ignore_errors=True)

    def _put(self, draft: Path, final: Path) -> None:
        """Rename a draft to its place; an artifact that is there already stays: it is of the same stage."""
        final.parent.mkdir(parents=True, exist_ok=True)
        if not (final / RECORD).is_file():
            shutil.rmtree(final, ignore_errors=True)
        try:
            draft.rename(final)
        except OSError:
            if not (final / RECORD).is_file():
                raise
        integrity.flush(final.parent)

    def _fetch(self, stage: Stage) -> bool:
        """Put an artifact whose lease is held in its place, from the object store; False where it has none."""
        assert self.remote is not None
        draft = draft_of(self.root / "drafts" / stage.key) / stage.key
        draft.mkdir(parents=True)
        try:
            if not self.remote.fetch(stage.kind, stage.key, draft):
                return False
            self._put(draft, self.path(stage))
            return True
        except Exception as error:  # whatever the package of the scheme raises
            _log.warning("%s: not fetched from %s (%s); made here", stage.label, self.remote.address, reason(error))
            return False
        finally:
            shutil.rmtree(draft.parent, ignore_errors=True)

    def lease(self, key: str) -> Lease:
        """Return the lease under which the artifact of a key is made, set aside or removed."""
        if key not in self._leases:
            self._leases[key] = Lease(self.root / "locks" / f"{key}{SUFFIX}")
        return self._leases[key]

    def is_locked(self, stage: Stage) -> bool:
        """Return whether another process is making the stage."""
        try:
            with self.lease(stage.key).hold(0):
                return False
        except Timeout:
            return True

    def set_aside_damaged(self, stages: Iterable[Stage], whole: bool | None = None) -> int:
        """Set damaged artifacts aside, with all that rest on them; return how many are damaged. See ``damage``."""
        self.check_format()
        damaged = [(stage, problem) for stage in stages if (problem := self.damage(stage, whole))]
        return sum(self.set_aside(self.path(stage), problem) for stage, problem in damaged)

    def set_aside(self, folder: Path, problem: str) -> bool:
        """Set a damaged artifact aside with all that rest on it; False where another process has done so."""
        with self.lease(folder.name).hold():
            if not (folder / RECORD).is_file() or integrity.damage(folder, whole=True) is None:
                return False
            self._set_aside(folder, problem)
        return True

    def _set_aside(self, folder: Path, problem: str) -> None:
        """Move an artifact whose lease is held to ``damaged``, after all that rest on it; say so in one line."""
        resting = integrity.resting_on(folder.name, self.folders())
        for path in [*resting, folder]:
            place = self.root / "damaged" / f"{path.parent.name}-{path.name}"
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.rename(place)
            self._sound.discard(path.name)
        also = f" with {len(resting)} that rest on it" if resting else ""
        name = f"{folder.parent.name}/{folder.name}"
        _log.warning(
            "stored %s is damaged (%s): set aside%s in %s; made again when needed",
            name,
            problem,
            also,
            self.root / "damaged",
        )

    def folders(self) -> list[Path]:
        """Return the folders of all artifacts, by kind and key."""
        return sorted(
            path.parent for path in self.root.glob(f"*/*/{RECORD}") if path.parts[-3] not in ("drafts", "damaged")
        )

    def check_format(self) -> None:
        """Raise InputError for a store of a newer version than this one reads, and for one that is no folder."""
        if self._known:
            return
        if os.path.lexists(self.root) and not self.root.is_dir():
            raise InputError(f"{self.root}: the store is not a folder; name one by NEGBENCH_STORE")
        try:
            found = json.loads((self.root / "store.json").read_text())["format"]
        except (OSError, ValueError, TypeError, KeyError):
            found = 1
        if not isinstance(found, int) or found > STORE_FORMAT:
            raise InputError(
                f"{self.root}: a store of a newer negbench (format {found}, this one reads up to {STORE_FORMAT}); "
                "upgrade negbench, or name another folder by NEGBENCH_STORE"
            )
        self._known = True

    def open(self) -> None:
        """Prepare the store for what will be made: write its version, remove what killed processes left; once.

        Raises InputError for a store that is newer than this version, or that cannot be written to.
        """
        self.check_format()
        if self._opened:
            return
        check_writable(self.root, "store")
        self.root.mkdir(parents=True, exist_ok=True)
        marker = self.root / "store.json"
        if not marker.exists():
            write_whole(marker, json.dumps({"format": STORE_FORMAT}) + "\n")
        for key in {path.name.partition(".")[0] for path in self.root.glob("drafts/*")}:
            try:
                with self.lease(key).hold(0):
                    self._remove_drafts(key)
            except Timeout:
                continue  # a process is at it
        if self.remote is not None:
            self.remote.check()
            self.remote.send_left(self.root)
        self._opened = True

    def _remove_drafts(self, key: str) -> None:
        """Remove all drafts of a stage whose lease is held, and the scratch folders beside them."""
        for path in self.root.glob(f"drafts/{key}*"):
            with suppress(FileNotFoundError):  # its maker lives, and has removed it itself
                self._bury(path)

    def load(self, kind: type[T], stage: Stage) -> T:
        """Read an artifact that was written by ``save_arrays``."""
        return load_arrays(kind, self.path(stage))

    def period(self, stage: Stage) -> tuple[float, float]:
        """Return when making the artifact began and ended, in seconds since 1970."""
        record = self.record(stage)
        seconds = record["cost"]["seconds"]
        # a store may be older than this field
        began = record.get("began", (self.path(stage) / RECORD).stat().st_mtime - seconds)
        return began, began + seconds

    def samples(self, stage: Stage) -> list[resources.Sample]:
        """Return how busy the machine was while the artifact was made, every few seconds; none for a short stage."""
        path = self.path(stage) / "system.json"
        return [(second, values) for second, values in json.loads(path.read_text())] if path.exists() else []

    def versions(self, stage: Stage) -> dict[str, str]:
        """Return what the artifact was made with (``negbench.versions``); a record may be older than this field."""
        return dict(self.record(stage).get("versions", {"negbench": "unknown"}))

    def cost(self, stage: Stage) -> dict[str, float]:
        """Return what making the artifact took: ``seconds`` and amounts by name."""
        return dict(self.record(stage)["cost"])

    def notes(self, stage: Stage) -> list[str]:
        """Return the sentences for the user that the stage left with ``save_notes``."""
        path = self.path(stage) / NOTES
        return [str(note) for note in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []

    def record(self, stage: Stage) -> dict[str, Any]:
        """Return what the record of an artifact says. Raises DamagedError."""
        return integrity.read_record(self.path(stage))
