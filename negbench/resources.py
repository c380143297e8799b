"""Peak memory of a piece of work, and samples of how busy the machine was meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

SECONDS = 5.0
"""Seconds between two samples."""

Sample = tuple[float, dict[str, float]]
"""Seconds since 1970, and what was seen then, by MLflow's names for system metrics."""


def forget_peak() -> None:
    """Let the peak of this process's memory count from now on, where Linux allows it.

    Memory that was freed goes back to the system first. glibc keeps it otherwise: over a grid of hundreds of trainings
    it adds up to several times what any of them needs.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # other systems and C libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> dict[str, float]:
    """Return ``peak_mib``, the most memory that this process held since ``forget_peak``; nothing off Linux.

    Libraries and caches that were there before are in it.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")]
    return {"peak_mib": round(peaks[0], 1)} if peaks else {}


def threads() -> int | None:
    """Return the threads that torch computes with, which its sums depend on; None where torch is not in use."""
    count: Any = getattr(sys.modules.get("torch"), "get_num_threads", None)  # another thread may be importing torch
    return None if count is None else int(count())


@contextlib.contextmanager
def watched(seconds: float = SECONDS) -> Iterator[list[Sample]]:
    """Look at the machine every so many ``seconds`` while what is inside runs; the list fills as it goes."""
    samples: list[Sample] = []
    over = threading.Event()
    with contextlib.suppress(Exception):
        psutil.cpu_percent()  # the first call has nothing to compare with

    def look() -> None:
        while not over.wait(seconds):
            with contextlib.suppress(Exception):  # what is inside goes on, whatever a library says of the machine
                samples.append((time.time(), seen()))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def seen() -> dict[str, float]:
    """Return how busy the processors are since the last call, the memory in use, and the GPU's where one is used."""
    memory = psutil.virtual_memory()
    readings = {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": round(memory.used / 1e6, 1),
        "system/system_memory_usage_percentage": memory.percent,
    }
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)  # another thread may be importing torch
    with contextlib.suppress(Exception):  # and the management library need not be there
        if cuda is not None and cuda.is_initialized():
            device = cuda.current_device()
            free, total = cuda.mem_get_info(device)
            readings[f"system/gpu_{device}_memory_usage_megabytes"] = round((total - free) / 1e6, 1)
            readings[f"system/gpu_{device}_utilization_percentage"] = float(cuda.utilization(device))
    return readings


def together(costs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the cost of a stage and its parts: the largest peak of memory, and sums of all else."""
    names = dict.fromkeys(name for cost in costs for name in cost)
    of = {name: [cost[name] for cost in costs if name in cost] for name in names}
    return {name: max(amounts) if name == "peak_mib" else round(sum(amounts), 3) for name, amounts in of.items()}
