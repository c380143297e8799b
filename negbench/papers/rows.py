"""Where the values of a statement come from: a method of a grid, an evaluation, or a script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from negbench.collections.resolve import collection_name
from negbench.errors import InputError, with_key
from negbench.evaluation import ranking
from negbench.methods import resolve
from negbench.papers.files import Folder
from negbench.papers.files import Row as Spec
from negbench.papers.statements import NAME, WORDS
from negbench.plan.trials import BM25_SEARCH, EASIER, START
from negbench.registry import unknown

OVERLAP = re.compile(r"overlap@([1-9]\d{0,4})")
RATE, IN_BATCH = RATES = ("rate", "rate/in-batch")
RECORDED = ("cost", "draw", "stability", "curve", "negatives", "geometry")
"""Prefixes of measures of a whole trial, which have a value a seed and none a query."""


@dataclass(frozen=True)
class GridRow:
    """A method's spelling in a grid, at a point of its axes."""

    grid: str
    spelling: str
    point: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class EvaluationRow:
    """An evaluation by its name."""

    name: str


@dataclass(frozen=True)
class ScriptRow:
    """A row that a script writes."""

    script: str
    name: str


Source = GridRow | EvaluationRow | ScriptRow


def sources(folder: Folder) -> dict[str, Source]:
    """Return where each row that the statements name comes from. Raises InputError for unknown rows and measures."""
    expect = folder.expect
    known: dict[str, Source] = {name: EvaluationRow(name) for name in expect.evaluations}
    known |= {row: ScriptRow(name, row) for name, script in expect.scripts.items() for row in script.rows}
    known |= {name: _of_grid(folder, spec, ("rows", name)) for name, spec in expect.rows.items()}
    plain = {row: None for grid in folder.grids for row in _spellings(folder, grid) if row not in known}
    usable = [row for row in plain if NAME.fullmatch(row) and row not in WORDS]
    needed: dict[str, Source] = {}
    for statement, parsed in folder.statements.items():
        where = ("statements", statement, "says")
        for value in parsed.values:
            if value.row in usable:
                known.setdefault(value.row, _of_grid(folder, Spec(method=value.row), where))
            elif value.row not in known:
                raise InputError(f"{folder.where(*where)}: {unknown('row', value.row, [*known.keys() | usable])}")
            needed[value.row] = known[value.row]
            _check_measure(folder, known[value.row], value.measure, folder.where(*where))
    return needed


def _of_grid(folder: Folder, spec: Spec, where: tuple[str, ...]) -> GridRow:
    """Find the one grid and point of a row."""
    if spec.grid is not None and spec.grid not in folder.grids:
        raise InputError(f"{folder.where(*where)}: {unknown('grid', spec.grid, list(folder.grids))}")
    spelling = spec.method
    if spelling not in (START, BM25_SEARCH):
        try:
            spelling = resolve(spec.method).spelling
        except ValidationError as error:
            raise InputError(f"{folder.where(*where)}: {with_key(error.errors()[0])}") from error
        except ValueError as error:
            raise InputError(f"{folder.where(*where)}: {error}") from error
    grids = [spec.grid] if spec.grid else list(folder.grids)
    wanted = _point(spec.at)
    having = [name for name in grids if spelling in _spellings(folder, name)]
    if not having:
        every = list(dict.fromkeys(row for name in grids for row in _spellings(folder, name)))
        raise InputError(f"{folder.where(*where)}: {unknown('method of the grid', spelling, every)}")
    found = [
        GridRow(name, spelling, _point(point))
        for name in having
        for point, _ in folder.grids[name].points
        if set(wanted) <= set(_point(point))
    ]
    if len(found) != 1:
        points = " or ".join("{" + ", ".join(f"{key}: {value}" for key, value in it.point) + "}" for it in found[:3])
        hint = (
            "give grid" if len(having) > 1 else f"say which by at: {points}" if found else "no point of the axes is so"
        )
        raise InputError(f"{folder.where(*where)}: {spelling} stands at {len(found)} points; {hint}")
    return found[0]


def _point(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, str(value)) for key, value in values.items())


def _spellings(folder: Folder, grid: str) -> list[str]:
    methods = (method.spelling for _, settings in folder.grids[grid].points for method in settings.methods)
    return list(dict.fromkeys([*methods, START, BM25_SEARCH]))


def _check_measure(folder: Folder, source: Source, measure: str, where: str) -> None:
    if isinstance(source, EvaluationRow):
        try:
            ranking.parse(measure)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    elif isinstance(source, GridRow):
        points = [settings for _, settings in folder.grids[source.grid].points]
        elsewhere = [collection_name(it.collection) for settings in points for it in settings.evaluate_on]
        prefixes = (*RECORDED, *EASIER, *elsewhere)
        listed = [*points[0].measures, *RATES, "overlap@100", *(f"{prefix}/..." for prefix in prefixes)]
        prefix, slash, _ = measure.partition("/")
        if measure not in listed and not OVERLAP.fullmatch(measure) and not (slash and prefix in prefixes):
            raise InputError(f"{where}: {unknown('measure of the grid', measure, listed)}")
        if source.spelling in (START, BM25_SEARCH) and (measure in RATES or OVERLAP.fullmatch(measure)):
            raise InputError(
                f"{where}: {source.spelling} has no {measure}: it mines no negatives; name a row that does"
            )
