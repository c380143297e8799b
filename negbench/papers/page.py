"""The page of all verdicts, and the table of one paper, made from ``verdicts.json`` alone."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from negbench.escaping import markdown_sentence
from negbench.papers import figure, forest
from negbench.papers.record import NAME

MARKER = (
    "Claims of papers, each with a verdict that `negbench reproduce` computed from values by query and seed. "
    "This page is"
)
"""A line by which a page of all verdicts is known to be one."""

INTRODUCTION = f"""\
# Papers

{MARKER}
made by that command. [Claims of papers](../../docs/reproducing.md) says how, and what the verdicts mean.

- **reproduced**, **not reproduced**: a value within or outside of its tolerance, where data and model are the same.
- **held**, **not held**: the 95 % interval lies where the claim says, or where it says not, after Holm's correction
  over the paper's statements that are tested.
- **undecided**: neither. The least difference that would have been found with 80 % power is given.
- **not run here**: what it needs is given.

What must hold was written down before the first run. A statement that was changed or added later is marked.

The figures have each estimate with its 95 % interval, before Holm's correction, and a band where the statement says
that it lies.

Minutes are what the trials of a paper's grids took, one after the other, without what several trials share: candidates,
starts and the like. What two papers share is in both, and is run once where they use one store.
"""


def write(out: Path) -> str:
    """Return the page of all papers whose results are in ``out``."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(f"*/{NAME}"))]
    took = [_minutes(out / it["paper"]) for it in records]
    overview = ["| paper | verdicts | minutes |", "|---|---|---:|"]
    for it, minutes in zip(records, took, strict=True):
        title = f"[{_cell(it['title'])}](#{it['paper'].lower()})"
        overview.append(f"| {title} | {summary(it)} | {f'{minutes:.0f}' if minutes else ''} |")
    overview.append(f"| all | | {sum(took):.0f} |")
    sections = [paper(it, heading=f"## {it['paper']}", folder=f"{it['paper']}/") for it in records]
    return "\n".join([INTRODUCTION, *overview, "", *sections])


def summary(record: Mapping[str, Any]) -> str:
    """Return how many statements have which verdict."""
    counts = Counter(it["verdict"] for it in record["statements"])
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items())


def _minutes(folder: Path) -> float:
    """Return what the trials of a paper's grids cost beside each other; 0 where it has no grid."""
    grids = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/results.json"))]
    costs = [trial["cost"] for grid in grids for trial in grid["trials"] if trial["status"] == "done"]
    return float(sum(cost["marginal_seconds"] for cost in costs)) / 60


def paper(record: Mapping[str, Any], heading: str = "", folder: str = "") -> str:
    """Return the section of one paper: its citation, a table with a row a statement, and its figure in ``folder``."""
    heading = heading or f"# {record['paper']}"
    cited = f"{record['authors']}, [{record['title']}]({record['link']}), {record['year']}."
    lines = ["| statement | authors | here [95 %] | verdict | what differs | fair |", "|---|---|---|---|---|---|"]
    for it in record["statements"]:
        cells = (f"{it['name']}: `{it['says']}`", authors(it), here(it), verdict(it), it["differs"], _yes(it["fair"]))
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    notes = [markdown_sentence(f"- Note on {it['name']}: {it['note']}") for it in record["statements"] if it["note"]]
    if record["removed"]:
        notes.append(f"- Taken out since the run: {', '.join(record['removed'])}.")
    shown = [f"![Estimates of {record['paper']} with their intervals]({folder}{figure.NAME})", ""]
    drawn = shown if forest.lines(record) else []
    return "\n".join([heading, "", cited, "", *lines, "", *([*notes, ""] if notes else []), *drawn])


def authors(statement: Mapping[str, Any]) -> str:
    """Return what the authors report, and where."""
    reported = statement["reported"]
    numbers = ", ".join(f"{row} {value}" for row, value in reported["values"].items())
    told = "; ".join(part for part in (reported["claim"], numbers) if part)
    return f"{reported['place']}, {reported['data']}, {reported['metric']}: {told}".removesuffix(": ")


def here(statement: Mapping[str, Any]) -> str:
    """Return the values and differences with their intervals, and over how much they are."""
    shown = [*statement["values"], *statement["compared"]]
    parts = [f"{it['label']} {number(it['mean'])}{_interval(it)}" for it in shown]
    sizes = dict.fromkeys(_size(it) for it in shown)
    return "; ".join(parts) + (f" ({'; '.join(sizes)})" if parts else "")


def verdict(statement: Mapping[str, Any]) -> str:
    """Return the verdict with what it rests on, and whether the statement was changed after the run."""
    told = f"{statement['verdict']}: {statement['why']}"
    if statement["p"] is not None:
        of = f"of {statement['family']}" if statement["family"] != 1 else "alone"
        told += f"; p {_p(statement['p'])} (Holm, {of})"
    return told + (f"; {statement['changed']}" if statement["changed"] else "")


def _interval(figure: Mapping[str, Any]) -> str:
    ends = [figure["low"], figure["high"]]
    if None in ends or any(map(math.isnan, ends)) or ends[0] == ends[1]:  # where nothing varies nothing is known
        return ""
    return f" [{', '.join(map(number, ends))}]"


def _size(figure: Mapping[str, Any]) -> str:
    queries = f"{figure['queries']:,} queries" if figure["queries"] > 1 else "one value a trial"
    seeds = {None: "", 1: "1 seed"}.get(figure["seeds"], f"{figure['seeds']} seeds")
    return " and ".join(part for part in (seeds, queries) if part) if figure["queries"] > 1 or seeds else "one value"


def number(value: float | None) -> str:
    """Return a figure with four digits after the point, or as many as a small one needs; below 1e-9 it is 0."""
    if value is None or math.isnan(value):
        return "unknown"
    return f"{value:.4f}" if abs(value) >= 0.001 or abs(value) < 1e-9 else f"{value:.2g}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _yes(fair: bool) -> str:
    return "yes" if fair else "no"


def _cell(text: str) -> str:
    return markdown_sentence(text).replace("|", "\\|")


def rows(record: Mapping[str, Any]) -> Sequence[tuple[str, ...]]:
    """Return name, statement, values and verdict of each statement, for a terminal."""
    return [(it["name"], it["says"], here(it), verdict(it)) for it in record["statements"]]
