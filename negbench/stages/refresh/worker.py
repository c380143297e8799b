"""Asynchronous refresh: a worker process searches while training goes on."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Self

from negbench.encoders.encode import frozen_copy
from negbench.encoders.load import load, save
from negbench.stages.refresh.negatives_hook import NegativesHook
from negbench.store import scratch
from negbench.training.children import end_with_parent
from negbench.training.data import Instances
from negbench.training.hooks import Points, RefreshHook
from negbench.types import Int32, Negatives

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class WorkerProcess(RefreshHook):
    """Runs a refresh search in a worker process on checkpoints; its negatives are used after ``lag`` steps.

    Training waits for late ones, so that it repeats however fast the worker is. The worker computes with as many
    threads as this process, so that both would find the same negatives, to the bit. It ends with this process, however
    that ends, and where the training fails. ``cost`` includes the seconds of waiting.
    """

    def __init__(self, search: NegativesHook) -> None:
        super().__init__(search.steps)
        self.search, self.lag = search, search.lag
        self._requested: dict[int, Future[tuple[tuple[Negatives, Points], Counter[str]]]] = {}

    def __enter__(self) -> Self:
        import torch

        self._folder = scratch(self.search.folder.parent)
        spawn = get_context("spawn")  # a fork would inherit locks of torch's threads
        there, self._alive = spawn.Pipe(duplex=False)
        self._process = ProcessPoolExecutor(1, spawn, _begin, (self.search, torch.get_num_threads(), there))
        return self

    def __exit__(self, *raised: object) -> None:
        if any(raised):
            self._alive.close()  # nobody takes what it is searching for
        self._process.shutdown(cancel_futures=True)
        self._alive.close()
        self._folder.cleanup()

    def request(self, model: SentenceTransformer, number: int, upcoming: Int32) -> None:
        """Save a checkpoint of ``model`` and start the search in the worker."""
        folder = Path(self._folder.name) / str(number)
        save(frozen_copy(model), folder)
        self._requested[number] = self._process.submit(_search, folder, number, upcoming)

    def take(self, number: int) -> tuple[Instances, Points]:
        """Wait for the negatives; return rows with them, and a point for each curve."""
        began = time.perf_counter()
        self.search.ready[number], cost = self._requested.pop(number).result()
        self.cost.update(cost)
        self.cost["refresh_wait_seconds"] += time.perf_counter() - began  # type: ignore[assignment]
        shutil.rmtree(Path(self._folder.name) / str(number))
        return self.search.take(number)


_SEARCH: list[NegativesHook] = []
"""In the worker process: its one search hook."""


def _begin(search: NegativesHook, threads: int, alive: Connection) -> None:
    import torch

    end_with_parent(alive)
    torch.set_num_threads(threads)
    _SEARCH.append(search)


def _search(folder: Path, number: int, upcoming: Int32) -> tuple[tuple[Negatives, Points], Counter[str]]:
    (search,) = _SEARCH
    search.cost.clear()
    search.request(load(folder), number, upcoming)
    return search.ready.pop(number), Counter(search.cost)
