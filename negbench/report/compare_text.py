"""A comparison of two runs as text: cells of a table, Markdown, CSV, and the notes that explain it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from negbench.escaping import csv_table
from negbench.report.compare import ComparedRow, Run
from negbench.report.table import ALPHA, DIFFERS, markdown

_HALF = "±\N{NO-BREAK SPACE}95\N{NO-BREAK SPACE}%"


def title(first: Run, second: Run) -> str:
    """Return the heading of the comparison."""
    return f"{first.name} and {second.name}, {first.measure}"


def cells(found: Sequence[ComparedRow], first: Run, second: Run) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of the table as text."""
    axes = list(dict.fromkeys(key for row in found for key in row.axes))
    rated = any(rate is not None for row in found for rate in (row.first_rate, row.second_rate))
    has_pairs = any(row.difference is not None for row in found)
    heading = ["method", *axes, first.name, second.name]
    heading += [f"{second.name} - {first.name} {_HALF}", "shared seeds"] if has_pairs else []
    heading += [f"false negatives %, {run.name}" for run in (first, second)] if rated else []
    body = []
    for row in found:
        line = [row.method, *[str(row.axes.get(key, "")) for key in axes], _number(row.first), _number(row.second)]
        line += [_difference(row), "" if row.difference is None else str(row.seeds)] if has_pairs else []
        line += [_percent(row.first_rate), _percent(row.second_rate)] if rated else []
        body.append(line)
    return heading, body


def notes(found: Sequence[ComparedRow], changed: Sequence[str]) -> list[str]:
    """Return sentences on the intervals, on rows that have none and why, and on what differs between the runs."""
    lines = []
    if any(row.low is not None for row in found):
        lines.append(
            f"{_HALF}: half the 95 % interval of the difference over the shared queries and seeds, paired; {DIFFERS} "
            "differs, Holm-corrected over this table; a difference over one seed is not tested"
        )
    for reason in dict.fromkeys(row.note for row in found if row.note):
        methods = list(dict.fromkeys(row.method for row in found if row.note == reason))
        shown = ", ".join(methods[:_NAMED]) + (f" and {len(methods) - _NAMED} more" if len(methods) > _NAMED else "")
        left = "" if reason.startswith("not in ") else ", so there are only the means, and no difference"
        lines.append(f"{reason}{left}: {shown}")
    if not any(row.first is not None and row.second is not None for row in found):
        lines.append("no method is in both runs with the same spelling and point of the axes")
    return [*lines, *[f"what differs: {line}" for line in changed]]


_NAMED = 6
"""Most methods that a sentence names."""


def to_markdown(found: Sequence[ComparedRow], first: Run, second: Run, changed: Sequence[str]) -> str:
    """Return a page with the table and its notes."""
    heading, body = cells(found, first, second)
    return markdown([{"title": "", "heading": heading, "body": body}], title(first, second), notes(found, changed))


def to_csv(found: Sequence[ComparedRow]) -> str:
    """Return all values of the rows, unrounded, a column an axis; no cell is a formula."""
    return csv_table(values(found))


def values(found: Sequence[ComparedRow]) -> list[list[Any]]:
    """Return the heading of ``to_csv`` and its lines, texts as they are."""
    axes = list(dict.fromkeys(key for row in found for key in row.axes))
    plain = [field.name for field in fields(ComparedRow) if field.name not in ("method", "axes")]
    lines = [
        [row.method, *[row.axes.get(key, "") for key in axes], *[getattr(row, name) for name in plain]] for row in found
    ]
    return [["method", *axes, *plain], *lines]


def _difference(row: ComparedRow) -> str:
    if row.difference is None or row.low is None or row.high is None:
        return ""
    half = (row.high - row.low) / 2
    return f"{row.difference:+.4f} ± {half:.4f}" + (f" {DIFFERS}" if row.p is not None and row.p < ALPHA else "")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"
