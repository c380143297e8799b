"""The table of a grid, one row per method, averaged over seeds; for the terminal, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

from rich import box
from rich.table import Table
from rich.text import Text

from negbench.escaping import csv_table, for_markdown, markdown_sentence
from negbench.evaluation.ranking import says_nothing
from negbench.report.estimates import cell, further
from negbench.report.rows import Row, Work

ALPHA = 0.05

_NARROW = "\N{NO-BREAK SPACE}"

LEFT_OUT = "rows left out %"
"""Heading of the share of training rows that are left out for want of negatives."""

AUDITED = "false negatives %, audit [95 %]"
"""Heading of the rates that an audit of these negatives found."""

OF_NEGATIVES = ", % of negatives [95 %]"
"""End of the heading of a further estimator's rates, after its name."""

INTERPRETED = f"{_NARROW}\N{DAGGER}"
"""Mark after the name of a method whose paper leaves some details open."""

FILLED = "!"
"""Mark of a share of random fill above a third."""

DIFFERS, SAME = "*", "="
"""Marks of a significant difference, and of equivalence within the margin; both Holm-corrected over the table."""


def cells(found: Sequence[Row], measure: str, baseline: str | None) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the rows as text."""
    axes = list(dict.fromkeys(key for row in found for key in row.axes))
    beside = {name: [row.others[name] for row in found if name in row.others] for name in BESIDE if name != measure}
    shown = [name for name, by_row in beside.items() if by_row and not says_nothing(name, by_row)]
    estimators = list(dict.fromkeys(row.estimator for row in found if row.estimator))
    heading = ["method", *axes, "seeds", f"{measure} ±{_NARROW}95{_NARROW}%"]
    heading += [f"vs {baseline} ±{_NARROW}95{_NARROW}%"] if baseline else []
    has_detectable = any(row.detectable is not None for row in found)
    heading += ["detectable"] if has_detectable else []
    heading += shown
    has_in_batch = any(row.in_batch is not None for row in found)
    if estimators:
        heading.append(f"false negatives %, {' or '.join(estimators)} [95 %]")
    others = further([row.estimates for row in found], estimators)
    heading += [f"{name}{OF_NEGATIVES}" for name in others]
    has_audit = any(row.audited is not None for row in found)
    heading += [AUDITED] if has_audit else []
    has_information = any(INFORMATION in row.others for row in found)
    if has_information:
        heading.append("ECI")
    if has_in_batch:
        heading.append("in-batch %")
    approximate = any(row.index_recall is not None for row in found)
    drops = any(row.left_out is not None for row in found)
    heading += [*(["index recall %"] if approximate else []), "random fill %"]
    heading += [*([LEFT_OUT] if drops else []), "seconds", "marginal seconds"]
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
        line += [cell(row.estimates, name) for name in others]
        if has_audit:
            line.append(audited(row))
        if has_information:
            line.append(_number(row.others.get(INFORMATION)))
        if has_in_batch:
            line.append("" if row.in_batch is None else f"{100 * row.in_batch:.2f}")
        if approximate:
            line.append("" if row.index_recall is None else f"{100 * row.index_recall:.2f}")
        warned = f" {FILLED}" if mostly_random(row.filled) else ""
        line.append("" if row.filled is None else f"{100 * row.filled:.1f}{warned}")
        if drops:
            line.append("" if row.left_out is None or not row.rows else f"{100 * row.left_out / row.rows:.1f}")
        line += [_number(row.seconds, 1), _number(row.added, 1)]
        body.append(line)
    return heading, body


FIXED = "Equal work: all methods have the same training rows, steps, number of encoded documents and recipe"
LESS = "Less training: rows with too few negatives are left out (fill=drop), so there are fewer rows and steps"
FAITHFUL = "With the recipes of their papers: steps, number of encoded documents and recipes differ"
TITLES: dict[Work, str] = {"equal": FIXED, "less": LESS, "its paper's": FAITHFUL}
"""The tables by the work of their methods, in order."""


def split(found: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return one table, or several with titles: methods by how much they train; each has the references."""
    works = {row.work for row in found} - {"none"}
    if works <= {"equal"}:
        return [("", list(found))]
    return [
        (title, [row for row in found if row.work in (work, "none")]) for work, title in TITLES.items() if work in works
    ]


class Tested(Protocol):
    """A difference to the baseline, and what the tests say of it."""

    @property
    def gain(self) -> float | None:
        """The difference; None for none."""

    @property
    def p(self) -> float | None:
        """Corrected p value of no difference; None where it is not tested."""

    @property
    def same(self) -> bool | None:
        """Whether a difference of the grid's margin is ruled out."""


MOSTLY_RANDOM = 1 / 3
"""From more random fill than this share on, a method says little of how it chooses negatives."""


def mostly_random(filled: float | None) -> bool:
    """Return whether more than a third of the negatives are random fill."""
    return filled is not None and filled > MOSTLY_RANDOM


def is_better(row: Tested) -> bool:
    """Return whether the test finds the method better than the baseline."""
    return row.p is not None and row.p < ALPHA and row.gain is not None and row.gain > 0


def audited(row: Row) -> str:
    """Return the rate of an audit in percent with its interval; empty without an audit."""
    if row.audited is None or row.audited_low is None or row.audited_high is None:
        return ""
    return f"{100 * row.audited:.2f} [{100 * row.audited_low:.2f}, {100 * row.audited_high:.2f}]"


def mark(row: Tested) -> str:
    """Return `` *`` for a significant difference to the baseline, `` =`` for equivalence, else an empty text."""
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
"""Measures that the files show in addition to the first one."""

INFORMATION = "negatives/eci"
"""The measure of negatives that the files show beside their false-negative rate."""

BRIEF = ("seeds", "detectable", *BESIDE, "ECI", "index recall %", LEFT_OUT, "marginal seconds")
"""Columns that only the files show, so that the terminal's table fits 100 characters; further estimators', too."""


def terminal(heading: Sequence[str], body: Sequence[Sequence[str]], title: str, legend: Sequence[str] = ()) -> Table:
    """Return the table for rich, without what only files show (``BRIEF``); long spellings are written out below it."""
    short = shortened([line[0] for line in body])
    names = dict(zip(short, [line[0] for line in body], strict=True))
    below = [*legend, *[f"{name} is {full}" for name, full in names.items() if name != full]]
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
    kept = [index for index, name in enumerate(heading) if name not in BRIEF and not name.endswith(OF_NEGATIVES)]
    for index in kept:
        column = [short[row] if index == 0 else line[index] for row, line in enumerate(body)]
        width = max(map(len, [*column, *heading[index].split()]))
        table.add_column(
            Text(heading[index]), justify="left" if index == 0 else "right", min_width=width, max_width=width
        )
    for name, line in zip(short, body, strict=True):
        table.add_row(*[Text(name if index == 0 else line[index]) for index in kept])
    return table


def shortened(names: Sequence[str], limit: int = 14) -> list[str]:
    """Shorten names over ``limit`` characters: parameters become ``(...)``; equal short names get a number."""
    short_names: dict[str, str] = {}
    for name in dict.fromkeys(names):
        plain, bracket, _ = name.partition("(")
        short = name if len(name) <= limit or not bracket else f"{plain}(...)"
        again = sum(other.split(" ")[0] == short for other in short_names.values())
        short_names[name] = short if short == name or not again else f"{short} {again + 1}"
    return [short_names[name] for name in names]


def short_methods(names: Sequence[str], limit: int = 20) -> dict[str, str]:
    """Return a short name for each method."""
    methods = list(dict.fromkeys(names))
    return dict(zip(methods, shortened(methods, limit), strict=True))


def markdown(tables: Sequence[Mapping[str, Any]], title: str, notes: Sequence[str], verdict: Sequence[str] = ()) -> str:
    """Return a page: ``title``, verdict, tables (``title``, ``heading``, ``body``, perhaps ``notes``), then notes."""
    verdict = [f"- {markdown_sentence(line)}" for line in verdict]
    lines = [f"# {markdown_sentence(title)}", "", *verdict, *([""] if verdict else [])]
    for one in tables:
        lines += [f"## {markdown_sentence(one['title'])}", ""] if one["title"] else []
        lines += [_pipe(one["heading"]), _pipe(["---", *["---:"] * (len(one["heading"]) - 1)])]
        lines += [*map(_pipe, one["body"]), "", *(f"{markdown_sentence(note)}\n" for note in one.get("notes", []))]
    return "\n".join([*lines, *[f"{markdown_sentence(note)}\n" for note in notes]]).rstrip("\n") + "\n"


def _pipe(line: Sequence[str]) -> str:
    return "| " + " | ".join(map(for_markdown, line)) + " |"


GROUPS = ("others", "costs", "spikes", "estimates")
"""Fields of a row that hold values by name."""


def to_csv(found: Sequence[Row], measure: str) -> str:
    """Return all values of the rows as CSV, unrounded, with one column per axis and value."""
    return csv_table(values(found, measure))


def values(found: Sequence[Row], measure: str) -> list[list[Any]]:
    """Return the heading of ``to_csv`` and its lines."""
    axes = list(dict.fromkeys(key for row in found for key in row.axes))
    groups = {key: sorted({name for row in found for name in getattr(row, key)}) for key in GROUPS}
    plain = [field.name for field in fields(Row) if field.name not in ("method", "axes", *GROUPS)]
    renamed = [{"quality": measure, "rate": "false_negative_rate"}.get(name, name) for name in plain]
    lines: list[list[Any]] = [["method", *axes, *renamed, *[name for names in groups.values() for name in names]]]
    for row in found:
        at_point = [_value(row.axes[key]) if key in row.axes else "" for key in axes]
        figures = [getattr(row, name) for name in plain]
        rest = [getattr(row, key).get(name) for key, names in groups.items() for name in names]
        lines.append([row.method, *at_point, *figures, *rest])
    return lines
