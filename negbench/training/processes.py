"""Several processes that train one encoder: each encodes its share of every batch, and each sees the whole loss."""

from __future__ import annotations

import logging
import os
import shutil
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
from torch.distributed import FileStore, Store  # type: ignore[attr-defined]
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

BUCKET = 2**23
"""Numbers of gradients that are summed at a time, 32 MB in float32: what their copy takes beside them."""

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
        counts = [len(_one_a_text(chunk)) for chunk in chunks]
        shares = [counts[rank :: self.size] for rank in range(self.size)]
        most = max(map(sum, shares))  # what is gathered has to be of one length
        padded = torch.zeros(most, width, device=_one_a_text(chunks[0]).device)
        if own:
            padded[: sum(shares[self.rank])] = torch.cat([vectors.detach() for vectors in own.values()])
        gathered = [torch.empty_like(padded) for _ in shares]
        with _all_there():
            distributed.all_gather(gathered, padded)
        others: dict[int, Tensor] = {}
        for rank, (vectors, lengths) in enumerate(zip(gathered, shares, strict=True)):
            pieces = torch.split(vectors, [*lengths, most - sum(lengths)])[:-1]
            others |= dict(zip(range(rank, len(chunks), self.size), pieces, strict=True))
        # a process without a chunk goes backward, too
        return [own[index] if index in own else others[index].clone().requires_grad_() for index in range(len(chunks))]

    def sum_gradients(self, model: nn.Module) -> None:
        """Give each parameter the sum of its gradients over all processes; one that none has reached keeps None.

        They are summed after the backward pass, in buckets. DistributedDataParallel around the objective would give the
        same and begin during the pass, but with little to gain: a gradient is whole when the last chunk has been passed
        through. And an error out of the pass would not tell whether another process is gone or this one has failed.
        """
        if self.size == 1:
            return
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        reached = torch.tensor([it.grad is not None for it in trained], dtype=torch.float32, device=trained[0].device)
        _sum(reached)
        gradients: list[Tensor] = []
        for parameter, times in zip(trained, reached.tolist(), strict=True):
            if times:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        for bucket in _buckets(gradients):
            together = torch.cat([gradient.flatten() for gradient in bucket])
            _sum(together)
            for gradient, total in zip(bucket, torch.split(together, [it.numel() for it in bucket]), strict=True):
                gradient.copy_(total.view_as(gradient))

    def from_first(
        self, make: Callable[[], T], write: Callable[[T, Path], None], read: Callable[[Path], T], folder: Path
    ) -> T:
        """Return the result of ``make`` in the first process, in all processes.

        The others ``read`` what it wrote into ``folder``, which all see, and which is there meanwhile alone.
        """
        if self.size == 1:
            return make()
        if self.rank == 0:
            made = make()
            folder.mkdir(parents=True)
            write(made, folder)
            self.wait()
            self.wait()
            shutil.rmtree(folder)
            return made
        self.wait()
        made = read(folder)
        self.wait()
        return made

    def wait(self) -> None:
        """Wait until all processes are here."""
        _sum(torch.zeros(1))


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the gradients in turn, several of one type at a time, until these have ``BUCKET`` numbers."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        if bucket and (gradient.dtype != bucket[0].dtype or sum(it.numel() for it in bucket) >= BUCKET):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


HelpWith = Callable[[ProcessGroup, Path], None]
"""What another process does: it reads what it needs from a folder that the first one wrote."""


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
def started(size: int, scratch: Path, help_with: HelpWith) -> Iterator[ProcessGroup]:
    """Let ``size - 1`` more processes run ``help_with(process_group, scratch)`` during the ``with`` block.

    They read what they need from the folder ``scratch``. They are started by torch.multiprocessing: the process that
    was asked stays the first, with its model and what it was given to call. On a CPU they share the threads among them;
    else each has a GPU of its own. Raises InputError where there are too few GPUs, and RuntimeError where another
    process failed.
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
            (size, threads, devices, place, help_with, scratch.absolute()),
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
            with _told_if_stopped(pids), joined(0, size, threads, _meeting(place, size)) as process_group:
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
    help_with: HelpWith,
    scratch: Path,
) -> None:
    rank = index + 1
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[rank]  # nothing has looked at a GPU yet
    end_with_parent()
    (place / f"process{rank}").touch()
    meeting = _meeting(place, size)
    with suppress(WorkerLostError), joined(rank, size, threads, meeting) as process_group:  # whoever left says why
        help_with(process_group, scratch)


def _meeting(place: Path, size: int) -> Store:
    return FileStore(str(place / "meet"), size)


@contextmanager
def joined(rank: int, size: int, threads: int, meeting: Store) -> Iterator[ProcessGroup]:
    """Join the process group of those that meet in a store, and compute with so many threads meanwhile.

    No environment variable says that there are several: to the trainer this is a training in one process.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        _world.group_count = 0  # torch counts a group whose start failed, too, and would wait under another name
        with _all_there():
            meeting.set_timeout(STARTING)
            distributed.init_process_group(backend, timeout=STARTING, world_size=size, rank=rank, store=meeting)
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
