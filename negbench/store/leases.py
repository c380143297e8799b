"""Leases: locks between processes and machines that see one folder, whatever its file system locks.

A lease is a file that one process creates and no other can while it is there. Its holder touches it every few seconds.
It is free again when the holder removes it, when a process of the same machine is seen to be dead, and when nobody has
touched it for ``SECONDS``: then the holder's machine is taken for dead. This needs neither locks of the kernel, which
network file systems carry within one machine or not at all, nor equal clocks. A holder that slept for so long is
overtaken, and two may be at it: whatever a lease protects is put in place by a rename, while the lease is still held.
"""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import SoftFileLease, Timeout

SECONDS = 120.0
"""Seconds without a touch after which a lease may be taken over; the same for all who share a folder.

Clients of NFS may show a touch a minute late.
"""

GONE_SECONDS = 10 * SECONDS
"""Seconds without a touch, by the clocks of two machines, after which one look is enough to take a holder for dead."""

POLL_SECONDS = 0.25
"""Seconds between two looks of one that waits."""

SUFFIX = ".lease"
"""End of the names of leases."""


class Lease:
    """The lease at ``path``. Keep the object while you wait: it remembers when it last saw a touch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lease = SoftFileLease(
            path, lease_duration=SECONDS, heartbeat_interval=SECONDS / 10, poll_interval=POLL_SECONDS
        )
        self._seen: tuple[tuple[int, int], float] | None = None

    @contextmanager
    def hold(self, wait: float = math.inf) -> Iterator[None]:
        """Hold the lease during the ``with`` block, for which another process is waited for at most ``wait`` seconds.

        Raises Timeout after them.
        """
        began = time.monotonic()
        while True:
            try:
                self._lease.acquire(timeout=min(wait, 1.0))
                break
            except Timeout:
                if self._is_silent():
                    self.path.unlink(missing_ok=True)  # filelock leaves it where names cannot be exchanged, as on NFS
                elif time.monotonic() - began >= wait:
                    raise
        try:
            yield
        finally:
            self._lease.release()

    @property
    def is_ours(self) -> bool:
        """Whether this process holds the lease, and no other one has taken it over."""
        return self._lease.is_lock_held_by_us

    def _is_silent(self) -> bool:
        """Return whether this object has seen no touch for SECONDS of its own clock."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        touched, now = (found.st_mtime_ns, found.st_ino), time.monotonic()
        if self._seen is None or self._seen[0] != touched:
            self._seen = touched, now
        return now - self._seen[1] >= SECONDS


def is_held(path: Path) -> bool:
    """Return whether a living process holds the lease at ``path``, by one look; that of a dead one is removed.

    Of another machine it is taken for dead after GONE_SECONDS.
    """
    try:
        with Lease(path).hold(wait=0):
            return False
    except Timeout:
        probe = draft_of(path)
        probe.touch()  # its time and that of the lease are the file server's, where it stamps them
        now = probe.stat().st_mtime
        probe.unlink(missing_ok=True)
    try:
        if now - path.stat().st_mtime < GONE_SECONDS:
            return True
        path.unlink()
    except FileNotFoundError:
        pass
    return False


def look_anew(folder: Path) -> None:
    """Let a client of a network file system ask anew for an artifact: it does for a folder that it opens."""
    for path in (folder.parent.parent, folder.parent, folder):
        with suppress(OSError), os.scandir(path):
            pass


def draft_of(path: Path) -> Path:
    """Return a name beside ``path`` that no other process takes; process numbers are not unique between machines."""
    return path.with_name(f"{path.name}.{secrets.token_hex(6)}")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that others see all of it or nothing; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(path)
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
