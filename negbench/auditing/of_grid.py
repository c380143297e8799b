"""The audited rates of a grid's methods, from the answers to sheets that were drawn from its negatives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from negbench.auditing import answers, grids, population, sheet
from negbench.auditing.estimate import estimate
from negbench.auditing.known import Known
from negbench.errors import InputError
from negbench.plan.trials import Trial
from negbench.report.audited import Audited, negatives_of, point
from negbench.store import Store

_Methods = dict[str, list[Trial]]


def rates(folders: Sequence[Path], trials: Sequence[Trial], name: str, store: Store) -> list[Audited]:
    """Return the rate of each method by the sheet and the answers in each of ``folders``; ``name`` is the grid's.

    A sheet is of one of the grid's collections, and of all or some of its methods. Methods without a rate are left out.
    Raises InputError for a folder without a sheet or with fewer than two answers, for one that was drawn from other
    negatives than those of the trials, where these are not stored, and for two audits of the same negatives.
    """
    by_negatives: dict[tuple[str, ...], Audited] = {}
    for one in [one for folder in folders for one in _of_folder(folder, trials, name, store)]:
        if (other := by_negatives.setdefault(one.negatives, one)) is not one:
            raise InputError(
                f"--audit: {other.folder} and {one.folder} have both audited the negatives of {one.method}; give one"
            )
    return list(by_negatives.values())


def _of_folder(folder: Path, trials: Sequence[Trial], name: str, store: Store) -> list[Audited]:
    if not sheet.is_there(folder):
        raise InputError(f"--audit: {folder} has no sheet; expected a folder that `negbench audit GRID --label` wrote")
    filled = sheet.load(folder)
    methods = _drawn_from(filled, grids.audited(trials), folder, name, store)
    found = estimate(filled, answers.of_folder(folder, len(filled.items)))
    if found is None:
        raise InputError(
            f"--audit: {folder} has fewer than two answers with yes or no; complete its sheet, or give another audit"
        )
    keys = negatives_of([trial for same in methods.values() for trial in same])
    in_grid = {name: next(iter(grids.by_method(same))) for name, same in methods.items()}
    return [
        Audited(
            method=in_grid[method],
            negatives=tuple(sorted(keys[point(methods[method][0])])),
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


def _drawn_from(
    filled: sheet.Sheet, collections: Mapping[str, Sequence[Trial]], folder: Path, name: str, store: Store
) -> _Methods:
    """Return the trials of each method of the sheet; InputError where no collection's are those it was drawn from.

    The sheet may come from this grid, or from one of a single collection or of fewer methods.
    """
    for same in collections.values():
        for named in (True, False):
            methods = grids.by_method(same, named)
            if all(method in methods for method in filled.methods):
                wanted = {method: methods[method] for method in filled.methods}
                rows, collection = grids.of_methods(wanted, name, store)
                if filled.is_of(population.build(rows, Known(collection))):
                    return wanted
    raise InputError(
        f"--audit: the sheet in {folder} ({', '.join(filled.methods)}) was drawn from other negatives than those of "
        f"{name} as it is now, on {' or '.join(collections) or 'no collection'}; audit the grid again with another "
        "--out"
    )
