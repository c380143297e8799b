"""The next batch is put together while a step is computed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from negbench.training.trainer import prefetched


def test_batches_come_in_order_each_made_once_and_one_ahead() -> None:
    made: list[int] = []
    begun = [threading.Event() for _ in range(4)]

    def collate(batch: int) -> int:
        made.append(batch)
        begun[batch].set()
        return batch * 10

    with ThreadPoolExecutor(1) as pool:
        for number, found in enumerate(prefetched(pool, collate, range(4))):
            assert found == number * 10
            if number < 3:
                assert begun[number + 1].wait(30)  # nobody has asked for it yet
            assert number + 2 > 3 or not begun[number + 2].is_set()
    assert made == [0, 1, 2, 3]


def test_nothing_to_prepare() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert [*prefetched(pool, str, [])] == []
        assert [*prefetched(pool, str, [7])] == ["7"]


def test_what_goes_wrong_in_the_thread_is_raised_where_the_batch_is_asked_for() -> None:
    with ThreadPoolExecutor(1) as pool:
        batches = prefetched(pool, lambda batch: 1 // batch, [1, 0])
        assert next(batches) == 1
        with pytest.raises(ZeroDivisionError):
            next(batches)
