"""The table of a grid: a row a method, averaged over seeds; for the terminal, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Row:
    """One method at one point of the axes. Figures are means over seeds; None where they do not apply.

    ``quality`` is the first measure of the grid, ``spread`` its standard deviation over seeds (None for one),
    ``gain`` its difference to the baseline. ``rate``, ``low``, ``high`` are the primary false-negative rate by
    ``estimator`` with the mean of the seeds' intervals; ``in_batch`` that of the in-batch documents. ``filled`` is
    the share of negatives that were filled in. ``seconds`` is the cost of the method alone, ``added`` what it added.
    """

    method: str
    seeds: int
    failed: int
    quality: float | None
    spread: float | None
    gain: float | None
    others: dict[str, float]
    estimator: str | None
    rate: float | None
    low: float | None
    high: float | None
    in_batch: float | None
    filled: float | None
    seconds: float | None
    added: float | None


PRIMARY = ("exact", "exact-proxy")
"""Estimators whose rate the table shows, the first that a trial has."""


def rows(results: dict[str, Any], measure: str, baseline: str | None) -> list[Row]:
    """Average the trials of ``results`` over their seeds, in the order in which they stand."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in results["trials"]:
        groups.setdefault((json.dumps(trial["axes"]), trial["spelling"]), []).append(trial)
    found = []
    for (point, spelling), trials in groups.items():
        against = groups.get((point, baseline or ""), [])
        found.append(_row(spelling, json.loads(point), trials, against, measure))
    return found


def _row(
    spelling: str, point: dict[str, Any], trials: list[dict[str, Any]], against: list[dict[str, Any]], measure: str
) -> Row:
    done = [trial for trial in trials if trial["status"] == "done"]
    quality = _real([trial["metrics"][measure] for trial in done])
    mean = _mean(quality)
    others = {
        name: value
        for name in (done[0]["metrics"] if done else {})
        if name != measure and (value := _mean([trial["metrics"][name] for trial in done])) is not None
    }
    estimator = next((name for name in PRIMARY if any(name in trial["false_negatives"] for trial in done)), None)
    primary = [trial["false_negatives"][estimator] for trial in done if estimator in trial["false_negatives"]]
    in_batch = [
        rate["rate"] for trial in done for name, rate in trial["false_negatives"].items() if name.endswith("/in-batch")
    ]
    return Row(
        method=spelling + "".join(f", {key}={value}" for key, value in point.items()),
        seeds=len(done),
        failed=len(trials) - len(done),
        quality=mean,
        spread=statistics.stdev(quality) if len(quality) > 1 else None,
        gain=None if trials is against else _gain(done, against, measure),
        others=others,
        estimator=estimator,
        rate=_mean([rate["rate"] for rate in primary]),
        low=_mean([rate["low"] for rate in primary]),
        high=_mean([rate["high"] for rate in primary]),
        in_batch=_mean(in_batch),
        filled=_mean([trial["draw"]["filled"] for trial in done if trial["draw"]]),
        seconds=_mean([trial["cost"]["seconds"] for trial in done]),
        added=_mean([trial["cost"]["marginal_seconds"] for trial in done]),
    )


def _gain(done: Sequence[dict[str, Any]], against: Sequence[dict[str, Any]], measure: str) -> float | None:
    """Return the mean difference to the baseline over the seeds that both have; one without a seed meets them all."""
    theirs = {trial["seed"]: trial["metrics"][measure] for trial in against if trial["status"] == "done"}
    overall = _mean(list(theirs.values()))
    differences = []
    for trial in done:
        other = overall if trial["seed"] is None else theirs.get(trial["seed"])
        if other is not None:
            differences.append(trial["metrics"][measure] - other)
    return _mean(differences)


def _real(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _mean(values: Sequence[float]) -> float | None:
    real = _real(values)
    return sum(real) / len(real) if real else None


def _number(value: float | None, digits: int = 4, sign: bool = False) -> str:
    return "" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def cells(found: Sequence[Row], measure: str, baseline: str | None) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the rows as text."""
    shown = [name for name in ("R@100", "Judged@10") if any(name in row.others for row in found)]
    estimators = list(dict.fromkeys(row.estimator for row in found if row.estimator))
    heading = ["method", "seeds", measure, *([f"vs {baseline}"] if baseline else []), *shown]
    has_in_batch = any(row.in_batch is not None for row in found)
    if estimators:
        heading.append(f"false negatives %, {' or '.join(estimators)} [95 %]")
    if has_in_batch:
        heading.append("in-batch %")
    heading += ["filled %", "seconds", "added"]
    body = []
    for row in found:
        spread = "" if row.spread is None else f" ± {row.spread:.4f}"
        line = [row.method, str(row.seeds) + (f" ({row.failed} failed)" if row.failed else "")]
        line.append(_number(row.quality) + spread)
        line += [_number(row.gain, 4, True)] if baseline else []
        line += [_number(row.others.get(name)) for name in shown]
        if estimators:
            rate = ""
            if row.rate is not None and row.low is not None and row.high is not None:
                rate = f"{100 * row.rate:.2f} [{100 * row.low:.2f}, {100 * row.high:.2f}]"
                rate += f" {row.estimator}" if len(estimators) > 1 else ""  # collections differ in what they know
            line.append(rate)
        if has_in_batch:
            line.append("" if row.in_batch is None else f"{100 * row.in_batch:.2f}")
        line.append("" if row.filled is None else f"{100 * row.filled:.1f}")
        line += [_number(row.seconds, 1), _number(row.added, 1)]
        body.append(line)
    return heading, body


BRIEF = ("seeds", "R@100", "Judged@10", "added")
"""Columns that the terminal leaves to the files, so that the rest fits 90 letters."""


def terminal(heading: list[str], body: list[list[str]], title: str) -> Table:
    """Return the table for rich, without ``BRIEF``; figures stay on one line, long spellings move below the table."""
    short = shortened([line[0] for line in body])
    legend = "\n".join(f"{name} is {line[0]}" for name, line in zip(short, body, strict=True) if name != line[0])
    # Text, since rich would read the brackets of a spelling as markup
    table = Table(
        title=Text(title),
        title_justify="left",
        caption=Text(legend) if legend else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    kept = [at for at, name in enumerate(heading) if name not in BRIEF]
    for at in kept:
        column = [short[row] if at == 0 else line[at] for row, line in enumerate(body)]
        width = max(map(len, [*column, *heading[at].split()]))
        table.add_column(Text(heading[at]), justify="left" if at == 0 else "right", min_width=width, max_width=width)
    for name, line in zip(short, body, strict=True):
        table.add_row(*[Text(name if at == 0 else line[at]) for at in kept])
    return table


def shortened(names: Sequence[str], limit: int = 14) -> list[str]:
    """Return the names with those over ``limit`` letters cut to ``method(...)``, numbered where they would repeat."""
    found: list[str] = []
    for name in names:
        short = name if len(name) <= limit else f"{name.partition('(')[0]}(...)"
        again = sum(other.split(" ")[0] == short for other in found)
        found.append(short if short == name or not again else f"{short} {again + 1}")
    return found


def markdown(heading: list[str], body: list[list[str]], title: str, notes: Sequence[str]) -> str:
    """Return the table as Markdown, under a heading, with notes below."""
    lines = [f"# {title}", "", _pipe(heading), _pipe(["---", *["---:"] * (len(heading) - 1)])]
    lines += [_pipe(line) for line in body]
    return "\n".join(lines) + "\n" + "".join(f"\n{note}\n" for note in notes)


def _pipe(line: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in line) + " |"


def to_csv(found: Sequence[Row], measure: str) -> str:
    """Return every figure of the rows as CSV, unrounded."""
    others = sorted({name for row in found for name in row.others})
    out = io.StringIO()
    fields = ["seeds", "failed", "quality", "spread", "gain", "estimator", "rate", "low", "high", "in_batch", "filled"]
    fields += ["seconds", "added"]
    writer = csv.writer(out, lineterminator="\n")
    renamed = [{"quality": measure, "rate": "false_negative_rate"}.get(name, name) for name in fields]
    writer.writerow(["method", *renamed, *others])
    for row in found:
        writer.writerow(
            [row.method, *[getattr(row, name) for name in fields], *[row.others.get(name) for name in others]]
        )
    return out.getvalue()
