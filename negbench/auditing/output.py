"""Output of ``negbench audit``: tables and sentences for people, plain data for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from negbench.auditing.description import HEAVIEST, JUDGED, WIDTHS
from negbench.auditing.estimate import Agreement, Estimate
from negbench.auditing.run import LABELS, AuditResult
from negbench.auditing.sheet import is_there
from negbench.report.percent import percent


def parts(found: AuditResult) -> list[Any]:
    """Return the description of the negatives, the estimate and the next step for rich, as far as they exist."""
    shown = [_described(found)] if found.methods else []
    if found.exported:
        shown.append(_exported(found))
    if found.estimate is not None:
        shown.append(_estimated(found.estimate))
        shown += _by_rank(found)
        if found.grid is not None:
            joined = f"negbench report {found.grid} --audit {found.folder}"
            shown.append(f"Next: `{joined}` adds these rates to the table and the page of the grid.")
        return shown
    if found.sheet is None:
        if is_there(found.folder):
            return [
                *shown,
                f"{found.folder} has a sheet for other negatives; --labels {LABELS} --out DIR draws one from these.",
            ]
        return [
            *shown,
            f"Next: the same command with --label draws {LABELS} pairs to label and writes a sheet to {found.folder}.",
        ]
    if not found.fresh:
        shown.append(f"{found.folder}: an estimate needs at least two pairs with yes or no.")
    if found.fresh and found.sheet.judge is not None and (unscored := int(np.isnan(found.sheet.judge).sum())):
        shown.append(f"The judge gave {unscored} pairs no score; they get the mean score.")
    pairs = int((found.sheet.probability > 0).sum())
    return [*shown, _what_next(found.folder, pairs, len(found.sheet.items) - pairs)]


def everything(found: AuditResult) -> dict[str, Any]:
    """Return the result as plain data: ``methods``, ``folder`` and ``estimate``; None if missing."""
    return {
        "methods": found.methods,
        "folder": None if found.sheet is None else str(found.folder),
        "estimate": None if found.estimate is None else _plain(found.estimate),
    }


def _described(found: AuditResult) -> Any:
    from rich.console import Group
    from rich.text import Text

    methods = found.methods
    judged = next((name for name in JUDGED if any(name in row for row in methods)), None)
    heading = ["method", "negatives", "pairs", "queries", "median rank", "known positives %"]
    heading += [f"false negatives % {judged} [95 %]"] if judged else []
    heading += [f"labels for ±{100 * width:.0f} points" for width in WIDTHS]
    body = []
    for row in methods:
        cells = [row["method"], f"{row['negatives']:g}", str(row["pairs"]), str(row["queries"])]
        cells.append("unknown" if row["ranks"] is None else f"{row['ranks'][1]:g}")
        cells.append(f"{100 * row['known_positive_share']:.2f}")
        if judged:
            cells.append(_percent(row[judged]) if judged in row else "")
        body.append([*cells, *(str(row["labels_needed"][str(width)]) for width in WIDTHS)])
    lines = [f"{row['method']}: {sentence}" for row in methods for sentence in row["warnings"]]
    if found.examples:
        lines.append("Known positives among the negatives are certainly false and need no label, for example:")
        lines += [f"  {_cut(query, 60)} → {_cut(document, 90)}" for query, document in found.examples]
    lines += map(_concentration, methods)
    lines += [
        f"{row['method']}: {row['judged']} of {row['pairs']} pairs have fuller judgments; {row[judged]['note']}."
        for row in methods
        if judged in row
    ]
    lines.append("The numbers of labels are predicted from the ranks; the estimate gives the actual interval.")
    return Group(_table(heading, body), *map(Text, lines))


def _concentration(row: dict[str, Any]) -> str:
    heavy = math.ceil(row["queries"] / HEAVIEST)
    share, worth = 100 * row["heaviest_queries"], row["effective_queries"]
    return (
        f"{row['method']}: the 1 % of queries with most negatives ({heavy} of {row['queries']}) have {share:.1f} % of "
        f"all negatives; the effective number of queries is {worth:.0f} (Kish)."
    )


def _estimated(found: Estimate) -> Any:
    from rich.console import Group
    from rich.text import Text

    body = [[name, _percent(_rate(rate)), rate.unit, rate.note] for name, rate in found.rates.items()]
    table = _table(["method", "false negatives % [95 %]", "unit", "based on"], body)
    return Group(table, *map(Text, _sentences(found)))


def _by_rank(found: AuditResult) -> list[Any]:
    """Return the table of rates by rank and where its figure is; nothing where no ranks are known."""
    assert found.estimate is not None
    rows = found.estimate.by_rank
    if not rows:
        return []
    heading = ["method", "rank", "of its negatives %", "labels", "relevant at that rank % [95 %]"]
    body = [
        [one.method, one.ranks, f"{100 * one.share:.1f}", str(one.labels), _percent(_rate(one.rate))] for one in rows
    ]
    drawn = [f"Figure of the rates by rank: {found.figure[0]}"] if found.figure else []
    return [_table(heading, body), *drawn]


def _exported(found: AuditResult) -> str:
    names = " and ".join(str(path) for path in found.exported)
    return (
        f"Wrote {names}. Label there, export the answers as JSON, then run `negbench audit {found.folder} --answers "
        "FILE`."
    )


def _sentences(found: Estimate) -> list[str]:
    """Return sentences on the labels behind the estimate."""
    lines = [f"{found.labels} of the {found.drawn} drawn pairs are answered with yes or no."]
    if found.unanswered:
        lines.append(f"{found.unanswered} are unanswered and left out; the order of the items is random.")
    if found.unsure:
        lines.append(f"{found.unsure} are unsure and left out. If all of them were no, or all yes, the rates would be:")
        known = {name: both for name, both in found.unsure_as.items() if not math.isnan(both[0])}
        lines += [f"  {name}: {100 * no:.1f} % or {100 * yes:.1f} %" for name, (no, yes) in known.items()]
    if found.certain:
        lines.append(f"{found.certain} more pairs are known positives of their query and count as false negatives.")
    if found.merged:
        lines.append(f"{found.merged} strata with fewer than two answers were merged with a neighbouring stratum.")
    if found.between:
        rule = "the majority counts, and in a tie the first answer"
        lines.append(f"Annotators disagree on {found.differing} pairs: {rule}.")
    who = "repeated answers of one annotator"
    again = "Agreement: no pair is answered twice yet."
    lines.append(again if found.agreement is None else _agreement(who, found.agreement))
    both = [(one or NOBODY, other or NOBODY, agreement) for (one, other), agreement in found.between.items()]
    return [*lines, *(_agreement(f"{one} and {other}", agreement) for one, other, agreement in both)]


NOBODY = "(unnamed)"
"""Name shown for annotators without one."""


def _agreement(who: str, found: Agreement) -> str:
    kappa = "undefined, since all answers are equal" if math.isnan(found.kappa) else f"{found.kappa:.2f}"
    return f"Agreement of {who}: {100 * found.equal:.0f} % of {found.pairs} pairs, Cohen's kappa {kappa}."


def _plain(found: Estimate) -> dict[str, Any]:
    return {
        "methods": [
            {
                "method": name,
                **_rate(rate),
                "unit": rate.unit,
                "note": rate.note,
                "if_unsure_were_no": _number(found.unsure_as[name][0]),
                "if_unsure_were_yes": _number(found.unsure_as[name][1]),
            }
            for name, rate in found.rates.items()
        ],
        **{name: getattr(found, name) for name in _COUNTS},
        "by_rank": [
            {
                "method": one.method,
                "ranks": one.ranks,
                "share": one.share,
                "labels": one.labels,
                **_rate(one.rate),
                "note": one.rate.note,
            }
            for one in found.by_rank
        ],
        "agreement": None if found.agreement is None else _numbers(found.agreement),
        "annotators": [
            {"first": one, "second": other, **_numbers(agreement)} for (one, other), agreement in found.between.items()
        ],
    }


_COUNTS = ("drawn", "labels", "unsure", "unanswered", "certain", "merged", "differing")


def _numbers(found: Agreement) -> dict[str, float | None]:
    return {"pairs": found.pairs, "equal": found.equal, "kappa": _number(found.kappa)}


def _rate(rate: Any) -> dict[str, float | None]:
    return {key: _number(getattr(rate, key)) for key in ("rate", "low", "high")}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value  # JSON knows no NaN


def _what_next(folder: Path, pairs: int, twice: int) -> str:
    return (
        f"{folder / 'sheet.csv'} asks about {pairs} pairs, {twice} of them twice. Write yes, no or unsure into its "
        f"column answer, then run `negbench audit {folder}` for the estimate. To label in a browser instead, run "
        f"`negbench audit {folder} --serve`."
    )


def _percent(rate: dict[str, Any]) -> str:
    if rate["rate"] is None:
        return "unknown"
    return " ".join(percent(rate["rate"], rate["low"], rate["high"]))


def _table(heading: Sequence[str], body: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column, name in enumerate(heading):
        table.add_column(
            name, overflow="fold", justify="left" if column == 0 or name in ("unit", "based on") else "right"
        )
    for row in body:
        table.add_row(*[Text(cell) for cell in row])
    return table


def _cut(text: str, width: int) -> str:
    one = " ".join(text.split())
    return one if len(one) <= width else f"{one[: width - 1]}…"
