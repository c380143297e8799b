"""False-negative rates that an audit of a grid's own negatives found, beside the rates that estimators give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from negbench.errors import InputError
from negbench.plan.trials import Trial
from negbench.report.estimates import complete
from negbench.report.percent import percent
from negbench.report.results import write_json
from negbench.report.rows import Row

FILE = "audit.json"
"""The audited rates in a folder of results; a later run of the grid shows them too."""

_Seeds = dict[tuple[str, str], frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class Audited:
    """The audited rate of a method in [0, 1] with its 95 % interval.

    ``negatives`` are the keys of the stages, one a seed, that determine which negatives were audited and their weights.
    ``folder`` is that of the sheet, ``labels`` the number of pairs answered with yes or no there, over all methods;
    ``note`` says what the rate rests on.
    """

    method: str
    negatives: tuple[str, ...]
    rate: float
    low: float
    high: float
    labels: int
    folder: str
    note: str

    def __str__(self) -> str:
        rate, span = percent(self.rate, self.low, self.high)
        return f"{rate} % {span}"


def write(folder: Path, found: Sequence[Audited]) -> None:
    """Write the audited rates into a folder of results."""
    write_json(folder / FILE, {"methods": [asdict(one) for one in found]})


def read(folder: Path) -> list[Audited]:
    """Return the audited rates in a folder of results; none without the file. Raises InputError if it is damaged."""
    path = folder / FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["methods"]
        return [Audited(**{**one, "negatives": tuple(one["negatives"])}) for one in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: damaged ({error}); remove it, and write it again with `negbench report GRID --audit FOLDER`"
        ) from error


def negatives_of(trials: Sequence[Trial]) -> _Seeds:
    """Return the keys as in ``Audited.negatives`` by spelling and axes (as JSON) of the methods that mine."""
    keys: dict[tuple[str, str], set[str]] = {}
    for trial in trials:
        if trial.negatives is not None and trial.false_negatives is not None:
            keys.setdefault(point(trial), set()).add(trial.false_negatives.key)
    return {place: frozenset(of_place) for place, of_place in keys.items()}


def point(trial: Trial) -> tuple[str, str]:
    """Return the spelling and the axes as JSON, which rows share with their trials."""
    return trial.spelling, json.dumps(trial.axis_values)


def beside(rows: Sequence[Row], found: Sequence[Audited], trials: Sequence[Trial]) -> list[Row]:
    """Return the rows, with the audited rates of those whose negatives were audited."""
    keys, by_negatives = negatives_of(trials), {frozenset(one.negatives): one for one in found}
    shown = []
    for row in rows:
        one = by_negatives.get(keys.get((row.method, json.dumps(row.axes)), frozenset()))
        shown.append(row if one is None else replace(row, audited=one.rate, audited_low=one.low, audited_high=one.high))
    return shown


def of_trials(found: Sequence[Audited], trials: Sequence[Trial]) -> list[Audited]:
    """Return the audited rates of negatives that some of the trials train on."""
    here = set(negatives_of(trials).values())
    return [one for one in found if frozenset(one.negatives) in here]


def joined(before: Sequence[Audited], new: Sequence[Audited], trials: Sequence[Trial]) -> list[Audited]:
    """Return the new audited rates, and those before of other negatives of the trials."""
    again = {frozenset(one.negatives) for one in new}
    return [*(one for one in of_trials(before, trials) if frozenset(one.negatives) not in again), *new]


def of_trial(found: Sequence[Audited], trial: Trial, trials: Sequence[Trial]) -> Audited | None:
    """Return the audited rate of the negatives of ``trial``, which is one of ``trials``, and its other seeds."""
    own = negatives_of(trials).get(point(trial))
    return next((one for one in found if frozenset(one.negatives) == own), None)


def outdated(found: Sequence[Audited], trials: Sequence[Trial]) -> list[str]:
    """Return a sentence on each audited method whose negatives are not those of any trial."""
    shown = of_trials(found, trials)
    return [
        f"{one.method}: the audit {one.folder} is of other negatives than these (seeds or settings differ), so it is "
        "not shown"
        for one in found
        if one not in shown
    ]


def disagreements(rows: Sequence[Row], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one sentence for each estimator whose rates contradict audited ones, naming the methods.

    An estimate contradicts the audit where their 95 % intervals do not overlap; one without an interval, where it lies
    outside that of the audit. ``records`` are the trials of results.json.
    """
    methods: dict[str, list[str]] = {}
    for row in rows:
        if row.audited is None or row.audited_low is None or row.audited_high is None:
            continue
        for estimator, (rate, low, high) in _estimates(row, records).items():
            if low > row.audited_high or high < row.audited_low:
                span = "" if low == high else f" [{100 * low:.1f}, {100 * high:.1f}]"
                methods.setdefault(estimator, []).append(
                    f"{row.label} {100 * rate:.1f} %{span} against {100 * row.audited:.1f} % "
                    f"[{100 * row.audited_low:.1f}, {100 * row.audited_high:.1f}]"
                )
    return [
        f"{estimator} and the audit disagree, their intervals do not overlap: {'; '.join(named)}; believe the labels"
        for estimator, named in methods.items()
    ]


def _estimates(row: Row, records: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float, float]]:
    """Return rate, low and high by estimator, all three the rate where there is no interval; indices are left out.

    They are the row's own for the estimator that the table shows, else means over seeds.
    """
    trials = [
        it for it in records if it["spelling"] == row.method and it["axes"] == row.axes and it["status"] == "done"
    ]
    found = {}
    for name, rates in complete(trials).items():
        if rates[0]["unit"] == "negative" and "/" not in name:
            ends = [[one["rate"] if one[end] is None else one[end] for one in rates] for end in ("rate", "low", "high")]
            rate, low, high = (sum(values) / len(values) for values in ends)
            found[name] = rate, low, high
    if row.estimator in found and row.rate is not None and row.rate_low is not None and row.rate_high is not None:
        found[row.estimator] = row.rate, row.rate_low, row.rate_high
    return found
