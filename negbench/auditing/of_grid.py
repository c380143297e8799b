"""The audited rates of a grid's methods, from the answers to a sheet that was drawn from its negatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from negbench.auditing import answers, grids, population, sheet
from negbench.auditing.estimate import estimate
from negbench.auditing.known import Known
from negbench.errors import InputError
from negbench.plan.trials import Trial
from negbench.report.audited import Audited, negatives_of, point
from negbench.store import Store


def rates(folder: Path, trials: Sequence[Trial], name: str, store: Store) -> list[Audited]:
    """Return the rate of each method by the sheet and the answers in ``folder``; ``name`` is that of the grid.

    Methods without a rate are left out. Raises InputError for a folder without a sheet or with fewer than two answers,
    for one that was drawn from other negatives than those of the trials, and where these are not stored.
    """
    if not sheet.is_there(folder):
        raise InputError(f"--audit: {folder} has no sheet; expected a folder that `negbench audit GRID --label` wrote")
    filled = sheet.load(folder)
    rows, collection = grids.of_trials(trials, name, store)
    if not filled.is_of(population.build(rows, Known(collection))):
        raise InputError(
            f"--audit: the sheet in {folder} was drawn from other negatives than those of {name} as it is now; audit "
            "the grid again with another --out"
        )
    found = estimate(filled, answers.of_folder(folder, len(filled.items)))
    if found is None:
        raise InputError(
            f"--audit: {folder} has fewer than two answers with yes or no; complete its sheet, or give another audit"
        )
    keys = negatives_of(grids.audited(trials))
    by_name = {grids.method_of(trial): keys[point(trial)] for trial in grids.audited(trials)}
    return [
        Audited(
            method=method,
            negatives=tuple(sorted(by_name[method])),
            rate=rate.rate,
            low=rate.low,
            high=rate.high,
            labels=found.labels,
            folder=str(folder),
            note=rate.note,
        )
        for method, rate in found.rates.items()
        if not math.isnan(rate.rate)
    ]
