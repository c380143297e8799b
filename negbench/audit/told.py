"""What ``negbench audit`` prints: tables and sentences for people, plain data for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from negbench.audit.description import HEAVIEST, WIDTHS
from negbench.audit.estimate import Agreement, Estimate
from negbench.audit.run import LABELS, Found
from negbench.audit.sheet import is_there


def parts(found: Found) -> list[Any]:
    """Return for rich, in order: the description, the estimate, what to do next; each where there is one."""
    shown = [_described(found)] if found.methods else []
    if found.estimate is not None:
        return [*shown, _estimated(found.estimate)]
    if found.sheet is None:
        if is_there(found.folder):
            return [
                *shown,
                f"{found.folder} holds a sheet of other negatives; --labels {LABELS} --out DIR draws from these.",
            ]
        return [*shown, f"Next: --labels {LABELS} writes a sheet for people to fill in, to {found.folder}."]
    if not found.fresh:
        shown.append(f"{found.folder}: fewer than two pairs have a yes or no, too few for an estimate.")
    if found.fresh and found.sheet.judge is not None and (unscored := int(np.isnan(found.sheet.judge).sum())):
        shown.append(f"The judge left {unscored} pairs without a score; they count as if scored at the mean.")
    pairs = int((found.sheet.probability > 0).sum())
    return [*shown, _what_next(found.folder, pairs, len(found.sheet.items) - pairs)]


def everything(found: Found) -> dict[str, Any]:
    """Return all of it as plain data: ``methods``, ``folder`` and ``estimate``, None where there is none."""
    return {
        "methods": found.methods,
        "folder": None if found.sheet is None else str(found.folder),
        "estimate": None if found.estimate is None else _plain(found.estimate),
    }


def _described(found: Found) -> Any:
    from rich.console import Group
    from rich.text import Text

    methods = found.methods
    judged = next((name for name in ("exact", "exact-proxy") if any(name in row for row in methods)), None)
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
        lines.append("Known positives among the negatives are false for certain; nobody is asked about these. As in:")
        lines += [f"  {_cut(query, 60)} → {_cut(document, 90)}" for query, document in found.examples]
    lines += map(_concentration, methods)
    lines += [
        f"{row['method']}: fuller judgments speak of {row['judged']} of {row['pairs']} pairs; {row[judged]['note']}."
        for row in methods
        if judged in row
    ]
    lines.append("The numbers of labels are a guess from ranks; an estimate brings its own interval.")
    return Group(_table(heading, body), *map(Text, lines))


def _concentration(row: dict[str, Any]) -> str:
    heavy = math.ceil(row["queries"] / HEAVIEST)
    share, worth = 100 * row["heaviest_queries"], row["effective_queries"]
    return (
        f"{row['method']}: of {row['queries']} queries the heaviest 1 % ({heavy}) have {share:.1f} % of the negatives; "
        f"weighted so, all are worth {worth:.0f} equal ones (Kish)."
    )


def _estimated(found: Estimate) -> Any:
    from rich.console import Group
    from rich.text import Text

    body = [[name, _percent(_rate(rate)), rate.unit, rate.note] for name, rate in found.rates.items()]
    table = _table(["method", "false negatives % [95 %]", "unit", "from"], body)
    return Group(table, *map(Text, _sentences(found)))


def _sentences(found: Estimate) -> list[str]:
    """Return what the estimate rests on, a sentence each."""
    lines = [f"{found.labels} of the {found.drawn} pairs that were drawn have a yes or no."]
    if found.unanswered:
        lines.append(f"{found.unanswered} are unanswered and left out: items come in a random order.")
    if found.unsure:
        lines.append(f"{found.unsure} are unsure and left out. Were all of them no, or all yes, the rates would be:")
        known = {name: both for name, both in found.unsure_as.items() if not math.isnan(both[0])}
        lines += [f"  {name}: {100 * no:.1f} % or {100 * yes:.1f} %" for name, (no, yes) in known.items()]
    if found.certain:
        lines.append(f"{found.certain} more pairs are known positives of their query, and count as false.")
    if found.merged:
        lines.append(f"{found.merged} strata with fewer than two answers were joined to a neighbour.")
    if found.between:
        rule = "there the majority counts, and a tie as who answered first"
        lines.append(f"Annotators say yes and no of {found.differing} pairs: {rule}.")
    who = "the labeller with itself" if not found.between else "the annotators with themselves"
    again = "Agreement: no pair has been answered twice yet."
    lines.append(again if found.agreement is None else _agreement(who, found.agreement))
    both = [(one or NOBODY, other or NOBODY, agreement) for (one, other), agreement in found.between.items()]
    return [*lines, *(_agreement(f"{one} with {other}", agreement) for one, other, agreement in both)]


NOBODY = "(unnamed)"
"""What an annotator without a name is called."""


def _agreement(who: str, found: Agreement) -> str:
    kappa = "is undefined, as all answers are the same" if math.isnan(found.kappa) else f"{found.kappa:.2f}"
    return f"Agreement of {who}: {100 * found.equal:.0f} % of {found.pairs} pairs, kappa {kappa}."


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
        f"{folder / 'sheet.csv'} asks about {pairs} pairs, {twice} of them twice: write yes, no or unsure into its "
        f"column answer, then `negbench audit {folder}` gives the estimate. "
        f"`negbench audit {folder} --serve` asks in a browser instead."
    )


def _percent(rate: dict[str, Any]) -> str:
    if rate["rate"] is None:
        return "unknown"
    return f"{100 * rate['rate']:.1f} [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]"


def _table(heading: Sequence[str], body: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for at, name in enumerate(heading):
        table.add_column(name, overflow="fold", justify="left" if at == 0 or name in ("unit", "from") else "right")
    for row in body:
        table.add_row(*[Text(cell) for cell in row])
    return table


def _cut(text: str, width: int) -> str:
    one = " ".join(text.split())
    return one if len(one) <= width else f"{one[: width - 1]}…"
