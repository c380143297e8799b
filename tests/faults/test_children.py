"""Processes of a training: they end with their parent, and one that is dead or stopped is told of."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from made_runs import ended

from negbench.training import processes

PARENT = """
import multiprocessing, os, threading
from negbench.training.children import end_with_parent

def child():
    end_with_parent()
    print(os.getpid(), flush=True)
    threading.Event().wait()

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=child)
    process.start()
    process.join()
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, str(tmp_path / "parent.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


def said(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_its_parent(parent: subprocess.Popen[str], number: int) -> None:
    pid = said(parent)
    parent.send_signal(number)
    parent.wait()
    assert ended([pid])


ANSWERING = """
import os, threading
from negbench.training.children import answer_lines

def answer(line):
    print("a library says something")
    return {"who": str(os.getpid()), "wait": ""}[line] or threading.Event().wait()

answer_lines(answer)
"""


def test_a_process_that_answers_lines_ends_with_its_input() -> None:
    """Also in the middle of an answer; and nothing but answers stands on its output."""
    with subprocess.Popen(
        [sys.executable, "-c", ANSWERING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write("who\n")
        process.stdin.flush()
        assert said(process) == process.pid
        process.send_signal(signal.SIGINT)  # Ctrl-C reaches children, too, and is their parent's business
        process.stdin.write("wait\n")
        process.stdin.close()
        assert process.wait() == 70


def wait_forever(*_: object) -> None:
    threading.Event().wait()


@pytest.mark.slow
def test_a_helper_that_dies_as_it_joins_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has said that it is there, and is killed; the first process no longer waits for hours.

    Its socket may still take a connection in its last moment: then the first process learns of it by its first sum.
    """
    joined = processes.joined

    @contextmanager
    def after_a_death(*arguments: Any) -> Iterator[Any]:
        children = [it for it in psutil.Process().children() if "spawn_main" in " ".join(it.cmdline())]
        assert children
        for child in children:
            child.kill()
            while child.status() != psutil.STATUS_ZOMBIE:  # to wait for it would take its exit code away
                continue
        with joined(*arguments) as group:
            yield group

    monkeypatch.setattr(processes, "joined", after_a_death)
    monkeypatch.setattr(processes, "STARTING", timedelta(seconds=2))

    def begin() -> None:
        with processes.started(2, tmp_path, wait_forever):
            processes._sum(torch.zeros(1))

    with pytest.raises(RuntimeError, match=r"^process 2 of 2 failed: .*SIGKILL"):
        begin()


def test_a_stopped_helper_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOPPED_SECONDS", 0.2)
    told = threading.Event()
    lines: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())
            told.set()

    handler = Listening()
    processes._log.addHandler(handler)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as helper:
        try:
            helper.send_signal(signal.SIGSTOP)
            with processes._told_if_stopped([helper.pid]):
                assert told.wait(60)
        finally:
            processes._log.removeHandler(handler)
            helper.kill()
    assert lines[0].startswith(f"process {helper.pid} of this training is stopped")
    assert f"kill -CONT {helper.pid}" in lines[0]
