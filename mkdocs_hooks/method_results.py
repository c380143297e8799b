"""What tracked results say of a method: rows of the tables of ``results/``, and verdicts on claims of papers.

Nothing is measured or chosen here: every table of a grid counts, as it stands, and a method without one has no section.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cells import cell, code, table
from ruamel.yaml import YAML

from negbench.papers.statements import parse

ROOT = Path(__file__).parents[1]
MEASURE = "nDCG@10"
OLDER = re.compile(r"\*\*An older run\*\*, made at commit `(\w+)`")
SIGNIFICANT = 0.05
MANY_FILLS = 1 / 3
"""Share of random fill above which a table marks a row: it says little of how its method chooses."""

Row = Mapping[str, str]
HEADING = ["run", "collection", "as it was run", f"{MEASURE} [95 %]", "against", "false negatives %", "seeds"]


@dataclass(frozen=True)
class Run:
    """A table of a grid. ``page`` is what describes it, ``older`` the commit of a run that its page calls older."""

    folder: Path
    page: Path | None
    older: str
    collection: str
    baseline: str

    @property
    def name(self) -> str:
        """Its folder, seen from ``results``."""
        return self.folder.relative_to(ROOT / "results").as_posix().removesuffix("/grid")


def section(method: str) -> list[str]:
    """Return the lines of a method's section; none where there is neither a row nor a verdict."""
    found = rows().get(method, [])
    said = claims().get(method, [])
    if not found and not said:
        return []
    lines = ["", "## What it showed here", ""]
    if found:
        lines.append(
            "Rows of this repository's tables, as they stand there. Students, recipes and sizes differ from run to "
            "run; the linked pages have them."
        )
        lines += [*table(HEADING, _lines(found)), *_notes(found)]
    if said:
        lines += ["", "Claims of papers in which it stands:", "", *(f"- {it}" for it in said)]
    return lines


@cache
def rows() -> dict[str, list[tuple[Run, Row]]]:
    """Return the rows of each method by its name: newer runs first, then those of more seeds."""
    by_method: dict[str, list[tuple[Run, Row]]] = {}
    for path in sorted((ROOT / "results").rglob("table.csv")):
        run = _run(path.parent)
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                as_mined = row.get("repair", "null") == "null"
                if as_mined and row["form"] != "reference" and row.get(MEASURE):
                    by_method.setdefault(row["method"].partition("(")[0], []).append((run, row))
    for found in by_method.values():
        found.sort(key=lambda it: (it[0].older != "", -int(it[1]["seeds"]), it[0].name))
    return by_method


@cache
def claims() -> dict[str, list[str]]:
    """Return a line for each claim with a verdict, by the methods whose rows it compares."""
    by_method: dict[str, list[str]] = {}
    for path in sorted((ROOT / "results/papers").glob("*/verdicts.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        expect = ROOT / "experiments/papers" / record["paper"] / "expect.yaml"
        named = YAML(typ="safe", pure=True).load(expect.read_text(encoding="utf-8")).get("rows", {})
        for statement in record["statements"]:
            if statement["verdict"] == "not run here":
                continue
            spelled = {value.row: _spelling(value.row, named) for value in parse(statement["says"]).values}
            for method in dict.fromkeys(it.partition("(")[0] for it in spelled.values()):
                by_method.setdefault(method, []).append(_claim(record, statement, spelled))
    return by_method


def _spelling(row: str, named: Mapping[str, Any]) -> str:
    spelled = named.get(row, row)
    return str(spelled["method"] if isinstance(spelled, Mapping) else spelled)


def _claim(record: Mapping[str, Any], statement: Mapping[str, Any], spelled: Mapping[str, str]) -> str:
    """Return a claim with its verdict; rows that ``expect.yaml`` gives a short name are spelled out."""
    names = [f"{code(row)} is {code(spelling)}" for row, spelling in spelled.items() if row != spelling]
    where = f", where {', '.join(names)}" if names else ""
    seeds = max((it["seeds"] or 0 for it in statement["values"]), default=0)
    size = f", {_count(seeds)}" if seeds else ""
    fair = "" if statement["fair"] else "; with what differs here the claim need not hold"
    place = f"[{record['paper']}](../../results/papers/README.md#{record['paper']})"
    verdict = f"**{statement['verdict']}**, {cell(statement['why'])}"
    return f"{code(statement['says'])}{where}: {verdict} ({place}{size}{fair})"


def _run(folder: Path) -> Run:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    settings = json.loads((folder / "results.json").read_text(encoding="utf-8"))["settings"]
    page = _page(folder)
    older = OLDER.search(page.read_text(encoding="utf-8")) if page else None
    return Run(
        folder=folder,
        page=page,
        older=older[1] if older else "",
        collection=re.sub(r" \d+$", "", next(iter(manifest["digests"]["collections"]))),
        baseline=settings["baseline"] or "",
    )


def _page(folder: Path) -> Path | None:
    """Return the page about a folder of results: in it or above it, else that of the experiment of its name."""
    above = [it for it in (folder, *folder.parents) if it.is_relative_to(ROOT / "results") and it != ROOT / "results"]
    places = [*(it / "README.md" for it in above), ROOT / "experiments" / folder.name / "README.md"]
    return next((it for it in places if it.is_file()), None)


def _lines(found: list[tuple[Run, Row]]) -> list[list[str]]:
    """Return a line for each row; runs that hold the same one, of the same stored trials, share a line."""
    runs: dict[tuple[str, ...], list[str]] = {}
    for run, row in found:
        runs.setdefault(_said(run, row), []).append(f"[{run.name}]({_link(run)})" + (", older" if run.older else ""))
    return [["; ".join(names), *said] for said, names in runs.items()]


def _said(run: Run, row: Row) -> tuple[str, ...]:
    keys = list(row)
    point = ", ".join(f"{key}={row[key]}" for key in keys[1 : keys.index("form")] if key != "repair")
    against = f"{run.baseline}: {_interval(row, 'gain', '+.4f')}{_mark(row)}" if row["gain"] else ""
    rate = ""
    if row["false_negative_rate"]:
        rate = f"{_interval(row, 'false_negative_rate', '.1f', 100)} {row['estimator']}"
    if row["filled"] and float(row["filled"]) > MANY_FILLS:
        rate += f"; {100 * float(row['filled']):.0f} % random fill"
    return (
        code(run.collection) + (f", {cell(point)}" if point else ""),
        code(row["method"]),
        _interval(row, MEASURE, ".4f"),
        cell(against),
        cell(rate.removeprefix("; ")),
        row["seeds"],
    )


def _mark(row: Row) -> str:
    """Return the mark of a table; none for one seed, which older tables tested over queries alone."""
    if row["seeds"] == "1":
        return ""
    if row["p"] and float(row["p"]) < SIGNIFICANT:
        return " *"
    return " =" if row["same"] == "True" else ""


ENDS = {MEASURE: ("low", "high"), "gain": ("gain_low", "gain_high"), "false_negative_rate": ("rate_low", "rate_high")}


def _interval(row: Row, name: str, form: str, times: float = 1.0) -> str:
    """Return a value of a row with its interval, where it has one."""
    ends = [row[it] for it in ENDS[name]]
    value = format(times * float(row[name]), form)
    return f"{value} [{', '.join(format(times * float(it), form) for it in ends)}]" if all(ends) else value


def _notes(found: list[tuple[Run, Row]]) -> list[str]:
    """Return what has to be known to read the rows."""
    lines = ["- Intervals are at 95 %, over queries and seeds; with one seed over queries alone."]
    if any(row["seeds"] == "1" for _, row in found):
        lines.append("- One seed decides nothing: such a row has no mark, and another seed may turn its sign.")
    if any(row["gain"] and row["seeds"] != "1" for _, row in found):
        said = "`*` differs after correction for its table, `=` is equivalent, no mark is undecided"
        lines.append(f"- {said} ([marks](../evaluation.md#marks)).")
    older = [f"{run.name} at commit `{run.older}`" for run in dict.fromkeys(run for run, _ in found) if run.older]
    if older:
        why = "marks are by the tests of that time, and their pages say what has changed since"
        lines.append(f"- Older runs ({why}): {', '.join(older)}.")
    return lines


def _link(run: Run) -> str:
    page = run.page or run.folder / "table.md"
    anchor = f"#{run.name.partition('/')[2]}" if run.name.startswith("papers/") else ""
    return f"../../{page.relative_to(ROOT).as_posix()}{anchor}"


def _count(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"{seeds} seeds"
