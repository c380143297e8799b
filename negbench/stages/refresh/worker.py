"""Asynchronous refresh: a worker process searches while training goes on."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from negbench.encoders.encode import frozen_copy
from negbench.encoders.load import save
from negbench.errors import InputError
from negbench.stages.refresh.full_search import Search
from negbench.stages.refresh.refresh_inputs import RefreshInputs
from negbench.stages.refresh.search_files import save_search
from negbench.store import load_arrays, scratch
from negbench.training.data import Instances
from negbench.training.hooks import Points, RefreshHook
from negbench.training.job import TrainingJob
from negbench.types import Int32, Negatives

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class WorkerProcess(RefreshHook):
    """Runs a full refresh search in a worker process on checkpoints; its negatives are used after ``lag`` steps.

    The search, the checkpoints and the negatives are handed over as files, and the numbers of the rounds as lines of
    text. Training waits for late negatives, so that it repeats however fast the worker is. The worker computes with as
    many threads as this process, so that both would find the same negatives, to the bit. It ends with this process,
    however that ends, and where the training fails. ``cost`` includes the seconds of waiting.
    """

    def __init__(self, inputs: RefreshInputs, job: TrainingJob) -> None:
        super().__init__(inputs.refresh.checked_steps(job.epoch_ends))
        self.lag, self.rows = inputs.refresh.search_lag, inputs.rows
        self.search = Search.of(inputs, job)

    def __enter__(self) -> Self:
        import torch

        self._scratch = scratch(self.search.folder.parent)
        self._folder = Path(self._scratch.name).absolute()
        save_search(self.search, self._folder)
        module = "negbench.stages.refresh.search_process"
        command = [sys.executable, "-m", module, str(self._folder), str(torch.get_num_threads())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # where the training failed, nobody takes what it is searching for
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]
        self._scratch.cleanup()

    def request(self, model: SentenceTransformer, number: int, upcoming: Int32) -> None:
        """Save a checkpoint of ``model`` and start the search in the worker."""
        save(frozen_copy(model), self._folder / str(number))
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died, which ``take`` finds
            self._process.stdin.write(f"{number}\n")
            self._process.stdin.flush()

    def take(self, number: int) -> tuple[Instances, Points]:
        """Wait for the negatives; return rows with them, and a point for each curve."""
        began = time.perf_counter()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()  # searches are answered in the order of their requests
        if not line:
            raise RuntimeError(f"the process that searches for new negatives died: exit code {self._process.wait()}")
        answer = json.loads(line)
        if answer["failure"] is not None:
            kind = InputError if answer["is_input"] else RuntimeError
            raise kind(answer["failure"]) from RuntimeError(answer["traceback"])
        self.cost.update(answer["cost"])
        self.cost["refresh_wait_seconds"] += time.perf_counter() - began  # type: ignore[assignment]
        shutil.rmtree(self._folder / str(number))
        return self.rows(load_arrays(Negatives, self.search.folder / str(number) / "negatives")), answer["points"]
