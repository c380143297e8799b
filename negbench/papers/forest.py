"""What a forest plot of a paper shows: each estimate that a verdict rests on, with its interval and what is claimed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from negbench.papers.statements import Comparison, Expression, Operation, Statement, Value, parse


@dataclass(frozen=True, kw_only=True)
class Line:
    """An estimate of a statement, in the unit of the measures that it is of.

    ``low`` and ``high`` are NaN without an interval. What is claimed is a value from ``least`` to ``most``, of which
    either may be infinite; both are in a line of an order, whose verdict rests on all its pairs.
    """

    statement: str
    label: str
    unit: str
    verdict: str
    mean: float
    low: float
    high: float
    least: float
    most: float


def lines(record: Mapping[str, Any]) -> list[Line]:
    """Return the lines of ``verdicts.json``, in the order of its statements; none for statements that were not run."""
    return [line for it in record["statements"] if it["values"] for line in _of_statement(it)]


def _of_statement(record: Mapping[str, Any]) -> list[Line]:
    figures = {it["label"]: it for it in [*record["values"], *record["compared"]]}
    made = []
    for side, least, most in _claimed(parse(record["says"])):
        figure = figures[str(side)]
        mean, low, high = (math.nan if figure[key] is None else float(figure[key]) for key in ("mean", "low", "high"))
        if low == high:  # where nothing varies nothing is known
            low = high = math.nan
        made.append(
            Line(
                statement=record["name"],
                label=_rows(side),
                unit=_unit(side),
                verdict=record["verdict"],
                mean=mean,
                low=low,
                high=high,
                least=least,
                most=most,
            )
        )
    return made


def _claimed(statement: Statement) -> Sequence[tuple[Expression, float, float]]:
    """Return what is estimated, and between which bounds it lies by the statement."""
    if statement.kind == "value":
        return [(statement.value, statement.expected - statement.tolerance, statement.expected + statement.tolerance)]
    if statement.kind == "order":
        return [(value, -math.inf, math.inf) for value in statement.values]
    first = statement.comparisons[0]
    if statement.kind == "between":
        low, high = first.right, statement.comparisons[1].left
        assert isinstance(low, float)
        assert isinstance(high, float)
        return [(statement.value, low, high)]
    if statement.kind == "equality":
        return [(first.difference, first.least, -first.least)]
    return [_of_direction(it) for it in statement.comparisons]


def _of_direction(comparison: Comparison) -> tuple[Expression, float, float]:
    if isinstance(comparison.right, float):
        return comparison.left, comparison.right + comparison.least, math.inf
    if isinstance(comparison.left, float):
        return comparison.right, -math.inf, comparison.left - comparison.least
    return comparison.difference, comparison.least, math.inf


def _rows(side: Expression) -> str:
    """Return the expression with rows alone: ``ance - bm25``."""
    return _text(side, lambda value: value.row)


def _unit(side: Expression) -> str:
    """Return the measures of an expression, as in ``difference of nDCG@10``."""
    if isinstance(side, Operation) and isinstance(side.left, Value) and isinstance(side.right, Value):
        named = {"-": "difference of", "/": "ratio of"}.get(side.sign)
        if named and side.left.measure == side.right.measure:
            return f"{named} {side.left.measure}"
    return _text(side, lambda value: value.measure)


def _text(side: Expression, named: Callable[[Value], str]) -> str:
    if isinstance(side, float):
        return f"{side:g}"
    if isinstance(side, Value):
        return named(side)
    parts = [
        f"({_text(it, named)})" if isinstance(it, Operation) else _text(it, named) for it in (side.left, side.right)
    ]
    return f"{parts[0]} {side.sign} {parts[1]}"
