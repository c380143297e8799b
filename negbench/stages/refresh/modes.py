"""The hook class for each refresh mode."""

from __future__ import annotations

from negbench.refresh import Mode
from negbench.stages.refresh.batch_search import BatchSearch
from negbench.stages.refresh.cached_vectors import CachedVectorSearch
from negbench.stages.refresh.easy_negatives import EasyNegatives
from negbench.stages.refresh.full_search import FullSearch
from negbench.stages.refresh.negatives_hook import NegativesHook
from negbench.stages.refresh.redraw import DrawAgain
from negbench.stages.refresh.refresh_inputs import RefreshInputs
from negbench.stages.refresh.worker import WorkerProcess
from negbench.training.hooks import RefreshHook
from negbench.training.job import TrainingJob

HOOKS: dict[Mode, type[NegativesHook]] = {
    "full": FullSearch,
    "per-batch": BatchSearch,
    "cached-vectors": CachedVectorSearch,
    "redraw": DrawAgain,
    "when-easy": EasyNegatives,
}
"""Hook class by mode of ``refresh.Refresh``."""


def negatives_hook(inputs: RefreshInputs, job: TrainingJob) -> RefreshHook:
    """Return the hook that replaces negatives on the schedule of ``inputs.refresh``; ``job`` is not kept."""
    if inputs.refresh.search_lag:
        return WorkerProcess(inputs, job)
    return HOOKS[inputs.refresh.mode](inputs, job)
