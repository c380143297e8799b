"""Processes that torchrun has started: how they find each other, and what they say of one another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed import HashStore

import negbench
from negbench.errors import InputError
from negbench.executors.choice import ExecutorChoice
from negbench.training import launched, processes
from negbench.training.launched import Launch
from negbench.training.processes import ProcessGroup, WorkerLostError


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[Launch, Launch]:
    """Return what two processes hold; this one is the first."""
    store = HashStore()
    store.set_timeout(timedelta(seconds=1))
    first, second = Launch(store, 0, 2, has_gpu=False), Launch(store, 1, 2, has_gpu=False)
    monkeypatch.setattr(launched, "_LAUNCH", [first])
    monkeypatch.setattr(launched, "POLL_SECONDS", 0.0)
    return first, second


@pytest.mark.parametrize(
    ("sizes", "odd"), [((), None), ((2,), None), ((1, 2), None), ((1,), 1), ((2, 4), 4), ((3,), 3)]
)
def test_trainings_of_another_number_are_refused(
    sizes: tuple[int, ...], odd: int | None, pair: tuple[Launch, Launch]
) -> None:
    if odd is None:
        launched.check(*sizes)
        return
    with pytest.raises(
        InputError, match=rf"^train\.processes is {odd}, but 2 processes were started; --set train\.pro"
    ):
        launched.check(*sizes)


def test_a_process_of_its_own_may_train_with_any_number() -> None:
    assert launched.current() is None
    launched.check(1, 2, 3)


@pytest.mark.parametrize("asked", [{"workers": 2}, {"runner": "ray"}])
def test_workers_are_refused(asked: Any, pair: tuple[Launch, Launch]) -> None:
    with pytest.raises(InputError, match=r"^workers, runner: torchrun has started processes already"):
        ExecutorChoice(**asked)
    ExecutorChoice(workers=1)


def test_one_without_a_gpu_is_told(tmp_path: Path) -> None:
    store = HashStore()
    first, _ = Launch(store, 0, 2, has_gpu=True), Launch(store, 1, 2, has_gpu=False)
    with (
        pytest.raises(InputError, match=r"^1 of the 2 processes that were started have a GPU"),
        first.training(tmp_path),
    ):
        raise AssertionError


def test_the_others_help_until_the_command_ends(
    pair: tuple[Launch, Launch], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One training fails in them, which the first is told; they help with the next one."""
    first, second = pair

    @contextmanager
    def joined(rank: int, size: int, *_: Any) -> Iterator[ProcessGroup]:
        yield ProcessGroup(rank, size)

    @contextmanager
    def alone(*_: Any) -> Iterator[ProcessGroup]:
        raise WorkerLostError("gone")
        yield

    helped: list[Path] = []

    def help_with(process_group: ProcessGroup, folder: Path) -> None:
        assert (process_group.rank, process_group.size) == (1, 2)
        helped.append(folder)
        if len(helped) == 1:
            raise ValueError("a long story\ntoo hot")

    for number in (1, 2):
        first.store.set(f"training/{number}", str(tmp_path / str(number)))
    first.store.set("ended", "")
    monkeypatch.setattr(processes, "joined", joined)
    second.help(help_with)
    assert helped == [tmp_path / "1", tmp_path / "2"]
    first.end()
    monkeypatch.setattr(processes, "joined", alone)
    monkeypatch.setattr(launched, "REASON_SECONDS", 0.1)
    with pytest.raises(RuntimeError, match=r"^process 2 of 2 failed: ValueError: too hot$"), first.training(tmp_path):
        raise AssertionError
    for _ in range(2):
        with (
            pytest.raises(RuntimeError, match=r"^a process that was started with this one is gone$"),
            first.training(tmp_path),
        ):
            raise AssertionError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set torch's variables as for the second of two processes, where nobody is."""
    monkeypatch.setattr(launched, "_LAUNCH", [])
    for name in (*launched.VARIABLES, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")  # put back as it was, whatever becomes of it
        monkeypatch.delenv(name)
    values = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_others_that_do_not_come_are_told(started: pytest.MonkeyPatch) -> None:
    started.setattr(launched, "STARTING", timedelta(seconds=0.2))
    with pytest.raises(
        InputError, match=r"^RANK, WORLD_SIZE and MASTER_ADDR say that this is one of 2 processes, but th"
    ):
        launched.join()


def test_one_process_alone_carries_out_the_command(started: pytest.MonkeyPatch) -> None:
    """And no library takes it for one of several."""
    started.setenv("WORLD_SIZE", "1")
    done: list[bool] = []
    launched.join()
    launched.carry_out(lambda: done.append("RANK" in os.environ), lambda *_: pytest.fail("it is the first"))
    assert done == [False]
    assert launched.current() is None


def test_the_python_api_is_refused_under_torchrun(
    started: pytest.MonkeyPatch, tmp_path: Path, weights: Path, collection: Path
) -> None:
    grid = {"name": "g", "collection": str(collection), "encoder": str(weights), "methods": ["in-batch"]}
    with pytest.raises(
        InputError, match=r"^torchrun has started 2 processes of a script, .*; start `torchrun -m negbench run GRID`"
    ):
        negbench.run(grid, tmp_path / "out", store=tmp_path / "store")
    assert not (tmp_path / "out").exists()
    started.setenv("WORLD_SIZE", "1")
    launched.check(1)


@pytest.mark.parametrize(
    ("visible", "chosen"), [(None, "1"), ("3, 5", "5"), ("GPU-a", "GPU-a"), ("", ""), ("0,1", "1")]
)
def test_each_gets_the_gpu_of_its_rank_on_the_machine(
    visible: str | None, chosen: str, started: pytest.MonkeyPatch
) -> None:
    if visible is not None:
        started.setenv("CUDA_VISIBLE_DEVICES", visible)
    launched._choose_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == chosen


def test_a_failure_here_is_not_another_processs(pair: tuple[Launch, Launch], monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def joined(rank: int, size: int, *_: Any) -> Iterator[ProcessGroup]:
        yield ProcessGroup(rank, size)

    monkeypatch.setattr(processes, "joined", joined)
    with pytest.raises(RuntimeError, match=r"^no light$"), launched.started(2, Path("here"), lambda *_: None):
        raise RuntimeError("no light")
    assert pair[0].store.get("training/1") == b"here"
    assert torch.distributed.is_available()
