from __future__ import annotations

import platform
import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import pytest

from negbench import resources


def test_the_machine_is_looked_at_while_something_runs() -> None:
    began = time.time()
    with resources.watched(seconds=0.001) as samples:
        while len(samples) < 3:
            sum(range(1000))
    ended = time.time()
    taken = len(samples)
    times = [at for at, _ in samples]
    assert times == sorted(times)
    assert began <= times[0] <= times[-1] <= ended
    for _, seen in samples:
        assert 0 <= seen["system/cpu_utilization_percentage"] <= 100
        assert 0 < seen["system/system_memory_usage_percentage"] <= 100
    assert len(samples) == taken  # nobody looks any more


def test_what_is_inside_may_fail() -> None:
    with pytest.raises(ZeroDivisionError), resources.watched(seconds=60):
        _ = 1 / 0


def half_imported() -> ModuleType:
    """Return a torch as another thread sees it that imports it meanwhile: nothing is in it."""
    return ModuleType("torch")


def without_libraries() -> ModuleType:
    """Return a torch whose GPU cannot be looked at."""

    def fail(*_: object) -> None:
        raise RuntimeError("no NVML")

    torch = ModuleType("torch")
    torch.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        is_initialized=lambda: True,
        current_device=lambda: 0,
        mem_get_info=lambda at: (10**9, 3 * 10**9),
        utilization=fail,
    )
    return torch


@pytest.mark.parametrize("torch", [half_imported(), without_libraries()], ids=["half imported", "no NVML"])
def test_what_a_gpu_does_not_say_is_left_out(monkeypatch: pytest.MonkeyPatch, torch: ModuleType) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch)
    found = resources.seen()
    assert "system/cpu_utilization_percentage" in found
    assert "system/gpu_0_utilization_percentage" not in found
    assert resources.threads() is None
    assert found.get("system/gpu_0_memory_usage_megabytes", 2000) == 2000
    assert ("system/gpu_0_memory_usage_megabytes" in found) == hasattr(torch, "cuda")


def test_a_look_that_fails_is_left_out_and_the_next_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    looks = iter([OSError("gone"), {"a": 1.0}, AttributeError("half there"), {"a": 2.0}])
    over = threading.Event()

    def seen() -> dict[str, float]:
        found = next(looks, None)
        if found is None:
            over.set()
            return {"a": 3.0}
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(resources, "seen", seen)
    with resources.watched(seconds=0.001) as samples:
        assert over.wait(30)
    assert [found["a"] for _, found in samples][:3] == [1.0, 2.0, 3.0]
    assert not died


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries give memory back by themselves")
def test_a_peak_does_not_count_what_was_freed_before() -> None:
    """glibc keeps small freed blocks as long as one that was taken later is in use."""
    blocks, later = [bytearray(100_000) for _ in range(1000)], bytearray(100_000)
    resources.forget_peak()
    before = resources.peak()["peak_mib"]
    blocks.clear()
    resources.forget_peak()
    assert resources.peak()["peak_mib"] < before - 80
    assert len(later) == 100_000
