"""Child processes that end with their parent, whatever ends it."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

ORPHANED = 70
"""Exit code of a child whose parent is gone, or no longer needs it."""


def end_with_parent(pipe: Connection | None = None) -> None:
    """Let this child process end at once when its parent does, also by SIGKILL, or closes the other end of ``pipe``.

    An interrupt from the keyboard, which reaches children, too, is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    held: list[Connection | int] = [] if parent is None else [parent.sentinel]
    held += [] if pipe is None else [pipe]

    def watch() -> None:
        wait(held)
        os._exit(ORPHANED)

    threading.Thread(target=watch, daemon=True).start()
