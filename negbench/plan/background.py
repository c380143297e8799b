"""When a list is made that a training asks for: at once, or by a second process while training goes on."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Self

from negbench.encoders.encode import still
from negbench.encoders.load import load
from negbench.plan.live import LiveSearch
from negbench.plan.refreshing import Redrawer, Refresher
from negbench.types import Int32, Negatives

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Points = dict[str, float]


class InLine:
    """Makes a list when it is asked for; training waits."""

    def __init__(self, search: Refresher | Redrawer | LiveSearch) -> None:
        self.search = search
        self.cost = search.cost
        self._ready: dict[int, tuple[Negatives, Points]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Keep what was found."""
        if isinstance(self.search, LiveSearch):
            self.search.save()

    def ask(self, model: SentenceTransformer, number: int, upcoming: Int32) -> None:
        """Search with ``model`` for list ``number``, whose next batch asks the queries ``upcoming``."""
        self._ready[number] = self.search(model, number, upcoming)

    def take(self, number: int) -> tuple[Negatives, Points]:
        """Return the list, and a point for each curve of its own."""
        return self._ready.pop(number)


class Background:
    """Hands checkpoints to a second process, and lists back when they are due; training waits for what is late.

    So a training repeats, however fast the other process is. It computes with as many threads as this one, so that
    the lists are those that would have been made here, to the bit. ``cost`` also has the seconds that were waited.
    """

    def __init__(self, search: Refresher) -> None:
        self.search = search
        self.cost: Counter[str] = Counter()
        self._asked: dict[int, Future[tuple[Negatives, Points, Counter[str]]]] = {}

    def __enter__(self) -> Self:
        import torch

        self._folder = tempfile.TemporaryDirectory()
        spawn = get_context("spawn")  # a fork would inherit locks of torch's threads
        threads = torch.get_num_threads()
        self._process = ProcessPoolExecutor(1, spawn, _begin, (self.search, threads))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown(cancel_futures=True)
        self._folder.cleanup()

    def ask(self, model: SentenceTransformer, number: int, upcoming: Int32) -> None:
        """Save ``model`` as it stands for the other process; what is ``upcoming`` does not matter."""
        folder = Path(self._folder.name) / str(number)
        still(model).save_pretrained(str(folder), create_model_card=False)
        self._asked[number] = self._process.submit(_search, folder, number)

    def take(self, number: int) -> tuple[Negatives, Points]:
        """Wait for the list, and return it with a point for each curve."""
        began = time.perf_counter()
        drawn, points, cost = self._asked.pop(number).result()
        self.cost.update(cost)
        self.cost["refresh_wait_seconds"] += time.perf_counter() - began  # type: ignore[assignment]
        shutil.rmtree(Path(self._folder.name) / str(number))
        return drawn, points


_SEARCH: list[Refresher] = []
"""In the second process: what searches there."""


def _begin(search: Refresher, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    _SEARCH.append(search)


def _search(folder: Path, number: int) -> tuple[Negatives, Points, Counter[str]]:
    (search,) = _SEARCH
    search.cost.clear()
    drawn, points = search(load(folder), number)
    return drawn, points, Counter(search.cost)
