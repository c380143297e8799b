"""Child processes that end with their parent, whatever ends it."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import wait

ORPHANED = 70
"""Exit code of a child whose parent is gone."""


def end_with_parent() -> None:
    """Let this child process of ``multiprocessing`` end at once when its parent does, also by SIGKILL.

    An interrupt from the keyboard, which reaches children, too, is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    held = [] if parent is None else [parent.sentinel]

    def watch() -> None:
        wait(held)
        os._exit(ORPHANED)

    threading.Thread(target=watch, daemon=True).start()


def answer_lines(answer: Callable[[str], str]) -> None:
    """Answer each line of standard input with a line on standard output, until standard input ends.

    Then this process ends, in the middle of an answer if need be, so that it never outlives the one that started it.
    What a library prints goes to standard error. An interrupt from the keyboard is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not come between the answers
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line.strip())
        os._exit(ORPHANED)  # at once: the main thread may be in the middle of an answer

    threading.Thread(target=listen, daemon=True).start()
    while True:
        out.write(answer(lines.get()) + "\n")
        out.flush()
