"""The table of a grid: a row a method, averaged over seeds; for the terminal, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from negbench.report.rows import Row

ALPHA = 0.05

_NARROW = "\N{NO-BREAK SPACE}"

INTERPRETED = f"{_NARROW}\N{DAGGER}"
"""Behind the name of a method that its source leaves open in part."""

DIFFERS, SAME = "*", "="
"""Marks of a difference: surely one; surely less than the margin. Each by Holm over the table."""


def cells(
    found: Sequence[Row], measure: str, baseline: str | None, elsewhere: Sequence[str] = ()
) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the rows as text; ``elsewhere`` names further collections whose ``measure`` is shown."""
    axes = list(dict.fromkeys(key for row in found for key in row.axes))
    wanted = [f"{name}/{measure}" for name in elsewhere] + [name for name in BESIDE if name != measure]
    shown = [name for name in wanted if any(name in row.others for row in found)]
    estimators = list(dict.fromkeys(row.estimator for row in found if row.estimator))
    heading = ["method", *axes, "seeds", f"{measure} ±{_NARROW}95{_NARROW}%"]
    heading += [f"vs {baseline} ±{_NARROW}95{_NARROW}%"] if baseline else []
    has_detectable = any(row.detectable is not None for row in found)
    heading += ["detectable"] if has_detectable else []
    heading += shown
    has_in_batch = any(row.in_batch is not None for row in found)
    if estimators:
        heading.append(f"false negatives %, {' or '.join(estimators)} [95 %]")
    if has_in_batch:
        heading.append("in-batch %")
    approximate = any(row.index_recall is not None for row in found)
    heading += [*(["index recall %"] if approximate else []), "filled %", "seconds", "added"]
    body = []
    for row in found:
        line = [
            row.method + (INTERPRETED if row.form == "interpretation" else ""),
            *[_value(row.axes.get(key)) for key in axes],
        ]
        wrong = [f"{count} {what}" for count, what in ((row.failed, "failed"), (row.collapsed, "collapsed")) if count]
        line.append(str(row.seeds) + (f" ({', '.join(wrong)})" if wrong else ""))
        line.append(_with_interval(row.quality, row.low, row.high, ".4f"))
        if baseline:
            line.append(_with_interval(row.gain, row.gain_low, row.gain_high, "+.4f") + mark(row))
        if has_detectable:
            line.append(_number(row.detectable))
        line += [_number(row.others.get(name)) for name in shown]
        if estimators:
            rate = ""
            if row.rate is not None and row.rate_low is not None and row.rate_high is not None:
                rate = f"{100 * row.rate:.2f} [{100 * row.rate_low:.2f}, {100 * row.rate_high:.2f}]"
                rate += f" {row.estimator}" if len(estimators) > 1 else ""  # collections differ in what they know
            line.append(rate)
        if has_in_batch:
            line.append("" if row.in_batch is None else f"{100 * row.in_batch:.2f}")
        if approximate:
            line.append("" if row.index_recall is None else f"{100 * row.index_recall:.2f}")
        line.append("" if row.filled is None else f"{100 * row.filled:.1f}")
        line += [_number(row.seconds, 1), _number(row.added, 1)]
        body.append(line)
    return heading, body


FIXED = "Equal work: the same rows, steps, encoded documents and recipe for all"
FAITHFUL = "As their authors trained them: work and recipes differ"


def split(found: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the rows as one table, or as two with their titles: equal work and faithful forms; references in both."""
    fixed = [row for row in found if row.form != "faithful"]
    if len(fixed) == len(found):
        return [("", fixed)]
    return [(FIXED, fixed), (FAITHFUL, [row for row in found if row.form in ("faithful", "reference")])]


def mark(row: Row) -> str:
    """Return `` *`` where the method differs from the baseline, `` =`` where it surely does not by the margin."""
    if row.p is not None and row.p < ALPHA:
        return f" {DIFFERS}"
    return f" {SAME}" if row.same else ""


def _with_interval(value: float | None, low: float | None, high: float | None, form: str) -> str:
    if value is None:
        return ""
    return f"{value:{form}}" + ("" if low is None or high is None else f" ± {(high - low) / 2:.4f}")


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _value(value: Any) -> str:
    return "null" if value is None else str(value)


BESIDE = ("R@100", "Judged@10", "nDCG(judged_only=True)@10")
"""Measures that stand beside the first one in the files."""

BRIEF = ("seeds", "detectable", *BESIDE, "index recall %", "added")
"""Columns that the terminal leaves to the files, so that the rest fits 100 letters."""


def terminal(heading: Sequence[str], body: Sequence[Sequence[str]], title: str, legend: Sequence[str] = ()) -> Table:
    """Return the table for rich, without ``BRIEF``; figures stay on one line, long spellings move below the table."""
    short = shortened([line[0] for line in body])
    names = dict(zip(short, [line[0] for line in body], strict=True))
    below = [*legend, *[f"{name} is {whole}" for name, whole in names.items() if name != whole]]
    # Text, since rich would read the brackets of a spelling as markup
    table = Table(
        title=Text(title),
        title_justify="left",
        caption=Text("\n".join(below)) if below else None,
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
    """Return the names, those over ``limit`` letters with ``(...)`` for parameters, numbered where they repeat."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        plain, bracket, _ = name.partition("(")
        short = name if len(name) <= limit or not bracket else f"{plain}(...)"
        again = sum(other.split(" ")[0] == short for other in found.values())
        found[name] = short if short == name or not again else f"{short} {again + 1}"
    return [found[name] for name in names]


def short_methods(names: Sequence[str], limit: int = 20) -> dict[str, str]:
    """Return a short name for each method."""
    methods = list(dict.fromkeys(names))
    return dict(zip(methods, shortened(methods, limit), strict=True))


def markdown(tables: Sequence[Mapping[str, Any]], title: str, notes: Sequence[str]) -> str:
    """Return tables, each with ``title``, ``heading`` and ``body``, as Markdown, under a heading, with notes below."""
    lines = [f"# {title}", ""]
    for one in tables:
        lines += [f"## {one['title']}", ""] if one["title"] else []
        lines += [_pipe(one["heading"]), _pipe(["---", *["---:"] * (len(one["heading"]) - 1)])]
        lines += [*map(_pipe, one["body"]), ""]
    return "\n".join([*lines, *[f"{note}\n" for note in notes]]).rstrip("\n") + "\n"


def _pipe(line: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in line) + " |"


GROUPS = ("others", "costs", "spikes")
"""Fields of a row that hold figures by name."""


def to_csv(found: Sequence[Row], measure: str) -> str:
    """Return every figure of the rows as CSV, unrounded: one column an axis and a measure."""
    axes = list(dict.fromkeys(key for row in found for key in row.axes))
    groups = {key: sorted({name for row in found for name in getattr(row, key)}) for key in GROUPS}
    out = io.StringIO()
    plain = [field.name for field in fields(Row) if field.name not in ("method", "axes", *GROUPS)]
    writer = csv.writer(out, lineterminator="\n")
    renamed = [{"quality": measure, "rate": "false_negative_rate"}.get(name, name) for name in plain]
    writer.writerow(["method", *axes, *renamed, *[name for names in groups.values() for name in names]])
    for row in found:
        at_point = [_value(row.axes[key]) if key in row.axes else "" for key in axes]
        figures = [getattr(row, name) for name in plain]
        rest = [getattr(row, key).get(name) for key, names in groups.items() for name in names]
        writer.writerow([row.method, *at_point, *figures, *rest])
    return out.getvalue()
