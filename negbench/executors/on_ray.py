"""Stages as tasks of a Ray cluster (``negbench[ray]``).

All machines of the cluster see the same store, collections and encoders under the same paths.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, astuple
from typing import Any

from negbench.errors import InputError
from negbench.executors import Job, Outcome, asked_threads
from negbench.store import Stage

CONNECT_SECONDS = 10.0
"""How long a cluster may take to accept a connection."""

RETRIES = 3
"""How often Ray begins a stage anew whose worker or machine dies."""


class OnRay:
    """Makes stages as Ray tasks: ``threads`` processors each, and a GPU for those that compute with an encoder.

    Tasks get and return text alone: the job, the key of the stage, and its outcome as JSON. ``address`` is the
    cluster's, as ``ray start`` prints it; None starts one on this machine for the run. ``slots`` None means as many as
    the processors of the cluster carry. Raises InputError where the cluster does not
    answer.
    """

    def __init__(self, job: Job, address: str | None, slots: int | None) -> None:
        import ray

        self._ray, self._job = ray, job
        self._threads = asked_threads() or 1
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level="error", include_dashboard=False)
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"--address {address}: no Ray cluster answers there: {reason}; give the address of one, or start one "
                "with 'ray start --head'"
            ) from error
        resources = ray.cluster_resources()
        self.slots = slots or max(1, int(resources.get("CPU", 1)) // self._threads)
        self._gpus = resources.get("GPU", 0) > 0
        self._task = ray.remote(_carry_out)
        self._running: dict[Any, Stage] = {}

    def start(self, stage: Stage) -> None:
        """Submit a stage as a task; Ray begins it when its processors are free."""
        task = self._task.options(
            name=stage.label,
            num_cpus=self._threads,
            num_gpus=1 if self._gpus and stage.on_gpu else 0,
            max_retries=RETRIES,
        )
        self._running[task.remote(*astuple(self._job), stage.key)] = stage

    def wait(self) -> Outcome:
        """Return how the next stage ended."""
        ended, _ = self._ray.wait(list(self._running), num_returns=1)
        stage = self._running.pop(ended[0])
        try:
            return Outcome(**json.loads(self._ray.get(ended[0])))
        except self._ray.exceptions.RayError as error:
            first = (str(error).strip().splitlines() or [""])[0]
            return Outcome(stage.key, f"{stage.label}: its Ray task failed: {first}", str(error))

    def close(self) -> None:
        """Cancel what runs, and leave the cluster."""
        for task in self._running:
            self._ray.cancel(task, force=True)
        self._ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise OSError where nothing listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _carry_out(manifest: str, store: str, folder: str, remote: str, key: str) -> str:
    """Make a stage in a process of Ray's; the grid is planned once a process."""
    from negbench.executors import worker

    return json.dumps(asdict(worker.carry_out(Job(manifest, store, folder, remote), key)))
