"""Write ``results/claims.md``: what guides say of hard negatives, and the verdicts in ``results/papers`` side by side.

    python experiments/claims/page.py

A claim has a table with a row a statement and a column a collection and start. ``negbench reproduce`` has computed the
verdicts; nothing is computed here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from negbench.escaping import markdown_sentence
from negbench.papers import figure
from negbench.papers.page import number

RESULTS = Path(__file__).parents[2] / "results"
COLUMNS = {
    "helpdesk, weak start": {"claims": "", "claims-training": ""},
    "helpdesk, strong": {"claims-strong": ""},
    "SciFact, weak": {"claims-scifact": "weak-", "claims-scifact-methods": ""},
    "SciFact, strong": {"claims-scifact": "strong-"},
    "NFCorpus, weak": {"claims-nfcorpus": "weak-"},
    "NFCorpus, strong": {"claims-nfcorpus": "strong-"},
}
"""The columns: folders of ``results/papers``, and what the names of their statements and rows begin with."""

VERDICTS = ("held", "not held", "undecided", "not run here")

INTRODUCTION = """\
# What guides say of hard negatives, and what holds here

Claims that guides, surveys and papers repeat, each with the statement that it was turned into before the run, and its
verdict. The claims are by others, mostly on MS MARCO with far larger models; a verdict is on this data and these
encoders.

- **held**, **not held**: the 95 % interval lies where the statement says, or where it says not, after Holm's correction
  over all statements of a folder.
- undecided: neither. With small collections and few seeds most differences are too small to be told from chance.
- The figure is the statement's difference, ratio or share with its 95 % interval before the correction. In an order it
  is Kendall's tau, in whose interval pairs that are not decided may stand either way.

The weak start is MiniLM's first three layers, warmed up; the strong one is all of MiniLM. A column has the seeds that
its heading says. [The page of all papers](papers/README.md) has both sides of each difference, the p values and what
differs from the source. Whether ECI predicts is [there, too](papers/README.md#eci), and what a false negative costs on
[a page of its own](repair/README.md).

Most statements were worded before their first run. The results of all methods on SciFact had been published before they
were asked, and so had, with three seeds, those of helpdesk on which the statements on TAS-Balanced's quality and cost
and on the order of methods rest. The words and bounds are those of the claims. Most statements on helpdesk from the
weak start had been answered with three seeds before two more were run; p values are not corrected for the second look.

Rates are asked where there are fuller judgments, which SciFact lacks. Of the negatives that a language model writes,
less than 1 % are said to be false; nobody has judged such documents here.

This page is written by `experiments/claims/page.py`.
"""


def answers(results: Path) -> dict[str, dict[str, dict[str, Mapping[str, Any]]]]:
    """Return each statement's record by claim, statement and column, in the order of the folders."""
    found: dict[str, dict[str, dict[str, Mapping[str, Any]]]] = {}
    claims: dict[str, str] = {}  # by the statement's name: a collection may be asked for a part of a claim alone
    for column, folders in COLUMNS.items():
        for folder, prefix in folders.items():
            record = json.loads((results / "papers" / folder / "verdicts.json").read_text(encoding="utf-8"))
            for statement in record["statements"]:
                if statement["name"].startswith(prefix):
                    says = statement["says"].replace(prefix, "") if prefix else statement["says"]
                    name = statement["name"].removeprefix(prefix)
                    claim = claims.setdefault(name, statement["reported"]["claim"])
                    of_claim = found.setdefault(claim, {})
                    of_claim.setdefault(says, {})[column] = statement
    return found


def cell(statement: Mapping[str, Any] | None) -> str:
    """Return a verdict with its figures; empty where there is none."""
    if statement is None:
        return ""
    verdict = statement["verdict"]
    told = f"**{verdict}**" if verdict in ("held", "not held") else verdict
    if statement["kind"] == "order" and statement["why"].startswith("tau "):
        return f"{told} {statement['why'].partition(';')[0]}"
    shown = statement["compared"] or statement["values"][:1]
    figures = [f"{number(it['mean'])} [{number(it['low'])}, {number(it['high'])}]" for it in shown]
    return " ".join([told, "; ".join(figures)]).strip()


def table(statements: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Return the lines of a claim's table, with the columns in which something was asked."""
    columns = [column for column in COLUMNS if any(column in it for it in statements.values())]
    lines = [f"| statement | {' | '.join(_heading(column, statements) for column in columns)} |"]
    lines.append("| --- |" + " --- |" * len(columns))
    for says, by_column in statements.items():
        cells = [f"`{says}`", *(cell(by_column.get(column)) for column in columns)]
        lines.append(f"| {' | '.join(markdown_sentence(it).replace('|', chr(92) + '|') for it in cells)} |")
    return lines


def _heading(column: str, statements: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the column's name with the number of seeds that it rests on."""
    of_column = [it[column] for it in statements.values() if column in it]
    seeds = sorted({value["seeds"] for it in of_column for value in it["values"] if value["seeds"]})
    return f"{column}, {' or '.join(map(str, seeds))} seeds" if seeds else column


def _notes(statements: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[tuple[str, str], list[str]]:
    """Return the columns of each note by its statement and text."""
    notes: dict[tuple[str, str], list[str]] = {}
    for says, by_column in statements.items():
        for column, it in by_column.items():
            if it["note"]:
                notes.setdefault((says, it["note"]), []).append(column)
    return notes


def page(results: Path) -> str:
    """Return the page."""
    found = answers(results)
    lines: list[str] = [INTRODUCTION, f"| claim | {' | '.join(VERDICTS)} |", "| --- |" + " ---: |" * len(VERDICTS)]
    for claim, statements in found.items():
        counts = Counter(it["verdict"] for by_column in statements.values() for it in by_column.values())
        lines.append(f"| {markdown_sentence(claim)} | {' | '.join(str(counts[verdict]) for verdict in VERDICTS)} |")
    for claim, statements in found.items():
        lines += ["", f"## {markdown_sentence(claim).rstrip('.')}", "", *table(statements)]
        notes = [
            markdown_sentence(f"- `{says}`, {'; '.join(of)}: {note}") for (says, note), of in _notes(statements).items()
        ]
        lines += ["", *notes] if notes else []
    return "\n".join([*lines, "", *_figures()])


def _figures() -> list[str]:
    """Return the lines that show the figure of each folder."""
    lines = [
        "## Figures",
        "",
        "Each estimate has its 95 % interval; a band is where its statement says that it lies.",
    ]
    for folder in dict.fromkeys(folder for folders in COLUMNS.values() for folder in folders):
        columns = "; ".join(column for column, folders in COLUMNS.items() if folder in folders)
        lines += ["", f"![{columns}: estimates with their intervals](papers/{folder}/{figure.NAME})"]
    return [*lines, ""]


if __name__ == "__main__":
    (RESULTS / "claims.md").write_text(page(RESULTS), encoding="utf-8")
