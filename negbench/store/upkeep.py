"""What a store holds, what is damaged in it, and what may be removed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from negbench.store import PART_OF, Store, integrity, usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A stored artifact: its kind and key, its size, and who uses it.

    ``made`` and ``used`` are in seconds since 1970; ``used`` is the last run of a grid that uses it, ``made`` where
    none does. ``grids`` are the names of the grids that need it; ``running``: one of them is running.
    """

    kind: str
    key: str
    bytes: int
    made: float
    used: float
    grids: tuple[str, ...]
    running: bool
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Outcome of a check: artifacts whose every byte was compared, those without digests, and the damaged.

    ``damaged`` has what is wrong by artifact (kind/key). Those without digests are of an earlier version.
    """

    sound: int
    unchecked: int
    damaged: dict[str, str]


def artifacts(store: Store) -> list[Artifact]:
    """Return all artifacts, those that were not used for longest first."""
    store.check_format()
    uses = usage.uses(store)
    found = []
    folders = store.folders()
    stored = {folder.name for folder in folders}
    for folder in folders:
        keys = _keys(folder, stored)
        of = [use for use in uses if use.counts and not keys.isdisjoint(use.keys)]
        made = (folder / integrity.RECORD).stat().st_mtime
        found.append(
            Artifact(
                kind=folder.parent.name,
                key=folder.name,
                bytes=size(folder),
                made=made,
                used=max([made, *(use.when for use in of)]),
                grids=tuple(dict.fromkeys(use.grid for use in of)),
                running=any(use.running for use in of),
                folder=folder,
            )
        )
    return sorted(found, key=lambda one: (one.used, one.kind, one.key))


def _keys(folder: Path, stored: AbstractSet[str]) -> set[str]:
    """Return the key of an artifact and, of a part, that of its whole, unless that is stored and needs it no more."""
    with suppress(integrity.DamagedError):
        whole = integrity.read_record(folder).get(PART_OF)
        return {folder.name} if whole is None or whole in stored else {folder.name, whole}
    return {folder.name}


def verify(store: Store) -> Check:
    """Compare every byte of every artifact with its digests; set the damaged aside, with all that rests on them."""
    store.check_format()
    sound = unchecked = 0
    damaged: dict[str, str] = {}
    for folder in store.folders():
        problem = integrity.damage(folder, whole=True)
        if problem is not None:
            damaged[f"{folder.parent.name}/{folder.name}"] = problem
        elif "files" in integrity.read_record(folder):
            sound += 1
        else:
            unchecked += 1
    for name, problem in damaged.items():
        if (store.root / name).is_dir():  # else it rested on another one
            store.set_aside(store.root / name, problem)
    return Check(sound=sound, unchecked=unchecked, damaged=damaged)


def removable(store: Store, keep_under: int | None = None) -> list[Artifact]:
    """Return the artifacts that ``remove`` would remove, in its order.

    Without ``keep_under`` those that no grid uses. With it, as many as it takes to leave at most so many bytes: first
    those that no grid uses, then the others, those that were not used for longest first. What a running grid uses
    stays.
    """
    held = artifacts(store)
    if keep_under is None:
        return [one for one in held if not one.grids]
    total = sum(one.bytes for one in held)
    chosen = []
    for one in sorted(held, key=lambda one: bool(one.grids)):
        if total <= keep_under:
            break
        if not one.running:
            chosen.append(one)
            total -= one.bytes
    return chosen


def remove(store: Store, chosen: Sequence[Artifact]) -> int:
    """Remove artifacts, all that was set aside, and what killed processes left; return the bytes that this frees."""
    store.open()
    freed = left_over(store)
    shutil.rmtree(store.root / "damaged", ignore_errors=True)
    for one in chosen:
        if store.discard(one.folder):
            freed += one.bytes
    return freed


def left_over(store: Store) -> int:
    """Return the bytes of artifacts that were set aside."""
    return size(store.root / "damaged")


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
