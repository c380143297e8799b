"""What is said below a table of its false-negative rates: what they rest on, and why others are not there."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from negbench.config.grid import Settings
from negbench.evaluation.false_negatives import Estimator
from negbench.report.estimates import complete, further
from negbench.report.rows import Row

WITHOUT_COLUMN = ("judge/index",)
"""What is told of a judge below the table: its scores are no rates, so that they have no column."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)")

Records = Sequence[Mapping[str, Any]]
"""Trials as in results.json."""


def estimator_notes(records: Records, found: Sequence[Row], settings: Settings) -> list[str]:
    """Return a paragraph for each estimator with a rate, and one on those that give none to any row that mines."""
    by_row = _by_row(records)
    rated = {*further([row.estimates for row in found], ()), *(row.estimator for row in found if row.estimator)}
    names = dict.fromkeys(name for it in records for name in it["false_negatives"])
    lines = []
    for name in names:
        if name in rated:
            lines.append(_of_column(name, by_row))
        elif name in WITHOUT_COLUMN and (values := rates_by(name, by_row)):
            note = " / ".join(_told(_notes(name, records)))
            lines.append(f"{name}: {note}. In %: {values}.")
    silent = []
    for estimator in settings.estimators:
        own = [name for name in names if _is_of(estimator, name)]
        if not any(name in rated or name in WITHOUT_COLUMN for name in own):
            reasons = _told([note for name in own for note in _notes(name, records)]) or [estimator.lacking]
            silent.append(f"{estimator.name} ({' / '.join(reasons)})")
    if silent and any(row.filled is not None for row in found):
        lines.append(f"Estimators of false negatives that give no rate here: {'; '.join(silent)}.")
    return lines


def rates_by(name: str, by_row: Mapping[str, Records]) -> str:
    """Return the rates of an estimator in percent by row, as means over seeds; not of rows where a seed has none."""
    rates = {row: [rate["rate"] for rate in complete(trials).get(name, ())] for row, trials in by_row.items()}
    return "; ".join(f"{row} {100 * sum(some) / len(some):.2f}" for row, some in rates.items() if some)


def _by_row(records: Records) -> dict[str, list[Mapping[str, Any]]]:
    """Return the finished trials by the label of their row."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for it in records:
        if it["status"] == "done":
            label = it["spelling"] + "".join(f", {key}={value}" for key, value in it["axes"].items())
            rows.setdefault(label, []).append(it)
    return rows


def _of_column(name: str, by_row: Mapping[str, Records]) -> str:
    """Return what the rates of a column rest on, and by reason the rows that have none there."""
    rests: list[str] = []
    seeds: dict[tuple[str, ...], Counter[str]] = {}
    reasons: dict[tuple[str, ...], list[str]] = {}
    for row, trials in by_row.items():
        if name in complete(trials):
            rests += _notes(name, trials)
            continue
        for note in [it["false_negatives"][name]["note"] for it in trials if _lacks(name, it)]:
            seeds.setdefault(_kind(note), Counter())[row] += 1
            reasons.setdefault(_kind(note), []).append(note)
    said = f"{name}: {' / '.join(_told(rests))}."
    without = []
    for kind, rows in seeds.items():
        parts = [
            row + ("" if count == len(by_row[row]) else f", {count} of {len(by_row[row])} seeds")
            for row, count in rows.items()
        ]
        without.append(f"{_told(reasons[kind])[0]} ({'; '.join(parts)})")
    return said + (f" A row has none where a seed has none: {'; '.join(without)}." if without else "")


def _lacks(name: str, trial: Mapping[str, Any]) -> bool:
    return name in trial["false_negatives"] and trial["false_negatives"][name]["rate"] is None


def _notes(name: str, records: Records) -> list[str]:
    return [it["false_negatives"][name]["note"] for it in records if name in it["false_negatives"]]


def _is_of(estimator: Estimator, name: str) -> bool:
    """Return whether an estimator gives rates of a name."""
    return name in estimator.meanings or name.partition("/")[0] == estimator.name


def _kind(note: str) -> tuple[str, ...]:
    """Return a note without its numbers."""
    return tuple(_NUMBER.split(note)[::2])


def _told(notes: Sequence[str]) -> list[str]:
    """Return each note once; of those that differ in numbers alone, one with the range of each number."""
    kinds: dict[tuple[str, ...], list[list[str]]] = {}
    for note in notes:
        kinds.setdefault(_kind(note), []).append(_NUMBER.split(note)[1::2])
    told = []
    for words, numbers in kinds.items():
        ranges = [_range(column) for column in zip(*numbers, strict=True)]
        told.append("".join(word + number for word, number in zip(words, [*ranges, ""], strict=True)))
    return told


def _range(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    return low if low == high else f"{low} to {high}"


def teachers(records: Records) -> list[str]:
    """Return a paragraph on how well the methods' teachers rank labelled positives, empty without a teacher.

    It has an entry for each method and point of the axes, with the range over seeds; one for all points where these
    have the same.
    """
    shares: dict[str, dict[str, list[float]]] = {}
    for it in records:
        share = it["draw"].get("teacher_auc", math.nan)
        if math.isfinite(share):
            point = ", ".join(f"{key}={value}" for key, value in it["axes"].items())
            shares.setdefault(it["spelling"], {}).setdefault(point, []).append(100 * share)
    named: dict[str, list[str]] = {}
    for method, by_point in shares.items():
        told = {point: _range([f"{share:.0f}" for share in some]) for point, some in by_point.items()}
        same = len(set(told.values())) == 1
        for point, percent in {"": next(iter(told.values()))}.items() if same else told.items():
            named.setdefault(percent, []).append(method + (f" ({point})" if point else ""))
    if not named:
        return []
    ordered = sorted(named.items(), key=lambda entry: float(entry[0].split()[-1]), reverse=True)
    entries = "; ".join(f"{percent} % ({', '.join(methods)})" for percent, methods in ordered)
    return [
        "Teacher AUC, the share of pairs of a labelled positive and an unlabelled candidate of the same query in which "
        f"the teacher scores the positive higher (50 % is chance): {entries}."
    ]
