"""The hook class for each refresh mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from negbench.encoders.tokens import Limits
from negbench.refresh import Mode, Refresh
from negbench.stages.inputs import PathOf
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.refresh.batch_search import BatchSearch
from negbench.stages.refresh.cached_vectors import CachedVectorSearch
from negbench.stages.refresh.easy_negatives import EasyNegatives
from negbench.stages.refresh.full_search import FullSearch
from negbench.stages.refresh.negatives_hook import NegativesHook
from negbench.stages.refresh.redraw import DrawAgain
from negbench.stages.refresh.worker import WorkerProcess
from negbench.training.data import Instances
from negbench.training.hooks import RefreshHook
from negbench.training.job import TrainingJob
from negbench.types import Negatives

HOOKS: dict[Mode, type[NegativesHook]] = {
    "full": FullSearch,
    "per-batch": BatchSearch,
    "cached-vectors": CachedVectorSearch,
    "redraw": DrawAgain,
    "when-easy": EasyNegatives,
}
"""Hook class by mode of ``refresh.Refresh``."""


def negatives_hook(
    refresh: Refresh,
    draw: DrawNegatives,
    *,
    path_of: PathOf,
    limits: Limits,
    folder: Path,
    rows: Callable[[Negatives], Instances],
    job: TrainingJob,
) -> RefreshHook:
    """Return the hook that replaces the negatives of ``draw`` on the schedule of ``refresh``.

    Other arguments are as in ``NegativesHook``.
    """
    hook: type[NegativesHook] | type[WorkerProcess] = WorkerProcess if refresh.search_lag else HOOKS[refresh.mode]
    return hook(refresh=refresh, draw=draw, path_of=path_of, limits=limits, folder=folder, rows=rows, job=job)
