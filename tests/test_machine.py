from __future__ import annotations

import time

import pytest

from negbench import machine


def test_the_machine_is_looked_at_while_something_runs() -> None:
    began = time.time()
    with machine.watched(seconds=0.001) as samples:
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
    with pytest.raises(ZeroDivisionError), machine.watched(seconds=60):
        _ = 1 / 0
