"""Settings of libraries for a process of its own: the command line, or a worker of a run."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import warnings


def configure() -> None:
    """Configure libraries by environment variables, unless set: no progress bars, less spinning of threads."""
    # Torch's threads spin while they wait, even if another process needs the core. With less spinning a busy machine is
    # up to ten times faster, and an idle one as fast.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    keep_memory()
    for name in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("sentence_transformers", "transformers", "datasets", "bm25s"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")


def keep_memory() -> None:
    """Keep freed memory in the process and use huge pages: a fifth less time on a CPU.

    Otherwise every operation of a model gets its output's memory from Linux page by page. Call it before torch is
    imported; it does nothing without glibc.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch uses huge pages
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 2**30)
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # constants of malloc.h
