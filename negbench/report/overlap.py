"""Overlap of the negatives of all pairs of methods."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negbench.escaping import csv_table
from negbench.evaluation.overlap import overlap
from negbench.types import Int64


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Overlap of two methods' negatives at one point of the axes, for one seed.

    Counts distinct (query, negative) pairs: ``share`` of those of ``method`` that ``other`` drew too, and the
    ``jaccard`` index of the two sets.
    """

    axes: dict[str, Any]
    seed: int
    method: str
    other: str
    share: float
    jaccard: float


def overlaps(records: Sequence[Mapping[str, Any]], drawn: Mapping[str, Int64]) -> list[Overlap]:
    """Compare all methods that mine; ``drawn`` holds the pairs of each trial (``drawn_pairs``) by its name."""
    points: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for record in records:
        if len(drawn.get(record["name"], ())):
            points.setdefault((json.dumps(record["axes"]), record["seed"]), []).append(record)
    return [
        _overlap(seed, one, two, drawn)
        for (_, seed), trials in points.items()
        for one in trials
        for two in trials
        if one is not two
    ]


def _overlap(seed: int, one: Mapping[str, Any], two: Mapping[str, Any], drawn: Mapping[str, Int64]) -> Overlap:
    share, jaccard = overlap(drawn[one["name"]], drawn[two["name"]])
    return Overlap(
        axes=one["axes"],
        seed=seed,
        method=one["spelling"],
        other=two["spelling"],
        share=share,
        jaccard=jaccard,
    )


def to_csv(found: Sequence[Overlap]) -> str:
    """Return CSV with one line per pair of methods, seed and point, and one column per axis."""
    axes = list(dict.fromkeys(key for one in found for key in one.axes))
    lines: list[list[Any]] = [[*axes, "seed", "method", "other", "share", "jaccard"]]
    for one in found:
        lines.append([*[one.axes[key] for key in axes], one.seed, one.method, one.other, one.share, one.jaccard])
    return csv_table(lines)


def matrices(found: Sequence[Overlap]) -> list[dict[str, Any]]:
    """Return for each point of the axes its ``methods``, and the matrices ``share`` and ``jaccard`` [methods, methods].

    Means over shared seeds; rows and columns are in the order of ``methods``, with 1 on the diagonal.
    """
    points: dict[str, dict[tuple[str, str], list[Overlap]]] = {}
    for one in found:
        points.setdefault(json.dumps(one.axes), {}).setdefault((one.method, one.other), []).append(one)
    made = []
    for axes, pairs in points.items():
        methods = list(dict.fromkeys(method for method, _ in pairs))
        table: dict[str, Any] = {"axes": json.loads(axes), "methods": methods}
        for figure in ("share", "jaccard"):
            means = {pair: float(np.mean([getattr(one, figure) for one in seeds])) for pair, seeds in pairs.items()}
            means |= {(method, method): 1.0 for method in methods}
            table[figure] = [[means.get((one, other), math.nan) for other in methods] for one in methods]
        made.append(table)
    return made


def tables(found: Sequence[Overlap]) -> list[dict[str, Any]]:
    """Return one table per point of the axes for the page, with title, note, heading and body."""
    made = []
    for one in matrices(found):
        point = ", ".join(f"{key}={value}" for key, value in one["axes"].items())
        body = [
            [method, *["" if row == column else _percent(share) for column, share in enumerate(shares)]]
            for row, (method, shares) in enumerate(zip(one["methods"], one["share"], strict=True))
        ]
        made.append(
            {
                "title": "Overlap of the drawn negatives" + (f": {point}" if point else ""),
                "note": "Share of the row method's (query, negative) pairs that the column method drew too, in "
                "percent, with the same seed; means over seeds. Random fill is not counted.",
                "heading": ["method", *one["methods"]],
                "body": body,
            }
        )
    return made


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.0f}"
