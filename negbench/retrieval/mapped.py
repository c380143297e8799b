"""Memory of files that are mapped: what has been read is given back."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AROUND = 2**22
"""Bytes before a block that are released with it: Linux maps pages on both sides of those that are read."""


def release(vectors: NDArray[Any], first: int = 0, last: int | None = None) -> None:
    """Let the system drop rows ``first`` up to ``last`` of a map that is read only; they are read again when needed.

    Without it the pages of a file stay in a process's memory until the system is short of it. Does nothing for other
    arrays, nor for views of a map, and off Linux.
    """
    if not isinstance(vectors, np.memmap) or vectors.mode != "r" or not hasattr(mmap, "MADV_DONTNEED"):
        return
    base: Any = vectors.base
    if not isinstance(base, mmap.mmap) or not len(vectors) or not vectors.flags.c_contiguous:
        return
    last = len(vectors) if last is None else min(last, len(vectors))
    before = vectors.offset % mmap.ALLOCATIONGRANULARITY
    start = max(0, before + first * vectors.strides[0] - _AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
    end = min(before + last * vectors.strides[0], len(base))
    if end > start:
        base.madvise(mmap.MADV_DONTNEED, start, end - start)
