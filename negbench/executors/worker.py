"""A process that makes the stages it is asked for: ``python -m negbench.executors.worker`` and a ``Job``'s fields.

It reads keys of stages from its standard input, a line each, and answers each with a line of JSON, the fields of an
``Outcome``. It ends when its standard input does, in the middle of a stage if need be, so that it never outlives the
process that started it.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path

from negbench import libraries
from negbench.errors import InputError
from negbench.executors import Job, Outcome
from negbench.executors.in_process import made
from negbench.store import Stage, Store
from negbench.store.remote import Remote
from negbench.training.children import answer_lines


@cache
def stages(job: Job) -> dict[str, Stage]:
    """Return the stages of a job by key, planned in this process. Raises InputError as planning a grid does."""
    import sentence_transformers  # noqa: F401  (its import time should not count as a stage's cost)

    from negbench.config.grid import read
    from negbench.plan.trials import trials

    os.chdir(job.folder)
    return {stage.key: stage for trial in trials(read(Path(job.manifest))) for stage in trial.stages}


@cache
def store(job: Job) -> Store:
    """Return the store of a job."""
    return Store(Path(job.store), Remote(job.remote) if job.remote else None)


def _part(job: Job, key: str) -> Stage | None:
    """Return the part of a stage of the job that has a key; parts are known once the inputs of their stage are made."""
    for stage in stages(job).values():
        if type(stage).parts is not Stage.parts and all(store(job).has(parent) for parent in stage.inputs):
            found = [part for part in stage.parts(store(job).path) if part.key == key]
            if found:
                return found[0]
    return None


def carry_out(job: Job, key: str) -> Outcome:
    """Make the stage of a key."""
    try:
        stage = stages(job).get(key) or _part(job, key)
    except InputError as error:  # such as a collection that this machine does not have
        return Outcome(key, f"the grid cannot be planned on {platform.node()}: {error}")
    if stage is None:
        return Outcome(
            key,
            f"the stage {key} is not one of the grid's on this machine: its collection, its encoder or its precision "
            "differ from those where the run was started; name the precision in the grid, and share the files",
        )
    return made(stage, store(job))


def main() -> None:
    """Answer until standard input ends."""
    libraries.configure()
    job = Job(*sys.argv[1:])
    answer_lines(lambda key: json.dumps(asdict(carry_out(job, key))))


if __name__ == "__main__":
    main()
