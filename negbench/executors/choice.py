"""Which executor a run asks for."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, Literal, get_args

from negbench.errors import InputError
from negbench.executors import Executor, Job
from negbench.store import Store
from negbench.training import launched

Runner = Literal["local", "ray"]


@dataclass(frozen=True)
class ExecutorChoice:
    """The executor of a run: ``workers`` processes of this machine, or tasks of a Ray cluster at ``address``.

    ``workers`` None is this process alone, or as many tasks as the cluster carries. Raises InputError for what does not
    go together, or is not installed.
    """

    runner: Runner = "local"
    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.runner not in get_args(Runner):
            raise InputError(f"runner: expected {' or '.join(get_args(Runner))}, found {self.runner!r}")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers: expected at least 1, found {self.workers}")
        if launched.current() is not None and (self.runner == "ray" or (self.workers or 1) > 1):
            raise InputError("workers, runner: torchrun has started processes already, for training; leave them out")
        if self.runner == "ray" and importlib.util.find_spec("ray") is None:
            raise InputError("runner: Ray is not installed; install it with: pip install 'negbench[ray]'")
        if self.address is not None and self.runner != "ray":
            raise InputError(f"address: {self.address} is that of a Ray cluster; add --runner ray, or leave it out")

    def open(self, manifest: dict[str, Any], store: Store) -> Executor:
        """Start the executor for the grid of a manifest."""
        if self.runner == "ray":
            from negbench.executors.on_ray import OnRay

            return OnRay(Job.of(manifest, store), self.address, self.workers)
        if self.workers is None or self.workers == 1:
            from negbench.executors.in_process import InProcess

            return InProcess(store)
        from negbench.executors.workers import Workers

        return Workers(Job.of(manifest, store), self.workers)
