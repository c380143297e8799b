"""Processes that ``torchrun`` has started: the first carries out the command, the others help with its trainings.

Whatever starts processes with torch's variables does: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, and LOCAL_RANK
where a machine has several GPUs. All see the store under the same path.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from negbench.errors import InputError

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

    from negbench.training.processes import HelpWith, ProcessGroup

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables without which a process was not started as one of several."""

VARIABLES = (
    *NEEDED,
    *("LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME"),
    *("TORCHELASTIC_RUN_ID", "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS"),
)
"""Variables by which a library would take this process for one of several that train by themselves."""

STARTING = timedelta(minutes=10)
"""How long a process waits for the first one: machines of a cluster do not begin at the same time."""

POLL_SECONDS = 0.2
"""Time between two looks for a training to help with."""

LEAVING_SECONDS = 2.0
"""How long the first process waits for the others to see that the command has ended."""

REASON_SECONDS = 10.0
"""How long the first process waits for another one to say what it has failed of."""


class Launch:
    """The processes that were started together, as one of them sees them: ``rank`` of ``size``.

    They meet in ``store``, torch's own at MASTER_ADDR: the first says there what is to be trained, a line each.
    """

    def __init__(self, store: Store, rank: int, size: int, has_gpu: bool) -> None:
        self.store, self.rank, self.size = store, rank, size
        self._number = 0
        """How many trainings have begun; all processes count alike, and name by it what they say of each."""
        self._lost = False
        store.set(f"gpu/{rank}", str(int(has_gpu)))

    @contextmanager
    def training(self, folder: Path) -> Iterator[ProcessGroup]:
        """Let the others help, during the ``with`` block, with what is described in ``folder``.

        Raises InputError where only some have a GPU, and RuntimeError where another one fails or is gone.
        """
        from negbench.training.processes import WorkerLostError

        gpus = sum(int(self.store.get(f"gpu/{rank}")) for rank in range(self.size))
        if gpus not in (0, self.size):
            raise InputError(
                f"{gpus} of the {self.size} processes that were started have a GPU; start one process for each GPU"
            )
        if self._lost:
            raise RuntimeError("a process that was started with this one is gone")
        self._number += 1
        self.store.set(f"training/{self._number}", str(folder))
        try:
            with self._joined() as process_group:
                yield process_group
        except WorkerLostError as error:
            raise RuntimeError(self._reason()) from error

    def _reason(self) -> str:
        """Return what another process has failed of, which it says as soon as it has left the training."""
        until = time.monotonic() + REASON_SECONDS
        while time.monotonic() < until:
            for rank in range(1, self.size):
                if self.store.check([failed := f"failed/{self._number}/{rank}"]):
                    return f"process {rank + 1} of {self.size} failed: {self.store.get(failed).decode()}"
            time.sleep(POLL_SECONDS)
        self._lost = True
        return "a process that was started with this one is gone"

    @contextmanager
    def _joined(self) -> Iterator[ProcessGroup]:
        import torch
        from torch.distributed import PrefixStore  # type: ignore[attr-defined]

        from negbench.training.processes import joined

        meeting = PrefixStore(f"group/{self._number}", self.store)
        with joined(self.rank, self.size, torch.get_num_threads(), meeting) as process_group:
            yield process_group

    def help(self, help_with: HelpWith) -> None:
        """Take part in every training until the first process's command has ended."""
        from negbench.training.processes import WorkerLostError

        while folder := self._next():
            try:
                with self._joined() as process_group:
                    help_with(process_group, Path(folder))
            except WorkerLostError:
                continue  # the first says why
            except Exception as error:  # any error: the first tells the user, and may go on with another training
                line = (str(error).strip().splitlines() or [""])[-1]
                self.store.set(f"failed/{self._number}/{self.rank}", f"{type(error).__name__}: {line}")

    def _next(self) -> str:
        """Return the folder of the next training, empty where there is none."""
        self._number += 1
        key = f"training/{self._number}"
        while not self.store.check([key]):
            if self.store.check(["ended"]):
                self.store.set(f"left/{self.rank}", "")
                return ""
            time.sleep(POLL_SECONDS)
        return str(self.store.get(key).decode())

    def end(self) -> None:
        """Let the others end, as the command has."""
        self.store.set("ended", "")
        others = [f"left/{rank}" for rank in range(1, self.size)]
        until = time.monotonic() + LEAVING_SECONDS  # the store may be this process's
        while not self.store.check(others) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)


_LAUNCH: list[Launch] = []
"""What this process was started with, once it has joined."""


def current() -> Launch | None:
    """Return the processes that this one was started with; None where it was started alone."""
    return _LAUNCH[0] if _LAUNCH else None


def carry_out(command: Callable[[], object], help_with: HelpWith) -> None:
    """Carry out a command in the first of several processes, and help it with its trainings in the others."""
    launch = current()
    if launch is None:
        command()
    elif launch.rank:
        try:
            launch.help(help_with)
        except RuntimeError as error:
            raise InputError("the first of the processes started together is gone; start all of them again") from error
    else:
        try:
            command()
        finally:
            with suppress(RuntimeError):  # the others are gone
                launch.end()


def join() -> None:
    """Meet the processes that this one was started with, if any, and take their variables out of the environment.

    A process on a machine with GPUs gets the one of its LOCAL_RANK. Raises InputError where the others do not come.
    """
    if not all(os.environ.get(name) for name in NEEDED):
        return
    if os.environ["WORLD_SIZE"] != "1":
        _choose_gpu()
        import torch
        from torch.distributed import rendezvous  # type: ignore[attr-defined]

        try:
            store, rank, size = next(rendezvous("env://", timeout=STARTING))
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"RANK, WORLD_SIZE and MASTER_ADDR say that this is one of {os.environ['WORLD_SIZE']} processes, but "
                f"they do not meet: {(str(error).splitlines() or [''])[0]}; unset WORLD_SIZE to run this one alone"
            ) from error
        _LAUNCH.append(Launch(store, rank, size, torch.cuda.is_available()))
    for name in VARIABLES:
        os.environ.pop(name, None)


def _choose_gpu() -> None:
    """Let CUDA see this process's GPU alone; nothing has looked for GPUs yet."""
    rank, names = int(os.environ.get("LOCAL_RANK", "0")), os.environ.get("CUDA_VISIBLE_DEVICES")
    if names is None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(rank)
    elif len(visible := names.split(",")) > 1:  # one alone may have been given to this process
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[rank].strip() if rank < len(visible) else ""


@contextmanager
def started(size: int, scratch: Path, help_with: HelpWith) -> Iterator[ProcessGroup]:
    """Let ``size`` processes, this one among them, take part in the training that is described in ``scratch``.

    They are those that this one was started with, where there are so many, or its children. Raises InputError where
    others are there, of another number.
    """
    from negbench.training import processes

    launch = current()
    if launch is None or size == 1:
        with processes.started(size, scratch, help_with) as process_group:
            yield process_group
        return
    check(size)
    with launch.training(scratch) as process_group:
        yield process_group


def check(*sizes: int) -> None:
    """Raise InputError where processes were started, and trainings of so many processes would not make use of them.

    Also where torchrun has started several that did not ``join``: each would carry out the whole of a script's run.
    """
    launch = current()
    if launch is None and all(os.environ.get(name) for name in NEEDED) and os.environ["WORLD_SIZE"] != "1":
        raise InputError(
            f"torchrun has started {os.environ['WORLD_SIZE']} processes of a script, which negbench.run cannot share a "
            "training among; start `torchrun -m negbench run GRID` instead, or the script without torchrun"
        )
    if launch is None or not sizes:
        return
    odd = sorted({*sizes} - {1, launch.size}) or sorted({*sizes} - {launch.size} if launch.size not in sizes else ())
    if odd:
        raise InputError(
            f"train.processes is {odd[0]}, but {launch.size} processes were started; "
            f"--set train.processes={launch.size} lets all of them train"
        )
