"""One self-contained HTML page of a grid's results: findings, table, figures, examples, how to reproduce them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from negbench import user_files
from negbench.errors import InputError
from negbench.escaping import for_csv
from negbench.report import figures, latex, side_by_side_text, stored
from negbench.report.details import Detail
from negbench.report.inspect import Example
from negbench.report.percent import percent
from negbench.report.results import write_text
from negbench.report.rows import Row
from negbench.report.side_by_side import Matrix
from negbench.report.table import ALPHA, audited, mostly_random, short_methods, shortened, split

FOLDED = 6
"""Most comparisons that the page shows unfolded."""

MAIN = "quality"
"""The figure beside the table, which has a form for phones."""

LONGEST_NOTE = 500
"""Most characters of a note that stands in one paragraph."""

KEY_COLUMNS = ("vs ", "false negatives")
"""Beginnings of the headings that are always shown, beside the method, the axes and the measure with its interval."""

CAPTIONS = {
    "side_by_side": "Difference to the baseline on each collection, their mean and out of domain, with 95 % intervals "
    "over queries and seeds. A filled dot: the test finds a difference after correction for all of its kind.",
    "quality": "Ranking quality against the false-negative rate, where a rate is known. Means with 95 % intervals over "
    "queries and seeds; small dots are single seeds, long lines are the references.",
    "quality alone": "Ranking quality; no false-negative rate is known. Means with 95 % intervals over queries and "
    "seeds; small dots are single seeds, long lines are the references.",
    "costs": "Cost of each method by kind of stage when nothing is shared. The diamond is the marginal cost: the "
    "stages that no other trial of this grid uses.",
    "ranks": "Ranks of the mined negatives in the candidate pool, in percent of a method's negatives. Candidates in "
    "random order have no rank.",
    "where": "False-negative rate by rank: the share of relevant documents among the negatives that a method drew at "
    "each rank, with 95 % intervals over queries, seeds pooled. Bins with less than 2 % of a method's negatives are "
    "left out; wide intervals are cut off at the top of the figure.",
    "curves": "Learning curves: means over seeds; thin lines are single seeds.",
}


def write(folder: Path, texts: Sequence[Example], emptied: bool = False) -> list[Path]:
    """Write ``report.html``, ``table.tex`` and ``figures/*.svg`` and ``*.png`` from the results in ``folder``.

    The page shows ``texts``; it contains no other text of the collection. It says that the store was ``emptied`` where
    there are none for that reason. Raises InputError without results.
    """
    data = stored.read(folder, for_page=True)
    rows = [Row(**row) for row in data["rows"]]
    settings = data["settings"]
    details = [Detail.of(detail) for detail in data.get("details", [])]  # older results have none
    beside = data.get("side_by_side", {"matrices": [], "tables": [], "notes": [], "folders": False})  # nor these
    matrices = [Matrix.of(one) for one in beside["matrices"]]
    drawn = figures.draw(
        rows,
        data["trials"],
        _curves(folder / "curves.csv", data["trials"]),
        settings["measure"],
        details,
        matrices,
        settings["baseline"],
    )
    pictures = {name: figures.svg_of_page(figure) for name, figure in drawn.items()}
    narrow = figures.draw_for_phone(rows, data["trials"], settings["measure"])
    if narrow is not None:
        phone = figures.svg_of_page(narrow, "phone")
        pictures[MAIN] = f'<div class="broad">{pictures[MAIN]}</div><div class="narrow">{phone}</div>'
    (folder / "figures").mkdir(exist_ok=True)
    written = []
    for name, figure in drawn.items():
        path = folder / "figures" / f"{name}.svg"
        write_text(path, figures.svg(figure))
        figure.savefig(path.with_suffix(".png"), dpi=150, bbox_inches="tight", metadata={"Software": None})
        written += [path, path.with_suffix(".png")]
    caption = f"{settings['title']}. {settings['legend'][0]}."
    tex = [
        latex.table(
            some,
            settings["measure"],
            settings["baseline"],
            f"{caption} {title}".strip(),
            settings["legend"][1:],
            _label(data["name"], number),
        )
        for number, (title, some) in enumerate(split(rows), start=1)
    ]
    write_text(folder / "table.tex", "\n".join(tex))
    if matrices:
        said = {**settings, "side_by_side": beside["notes"]}
        tex = [
            side_by_side_text.tex(one, said, _label(f"{data['name']}-side-by-side", number))
            for number, one in enumerate(matrices, start=1)
        ]
        write_text(folder / "side_by_side.tex", "\n".join(tex))
        written.append(folder / "side_by_side.tex")
    write_text(folder / "report.html", html({**data, "side_by_side": beside}, rows, pictures, texts, emptied))
    return [*written, folder / "table.tex", folder / "report.html"]


def _label(name: str, number: int) -> str:
    """Return the LaTeX label of the table with this number among those of its kind."""
    return f"tab:{name}" + (f"-{number}" if number > 1 else "")


def html(
    data: dict[str, Any],
    rows: Sequence[Row],
    pictures: dict[str, str],
    texts: Sequence[Example],
    emptied: bool = False,
) -> str:
    """Return the page; text from the collection and the grid file is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["kept_together"] = kept_together
    template = environment.from_string(files("negbench.report").joinpath("page.html.j2").read_text(encoding="utf-8"))
    decided, undecided = findings(rows, data["settings"])
    axes = {key for row in rows for key in row.axes}
    alone = "" if any(row.rate is not None for row in rows) else " alone"
    keys = (data["settings"]["measure"] + " ±", *KEY_COLUMNS)
    return template.render(
        settings=data["settings"],
        notes=data["notes"],
        verdict=data.get("verdict", []),
        decided=decided,
        undecided=undecided,
        folded=len(decided) + len(undecided) > FOLDED,
        one_panel=len({str(row.axes) for row in rows}) == 1,
        is_key=lambda name: name.startswith(keys) or name in axes,
        tables=data["tables"],
        beside=data["side_by_side"],
        short=short_names([*data["side_by_side"]["tables"], *data["tables"]]),
        further=data.get("further", []),
        called=short_methods([row.method for row in rows]) | _short_filters(data.get("details", [])),
        paragraphs=paragraphs,
        # matplotlib escapes the text in its figures
        pictures=[
            (name, CAPTIONS.get(name + alone, CAPTIONS[name]), Markup(picture))  # noqa: S704
            for name, picture in pictures.items()
        ],
        texts=texts,
        emptied=emptied,
        manifest=data["manifest"],
    )


def paragraphs(note: str) -> list[str]:
    """Return a note of more than ``LONGEST_NOTE`` characters sentence by sentence, and any other as it is."""
    return [note] if len(note) <= LONGEST_NOTE else re.split(r"(?<=[\w)%]\.) ", note)


def kept_together(cell: str) -> str:
    """Return a cell that breaks at most before its interval: not after a ``±``, inside of brackets, before a mark."""
    return re.sub(r"(?<=±) | (?=[*=!])|(?<=,) ", "\N{NO-BREAK SPACE}", cell)


def short_names(tables: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return a short name for each method; the page gives the full spelling once, below the tables."""
    names = list(dict.fromkeys(line[0] for table in tables for line in table["body"]))
    return dict(zip(names, shortened(names, 20), strict=True))


def _short_filters(details: Sequence[dict[str, Any]]) -> dict[str, str]:
    names = list(dict.fromkeys(one["name"] for one in details if one["group"] == "precision"))
    return dict(zip(names, shortened(names, 34), strict=True))


def findings(rows: Sequence[Row], settings: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return one sentence per tested method: those that the tests decide, and those that remain undecided."""
    decided: list[str] = []
    undecided: list[str] = []
    short = short_methods([row.method for row in rows])
    for row in rows:
        if row.form == "reference" or row.gain is None:
            continue
        size = f"{row.gain:+.4f}"
        if row.gain_low is not None and row.gain_high is not None:
            size += f" [{row.gain_low:+.4f}, {row.gain_high:+.4f}]"
        sentences = decided
        if row.p is None:
            sentences, verdict = undecided, f"is not tested against {settings['baseline']}: one seed only"
        elif row.p < ALPHA:
            verdict = f"is {'better' if row.gain > 0 else 'worse'} than {settings['baseline']}"
        elif row.same:
            verdict = f"is equivalent to {settings['baseline']} within {settings['equivalent_within']:g}"
        elif row.gain_low is not None and row.gain_high is not None and row.gain_low * row.gain_high > 0:
            sentences = undecided
            verdict = f"is undecided against {settings['baseline']} after correction for {row.family} comparisons"
            verdict += ", though its own interval leaves out 0"
        else:
            sentences, verdict = undecided, f"shows no significant difference to {settings['baseline']}"
        least = "" if row.detectable is None else f"; smallest detectable difference {row.detectable:.4f} (80 % power)"
        rate = ""
        if row.rate is not None and row.rate_low is not None and row.rate_high is not None:
            share, span = percent(row.rate, row.rate_low, row.rate_high)
            rate = f" False negatives: {share} % {span}."
        if row.audited is not None:
            rate += f" By the audit {audited(row)} %."
        if row.filled is not None and mostly_random(row.filled):
            rate += f" {100 * row.filled:.0f} % of its negatives are random fill."
        point = "".join(f", {key}={value}" for key, value in row.axes.items())
        sentences.append(f"{short[row.method]}{point} {verdict}: {size}{least}.{rate}")
    return decided, undecided


def _curves(path: Path, trials: Sequence[dict[str, Any]]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    by_trial: dict[str, dict[str, list[tuple[int, float]]]] = {}
    names = {for_csv(trial["name"]): trial["name"] for trial in trials}
    if not user_files.is_there(path):
        return by_trial
    reader = csv.DictReader(io.StringIO(user_files.text(path, "a table of curves"), newline=""))
    try:
        for line in reader:
            trial, point = names.get(line["trial"], line["trial"]), (int(line["step"]), float(line["value"]))
            by_trial.setdefault(trial, {}).setdefault(line["curve"], []).append(point)
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}:{reader.line_num}: expected trial, curve, step and value; run the grid again, stored stages are "
            "reused"
        ) from error
    return by_trial
