"""The matrix of collections side by side as text: Markdown, terminal, CSV, LaTeX, and the notes that explain it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from negbench.escaping import csv_table, for_latex
from negbench.report.side_by_side import Cell, Column, Matrix
from negbench.report.table import DIFFERS, SAME, is_better, mark, mostly_random, short_methods

FILE = "side_by_side.csv"
"""File with every cell."""

_ARROW = r"$\to$"
"""What stands in LaTeX for the > of a column out of domain."""

_HALF = "±\N{NO-BREAK SPACE}95\N{NO-BREAK SPACE}%"


def data(matrices: Sequence[Matrix], settings: Mapping[str, Any], folders: bool) -> dict[str, Any]:
    """Return what results.json holds: the matrices, their tables for files and (``brief``) the terminal, the notes.

    ``folders``: whether each collection has a folder of its own.
    """
    measure, baseline = settings["measure"], settings["baseline"]
    said = notes(matrices, settings) if matrices else []
    tables, short = [], []
    for matrix in matrices:
        title = f"Side by side: {matrix.title}" if matrix.title else "Side by side"
        tables.append({"title": title, "heading": heading(matrix, measure, baseline), "body": body(matrix, baseline)})
        names, lines = brief(matrix, measure, baseline)
        short.append({"title": matrix.title, "heading": names, "body": lines})
    if tables:
        tables[-1]["notes"] = [f"{note}." for note in said]
    plain = [asdict(matrix) for matrix in matrices]
    return {"matrices": plain, "tables": tables, "brief": short, "notes": said, "folders": folders}


def heading(matrix: Matrix, measure: str, baseline: str | None) -> list[str]:
    """Return the names of the columns of ``body``."""
    names = ["method", *_axes(matrix)]
    for column in matrix.columns:
        where = _named(column)
        names.append(f"{where} {measure} {_HALF}")
        names += [f"{where} vs {baseline} {_HALF}"] if baseline else []
        names += ["mean rank"] if column.kind == "mean" else []
    return names


def body(matrix: Matrix, baseline: str | None) -> list[list[str]]:
    """Return a line of cells for each method: in every column the measure, then the difference to the baseline."""
    lines = []
    for line in matrix.lines:
        cells = [line.method, *_point(matrix, line.axes)]
        for column, cell in zip(matrix.columns, line.cells, strict=True):
            cells.append(_interval(cell.quality, cell.low, cell.high, ".4f"))
            cells += [_interval(cell.gain, cell.gain_low, cell.gain_high, "+.4f") + mark(cell)] if baseline else []
            cells += ["" if line.rank is None else f"{line.rank:.2f}"] if column.kind == "mean" else []
        lines.append(cells)
    return lines


def brief(matrix: Matrix, measure: str, baseline: str | None) -> tuple[list[str], list[list[str]]]:
    """Return heading and lines that fit a terminal: the measure with its mark, the mean's difference, the rank."""
    names, lines = ["method", *_axes(matrix)], []
    for column in matrix.columns:
        if column.kind == "mean":
            names += [f"mean {measure}", *([f"mean vs {baseline} {_HALF}"] if baseline else []), "mean rank"]
        else:
            names.append(_named(column))
    for line in matrix.lines:
        cells = [line.method, *_point(matrix, line.axes)]
        for column, cell in zip(matrix.columns, line.cells, strict=True):
            if column.kind == "mean":
                gain = _interval(cell.gain, cell.gain_low, cell.gain_high, "+.4f") + mark(cell)
                rank = "" if line.rank is None else f"{line.rank:.2f}"
                cells += [_number(cell.quality), *([gain] if baseline else []), rank]
            else:
                cells.append(_number(cell.quality) + mark(cell))
        lines.append(cells)
    return names, lines


def to_csv(matrices: Sequence[Matrix]) -> str:
    """Return every cell unrounded as CSV, one line a method and column."""
    return csv_table(cells(matrices))


def cells(matrices: Sequence[Matrix]) -> list[list[Any]]:
    """Return the heading of ``to_csv`` and its lines."""
    axes = list(dict.fromkeys(key for matrix in matrices for key in _axes(matrix)))
    figures = [field.name for field in fields(Cell)]
    lines: list[list[Any]] = [["method", *axes, "column", "trained_on", "measured_on", *figures, "mean_rank"]]
    for matrix in matrices:
        for line in matrix.lines:
            at_point = [line.axes.get(key, "") for key in axes]
            for column, cell in zip(matrix.columns, line.cells, strict=True):
                where = [column.kind, column.trained or "", column.measured]
                rank = line.rank if column.kind == "mean" else None
                lines.append([line.method, *at_point, *where, *[getattr(cell, name) for name in figures], rank])
    return lines


def notes(matrices: Sequence[Matrix], settings: Mapping[str, Any]) -> list[str]:
    """Return what the columns mean and how the differences are tested, a sentence or two each."""
    measure, baseline, within, seeds = (settings[key] for key in ("measure", "baseline", "equivalent_within", "seeds"))
    shown = matrices[0].columns
    kinds = {column.kind for column in shown}
    count = sum(column.kind == "trained on" for column in shown)
    over = "queries and seeds" if seeds > 1 else "queries; one seed, so not over seeds"
    lines = [f"{measure} of encoders trained on each collection. {_HALF}: half of the 95 % interval over {over}"]
    families = {
        kind: sorted({it for matrix in matrices for it in _families(matrix, kind)})
        for kind in _FAMILIES
        if kind in kinds
    }
    tested = {kind: " and ".join(map(str, numbers)) for kind, numbers in families.items() if numbers}
    if tested:
        parts = [f"{number} {_FAMILIES[kind]}" for kind, number in tested.items()]
        lines.append(
            f"Marks: {DIFFERS} different from {baseline}, {SAME} equivalent to it within {within:g}, paired by query "
            f"and seed (5 % level, Holm-corrected for {', '.join(parts)}; each a family of its own). An interval that "
            "leaves out 0 without a mark is undecided after correction"
        )
    if "mean" in kinds:
        lines.append(
            f"mean: over the {count} collections, each the same weight. The variance of its difference adds the "
            f"queries' variances of the collections, each by {count} squared, and the variance between seeds of the "
            f"mean. It is about these {count} collections and says nothing of others. mean rank: among the methods of "
            "the table, 1 is best; a description, not tested"
        )
    if "out of domain" in kinds:
        lines.append(
            "out of domain: trained on the collection before >, tested on the one after it, of whose training queries "
            "none is used"
        )
    return lines


_FAMILIES = {
    "trained on": "differences on the collections trained on",
    "mean": "of the mean",
    "out of domain": "out of domain",
}


def _families(matrix: Matrix, kind: str) -> list[int]:
    at = [place for place, column in enumerate(matrix.columns) if column.kind == kind]
    return [line.cells[place].family for line in matrix.lines for place in at if line.cells[place].family]


def tex(matrix: Matrix, settings: Mapping[str, Any], label: str) -> str:
    r"""Return a ``table`` environment with a column a collection; needs ``\usepackage{booktabs}``.

    Bold is better than the baseline by the test of its column; a method with mostly random negatives never is.
    """
    measure, baseline = settings["measure"], settings["baseline"]
    short = short_methods([line.method for line in matrix.lines])
    groups: list[tuple[str, int]] = []
    names = []
    for column in matrix.columns:
        named = [for_latex(name) for name in ([measure, "rank"] if column.kind == "mean" else [column.name])]
        names += [name.replace(for_latex(">"), _ARROW) for name in named]
        if groups and groups[-1][0] == column.kind:
            groups[-1] = (column.kind, groups[-1][1] + len(named))
        else:
            groups.append((column.kind, len(named)))
    titles = {"trained on": f"{for_latex(measure)}, trained and tested on", "mean": "mean"}
    spans, rules, first = [], [], 2
    for kind, width in groups:
        spans.append(rf"\multicolumn{{{width}}}{{c}}{{{titles.get(kind, kind)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    caption = f"{settings['title']}. {'. '.join(settings['side_by_side'])}. {matrix.title}".strip()
    caption += f" Bold: better than {baseline} by that test." if baseline else ""
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{for_latex(caption).replace(for_latex('>'), _ARROW)}}}",
        rf"  \label{{{label}}}",
        r"  \footnotesize\setlength{\tabcolsep}{4pt}",
        rf"  \begin{{tabular}}{{l{'r' * len(names)}}}",
        r"    \toprule",
        f"    & {' & '.join(spans)} \\\\",
        f"    {' '.join(rules)}",
        f"    method & {' & '.join(names)} \\\\",
        r"    \midrule",
    ]
    was_reference = None
    for line in matrix.lines:
        reference = line.form == "reference"
        lines += [r"    \midrule"] if was_reference is not None and was_reference != reference else []
        was_reference = reference
        point = "".join(f", {value}" for value in line.axes.values())
        cells = [for_latex(short[line.method] + point)]
        for column, cell in zip(matrix.columns, line.cells, strict=True):
            cells.append(_tex(cell, line.filled))
            cells += ["" if line.rank is None else f"{line.rank:.2f}"] if column.kind == "mean" else []
        lines.append(f"    {' & '.join(cells)} \\\\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    lines += [
        rf"  \par\smallskip\raggedright {for_latex(f'{shown} is {name}')}"
        for name, shown in short.items()
        if name != shown
    ]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _tex(cell: Cell, filled: float | None) -> str:
    if cell.quality is None:
        return ""
    value = f"{cell.quality:.4f}"
    value = rf"\textbf{{{value}}}" if is_better(cell) and not mostly_random(filled) else value
    half = "" if cell.low is None or cell.high is None else rf" {{\scriptsize$\pm$ {(cell.high - cell.low) / 2:.4f}}}"
    sign = mark(cell).strip()
    return value + half + (rf"$^{{{sign}}}$" if sign else "")


def _axes(matrix: Matrix) -> list[str]:
    return list(dict.fromkeys(key for line in matrix.lines for key in line.axes))


def _point(matrix: Matrix, axes: Mapping[str, Any]) -> list[str]:
    return ["null" if axes.get(key) is None else str(axes[key]) for key in _axes(matrix)]


def _named(column: Column) -> str:
    return f"{column.name} (out of domain)" if column.kind == "out of domain" else column.name


def _interval(value: float | None, low: float | None, high: float | None, form: str) -> str:
    if value is None:
        return ""
    return f"{value:{form}}" + ("" if low is None or high is None else f" ± {(high - low) / 2:.4f}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
