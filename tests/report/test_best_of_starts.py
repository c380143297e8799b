"""What is said of the encoder in ``best/`` where the rows have several starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from made_trials import rows, trial
from planning import plan

from negbench.plan.trials import Trial
from negbench.report import references
from negbench.runners import models
from negbench.store import Stage

AXES = {"start": {"weak": {"encoder.reinit_layers": 1}, "strong": {"train.epochs": 2}}}


def of(found: list[Trial], method: str, start: str) -> Trial:
    return next(
        it for it in found if it.method == method and it.axis_values == {"start": start} and it.seed in (None, 0)
    )


def test_the_verdict_on_another_start_is_no_other_row(collection: Path, weights: Path) -> None:
    found = plan(collection, weights, ["in-batch", "random"], axes=AXES)
    chosen = of(found, "in-batch", "weak")

    def said(*recommended: tuple[str, str]) -> str:
        made: list[dict[str, Any]] = [trial(method, 0, 0.5, axes={"start": start}) for method, start in recommended]
        return models._other_in_verdict(chosen, found, rows(*made))

    assert said(("in-batch", "weak"), ("random", "strong")) == ""
    assert said(("random", "weak"), ("in-batch", "strong")).startswith("the verdict names random, start=weak instead")


class Folders:
    """A store in which each evaluation has one value for two queries."""

    def __init__(self, folder: Path, trials: list[Trial]) -> None:
        self.folder = folder
        for it in trials:
            self.path(it.evaluation).mkdir(exist_ok=True)
            np.save(self.path(it.evaluation) / "0.npy", np.array([0.5, 0.5]))

    def path(self, stage: Stage) -> Path:
        return self.folder / stage.key


def test_references_are_those_of_the_row_s_own_start(collection: Path, weights: Path, tmp_path: Path) -> None:
    """A start that failed is left out, and not replaced by the other one; BM25 is the same for both."""
    found = plan(collection, weights, ["in-batch"], axes=AXES)
    row = [it for it in found if it.method == "in-batch" and it.axis_values == {"start": "weak"}]
    records = {it.name: {"metrics": {it.settings.measures[0]: 0.5}} for it in found}
    for failed, wanted in (
        ("start", {"untouched", "bm25-search"}),
        ("bm25-search", {"untouched", "bm25-search", "start"}),
    ):
        left = [it for it in found if it.method != failed or it.axis_values == {"start": "strong"}]
        beside = references.of_row(row, left, records, Folders(tmp_path, left))  # type: ignore[arg-type]
        assert {it.name for it in beside.found} == wanted
