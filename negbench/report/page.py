"""One self-contained HTML page of a grid's results: findings, table, figures, examples, how to make it again."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from negbench.errors import InputError
from negbench.report import figures, latex
from negbench.report.details import Detail
from negbench.report.inspect import Example
from negbench.report.results import write_text
from negbench.report.rows import Row
from negbench.report.table import ALPHA, short_methods, shortened, split

FOLDED = 12
"""More sentences than this on methods that are not told apart are folded away."""

CAPTIONS = {
    "quality": "Quality, against the share of false negatives where that is known: means with 95 % intervals over "
    "queries and seeds; small dots are single seeds, long lines the references.",
    "costs": "What a method costs from nothing, by kind of stage; the diamond is what it added to this grid, where "
    "methods share stages.",
    "ranks": "Where in the candidates' ranking the negatives come from, in percent; random candidates have none.",
    "where": "Where false negatives lie: of the negatives that a method drew at each rank, the share that is relevant, "
    "with 95 % intervals over queries, seeds pooled. Bins with less than 2 % of a method's negatives are left out; a "
    "wide interval may run out of the picture.",
    "curves": "Learning curves: means over seeds; thin lines are single seeds.",
}


def write(folder: Path, texts: Sequence[Example]) -> list[Path]:
    """Write ``report.html``, ``table.tex`` and ``figures/*.svg`` and ``*.png`` from the results in ``folder``.

    ``texts`` are shown on the page; the rest of it holds none of a collection's texts. Raises InputError where there
    are no results.
    """
    data = _read(folder)
    rows = [Row(**row) for row in data["rows"]]
    settings = data["settings"]
    details = [Detail(**detail) for detail in data.get("details", [])]  # older results have none
    drawn = figures.draw(rows, data["trials"], _curves(folder / "curves.csv"), settings["measure"], details)
    pictures = {name: figures.svg(figure) for name, figure in drawn.items()}
    (folder / "figures").mkdir(exist_ok=True)
    written = []
    for name, figure in drawn.items():
        path = folder / "figures" / f"{name}.svg"
        write_text(path, pictures[name])
        figure.savefig(path.with_suffix(".png"), dpi=150, bbox_inches="tight", metadata={"Software": None})
        written += [path, path.with_suffix(".png")]
    caption = f"{settings['title']}. {settings['legend'][0]}."
    tex = [
        latex.table(
            some, settings["measure"], settings["baseline"], f"{caption} {title}".strip(), settings["legend"][1:]
        )
        for title, some in split(rows)
    ]
    write_text(folder / "table.tex", "\n".join(tex))
    write_text(folder / "report.html", html(data, rows, pictures, texts))
    return [*written, folder / "table.tex", folder / "report.html"]


def html(data: dict[str, Any], rows: Sequence[Row], pictures: dict[str, str], texts: Sequence[Example]) -> str:
    """Return the page; everything from a collection or a grid file is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files("negbench.report").joinpath("page.html.j2").read_text(encoding="utf-8"))
    decided, undecided = findings(rows, data["settings"])
    return template.render(
        settings=data["settings"],
        notes=data["notes"],
        decided=decided,
        undecided=undecided,
        folded=len(undecided) > FOLDED,
        tables=data["tables"],
        short=short_names(data["tables"]),
        further=data.get("further", []),
        called=short_methods([row.method for row in rows]) | _short_filters(data.get("details", [])),
        # matplotlib has escaped what stands in its pictures
        pictures=[(name, CAPTIONS[name], Markup(picture)) for name, picture in pictures.items()],  # noqa: S704
        texts=texts,
        manifest=data["manifest"],
    )


def short_names(tables: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the name by which the page calls each method: its parameters are told once, below the tables."""
    names = list(dict.fromkeys(line[0] for table in tables for line in table["body"]))
    return dict(zip(names, shortened(names, 20), strict=True))


def _short_filters(details: Sequence[dict[str, Any]]) -> dict[str, str]:
    names = list(dict.fromkeys(one["name"] for one in details if one["group"] == "precision"))
    return dict(zip(names, shortened(names, 34), strict=True))


def findings(rows: Sequence[Row], settings: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return what the tests say, a sentence a method: where they decide, and where a difference is within the noise."""
    decided: list[str] = []
    undecided: list[str] = []
    short = short_methods([row.method for row in rows])
    for row in rows:
        if row.form == "reference" or row.gain is None:
            continue
        size = f"{row.gain:+.4f}"
        if row.gain_low is not None and row.gain_high is not None:
            size += f" [{row.gain_low:+.4f}, {row.gain_high:+.4f}]"
        told = decided
        if row.p is None:
            told, verdict = undecided, f"is not told from {settings['baseline']} by one seed"
        elif row.p < ALPHA:
            verdict = f"is {'better' if row.gain > 0 else 'worse'} than {settings['baseline']}"
        elif row.same:
            verdict = f"is within {settings['equivalent_within']:g} of {settings['baseline']}"
        else:
            told, verdict = undecided, f"differs from {settings['baseline']} by no more than noise"
        least = "" if row.detectable is None else f"; 80 % power for a difference of {row.detectable:.4f}"
        rate = ""
        if row.rate is not None and row.rate_low is not None and row.rate_high is not None:
            rate = f" False negatives: {100 * row.rate:.1f} % [{100 * row.rate_low:.1f}, {100 * row.rate_high:.1f}]."
        at = "".join(f", {key}={value}" for key, value in row.axes.items())
        told.append(f"{short[row.method]}{at} {verdict}: {size}{least}.{rate}")
    return decided, undecided


def _read(folder: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        data["manifest"] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder}: expected the results of a grid, found no {Path(error.filename).name}; run it first"
        ) from error
    if not {"rows", "tables"} <= data.keys():
        raise InputError(f"{folder / 'results.json'}: written by an older negbench; run the grid again, which is quick")
    return data


def _curves(path: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                point = int(line["step"]), float(line["value"])
                found.setdefault(line["trial"], {}).setdefault(line["curve"], []).append(point)
    return found
