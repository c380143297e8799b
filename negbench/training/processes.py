"""Several processes that train one encoder: each encodes its share of every batch, and each sees the whole loss."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch
from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import _set_pg_timeout, _world
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, start_processes

from negbench.errors import InputError
from negbench.rng import CounterRNG
from negbench.training.children import end_with_parent

T = TypeVar("T")

PATIENCE = timedelta(hours=6)
"""How long a process waits for the others: the first may be searching a whole corpus meanwhile."""

STARTING = timedelta(minutes=1)
"""How long a process waits for the others to join: each has said before that it is there."""

STOPPED_SECONDS = 60.0
"""Seconds for which another process is stopped before the user is told."""

_log = logging.getLogger(__name__)

_FAILURES = (ProcessRaisedException, ProcessExitedException)


class WorkerLostError(RuntimeError):
    """Another process of the training has ended early."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a training as one of them sees them, ``rank`` of ``size``; 0 is the one that was asked to train.

    All hold the same weights and the same rows, and are given the same batches.
    """

    rank: int = 0
    size: int = 1

    def seed(self, seed: int) -> int:
        """Return this process's seed of dropout masks, which differ between processes."""
        return seed if self.rank == 0 else int(CounterRNG(seed, "process", self.rank).bits(0) >> 32)

    def encoded(
        self, chunks: Sequence[Mapping[str, Tensor]], encode: Callable[[Any], Tensor], width: int
    ) -> list[Tensor]:
        """Return the vectors of every chunk [n, width], float32; chunk i is encoded by process i modulo ``size``.

        Gradients flow into one's own chunks alone.
        """
        if self.size == 1:
            return [encode(chunk) for chunk in chunks]
        own = {index: encode(chunk) for index, chunk in enumerate(chunks) if index % self.size == self.rank}
        inputs = [_one_a_text(chunk) for chunk in chunks]
        everyone = torch.zeros(sum(map(len, inputs)), width, device=inputs[0].device)
        places = torch.split(everyone, [len(texts) for texts in inputs])
        for index, vectors in own.items():
            places[index].copy_(vectors.detach())
        _sum(everyone)  # nothing but zeros is added to a vector
        others = [place.clone().requires_grad_() for place in places]  # one that has no chunk goes backward, too
        return [own.get(index, vectors) for index, vectors in enumerate(others)]

    def sum_gradients(self, model: nn.Module) -> None:
        """Give each parameter the sum of its gradients over all processes; one that none has reached keeps None."""
        if self.size == 1:
            return
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        reached = torch.tensor([it.grad is not None for it in trained], dtype=torch.float32, device=trained[0].device)
        _sum(reached)
        for parameter, times in zip(trained, reached.tolist(), strict=True):
            if times:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                _sum(parameter.grad)

    def from_first(self, make: Callable[[], T]) -> T:
        """Return the result of ``make`` in the first process, in all processes."""
        if self.size == 1:
            return make()
        holder = [make() if self.rank == 0 else None]
        with _all_there():
            distributed.broadcast_object_list(holder, device=torch.device("cpu"))
        return holder[0]  # type: ignore[return-value]


def _one_a_text(chunk: Mapping[str, Any]) -> Tensor:
    """Return one of a chunk's tensors that has an entry for each text: of bags of tokens, where each begins."""
    tensor: Tensor = next(it for it in (chunk.get("offsets"), *chunk.values()) if isinstance(it, Tensor))
    return tensor


def _sum(values: Tensor) -> None:
    with _all_there():
        distributed.all_reduce(values)


@contextmanager
def _all_there() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise WorkerLostError("another process of this training is gone") from error


@contextmanager
def started(size: int, scratch: Path, help_with: Callable[..., None], *arguments: Any) -> Iterator[ProcessGroup]:
    """Let ``size - 1`` more processes run ``help_with(process_group, *arguments)`` during the ``with`` block.

    They are started by torch.multiprocessing, not by torchrun, whose workers are all new: the process that was asked
    stays the first, with its model and what it was given to call. On a CPU they share the threads among them; else
    each has a GPU of its own. ``arguments`` must be picklable. Raises InputError where there are too few GPUs, and
    RuntimeError where another process failed.
    """
    if size == 1:
        yield ProcessGroup()
        return
    devices = _devices(size)
    threads = max(1, torch.get_num_threads() // size)
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        place = Path(folder).absolute()
        others = start_processes(  # type: ignore[no-untyped-call]
            _help,
            (size, threads, devices, place, help_with, arguments),
            nprocs=size - 1,
            join=False,
            daemon=True,
            start_method="spawn",
        )
        try:
            ended = False
            while len(list(place.glob("process*"))) < size - 1:
                if ended:
                    raise WorkerLostError("another process of this training ended before it began")
                ended = others.join(timeout=0.1)  # raises what has kept one from coming
            pids = [process.pid for process in others.processes]
            with _told_if_stopped(pids), _joined(0, size, threads, place) as process_group:
                yield process_group
                while not others.join():
                    pass
        except _FAILURES as failed:
            raise _told(failed, size) from failed
        except WorkerLostError as error:
            try:
                for _ in range(size - 1):
                    others.join(timeout=60)  # the one that failed says why, as soon as it has ended
            except _FAILURES as failed:
                raise _told(failed, size) from error
            raise
        finally:
            for process in others.processes:
                process.kill()
                process.join()


def _told(failed: Any, size: int) -> RuntimeError:
    """Return an error with the last line of another process's traceback."""
    return RuntimeError(f"process {failed.error_index + 2} of {size} failed: {str(failed).strip().splitlines()[-1]}")


def _devices(size: int) -> list[str] | None:
    """Return how CUDA_VISIBLE_DEVICES names the GPUs of the processes; None where there is none."""
    if not torch.cuda.is_available():
        return None
    available = torch.cuda.device_count()
    if size > available:
        raise InputError(f"train.processes is {size}, but {available} GPUs are here, and each takes one; ask for fewer")
    named = (os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(available)))).split(",")
    return [name.strip() for name in named]


def _help(
    index: int,
    size: int,
    threads: int,
    devices: list[str] | None,
    place: Path,
    help_with: Any,
    arguments: tuple[Any, ...],
) -> None:
    rank = index + 1
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[rank]  # nothing has looked at a GPU yet
    end_with_parent()
    (place / f"process{rank}").touch()
    with suppress(WorkerLostError), _joined(rank, size, threads, place) as process_group:  # whoever left says why
        help_with(process_group, *arguments)


@contextmanager
def _joined(rank: int, size: int, threads: int, place: Path) -> Iterator[ProcessGroup]:
    """Join the process group through a file in ``place``.

    No environment variable says that there are several: to the trainer this is a training in one process.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        _world.group_count = 0  # torch counts a group whose start failed, too, and would wait under another name
        with _all_there():
            distributed.init_process_group(backend, f"file://{place}/meet", STARTING, size, rank)
        _set_pg_timeout(PATIENCE)
        yield ProcessGroup(rank, size)
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
        torch.set_num_threads(before)


@contextmanager
def _told_if_stopped(pids: Sequence[int]) -> Iterator[None]:
    """Tell the user once of each process that stays stopped (SIGSTOP), for which a training waits without a word."""
    over = threading.Event()

    def look() -> None:
        seen = dict.fromkeys(pids, 0)
        while not over.wait(STOPPED_SECONDS / 4):
            for pid in pids:
                seen[pid] = seen[pid] + 1 if _is_stopped(pid) else 0
                if seen[pid] == 4:
                    _log.warning(
                        "process %d of this training is stopped, and the others wait for it: kill -CONT %d", pid, pid
                    )

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False  # it has ended
