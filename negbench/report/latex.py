"""The table of a grid for papers: LaTeX with booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from negbench.escaping import for_latex
from negbench.report.estimates import cell, further
from negbench.report.rows import Row
from negbench.report.table import audited, is_better, mark, mostly_random, short_methods


def table(
    rows: Sequence[Row], measure: str, baseline: str | None, caption: str, notes: Sequence[str], label: str = ""
) -> str:
    r"""Return a ``table`` environment; needs ``\usepackage{booktabs}``, and ``inputenc`` utf8 before TeX Live 2018.

    Bold is what the test finds better than the baseline, unless most of its negatives are random fill. Long spellings
    are written out below the table. ``label`` is what the text refers to it by.
    """
    short = short_methods([row.method for row in rows])
    notes = [*notes, *[f"{shown} is {name}" for name, shown in short.items() if name != shown]]
    if baseline and any(is_better(row) and not mostly_random(row.filled) for row in rows):
        caption = f"{caption} Bold: better than {baseline} by the test."
    heading = ["method", for_latex(measure), *([f"vs {for_latex(baseline)}"] if baseline else [])]
    rated = any(row.rate is not None for row in rows)
    estimators = list(dict.fromkeys(row.estimator for row in rows if row.estimator))
    others = further([row.estimates for row in rows], estimators)
    has_audit = any(row.audited is not None for row in rows)
    heading += [rf"false neg.\ (\%, {for_latex(' or '.join(estimators))})"] if rated else []
    heading += [rf"{for_latex(name)} (\% of negatives)" for name in others]
    heading += [*([r"false neg.\ (\%, audit)"] if has_audit else []), "seconds"]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{for_latex(caption)}}}",
        *([rf"  \label{{{label}}}"] if label else []),
        r"  \footnotesize\setlength{\tabcolsep}{4pt}",
        rf"  \begin{{tabular}}{{l{'r' * (len(heading) - 1)}}}",
        r"    \toprule",
        f"    {' & '.join(heading)} \\\\",
        r"    \midrule",
    ]
    was_reference = None
    for row in rows:
        reference = row.form == "reference"
        if was_reference is not None and was_reference != reference:
            lines.append(r"    \midrule")
        was_reference = reference
        point = "".join(f", {value}" for value in row.axes.values())
        cells = [for_latex(short[row.method] + point), _quality(row)]
        if baseline:
            cells.append(_gain(row))
        cells += [_rate(row)] if rated else []
        cells += [cell(row.estimates, name) for name in others]
        cells += [*([audited(row)] if has_audit else []), "" if row.seconds is None else f"{row.seconds:.0f}"]
        lines.append(f"    {' & '.join(cells)} \\\\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    lines += [rf"  \par\smallskip\raggedright {for_latex(note)}" for note in notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _quality(row: Row) -> str:
    if row.quality is None:
        return ""
    value = f"{row.quality:.4f}"
    value = rf"\textbf{{{value}}}" if is_better(row) and not mostly_random(row.filled) else value
    half = "" if row.low is None or row.high is None else rf" $\pm$ {(row.high - row.low) / 2:.4f}"
    return value + half


def _gain(row: Row) -> str:
    if row.gain is None:
        return ""
    half = "" if row.gain_low is None or row.gain_high is None else rf" \pm {(row.gain_high - row.gain_low) / 2:.4f}"
    sign = mark(row).strip()
    return f"${row.gain:+.4f}{half}$" + (rf"$^{{{sign}}}$" if sign else "")


def _rate(row: Row) -> str:
    if row.rate is None or row.rate_low is None or row.rate_high is None:
        return ""
    return f"{100 * row.rate:.2f} [{100 * row.rate_low:.2f}, {100 * row.rate_high:.2f}]"
