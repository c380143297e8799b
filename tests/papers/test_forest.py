"""The forest plot says what the records say."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from negbench.papers import figure, page
from negbench.papers.forest import lines

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "results/papers").glob("*/verdicts.json"))
INFINITE = math.inf


def _figure(label: str, mean: float, half: float | None = 0.1) -> dict[str, Any]:
    ends = (None, None) if half is None else (mean - half, mean + half)
    return {"label": label, "mean": mean, "low": ends[0], "high": ends[1], "seeds": 3, "queries": 9}


def _record(says: str, verdict: str, values: list[Any], compared: list[Any]) -> dict[str, Any]:
    made = {"name": "it", "says": says, "verdict": verdict, "values": values, "compared": compared}
    return {"paper": "made", "statements": [made]}


A, B, C = _figure("nDCG@10(a)", 0.5), _figure("nDCG@10(b)", 0.3), _figure("nDCG@10(c)", 0.4)
AHEAD, BACK = _figure("nDCG@10(a) - nDCG@10(b)", 0.2), _figure("nDCG@10(b) - nDCG@10(c)", -0.1)
RATE, REMOVED = _figure("rate(a)", 0.02, None), _figure("1 - (rate(a) / rate(b))", 0.7)


@pytest.mark.parametrize(
    ("says", "values", "compared", "wanted"),
    [
        ("a = 0.4 ± 0.2 on nDCG@10", [A], [], [("a", "nDCG@10", 0.5, 0.2, 0.6)]),
        ("a > b on nDCG@10", [A, B], [AHEAD], [("a - b", "difference of nDCG@10", 0.2, 0.0, INFINITE)]),
        (
            "b < a by at least 0.05 on nDCG@10",
            [B, A],
            [AHEAD],
            [("a - b", "difference of nDCG@10", 0.2, 0.05, INFINITE)],
        ),
        (
            "a > b > c on nDCG@10",
            [A, B, C],
            [AHEAD, BACK],
            [
                ("a - b", "difference of nDCG@10", 0.2, 0.0, INFINITE),
                ("b - c", "difference of nDCG@10", -0.1, 0.0, INFINITE),
            ],
        ),
        ("a = b within 0.1 on nDCG@10", [A, B], [AHEAD], [("a - b", "difference of nDCG@10", 0.2, -0.1, 0.1)]),
        ("rate(a) < 3 %", [RATE], [], [("a", "rate", 0.02, -INFINITE, 0.03)]),
        ("rate(a) > 1 %", [RATE], [], [("a", "rate", 0.02, 0.01, INFINITE)]),
        ("rate(a) between 1 % and 3 %", [RATE], [], [("a", "rate", 0.02, 0.01, 0.03)]),
        (
            "1 - rate(a) / rate(b) > 50 %",
            [RATE, _figure("rate(b)", 0.1)],
            [REMOVED],
            [("1 - (a / b)", "1 - (rate / rate)", 0.7, 0.5, INFINITE)],
        ),
        (
            "order a > c > b on nDCG@10 with tau at least 0.5",
            [A, C, B],
            [],
            [(name, "nDCG@10", mean, -INFINITE, INFINITE) for name, mean in (("a", 0.5), ("c", 0.4), ("b", 0.3))],
        ),
    ],
)
def test_lines_of_each_kind(says: str, values: list[Any], compared: list[Any], wanted: list[Any]) -> None:
    found = lines(_record(says, "held", values, compared))
    assert [(it.label, it.unit, it.mean, it.least, it.most) for it in found] == [pytest.approx(it) for it in wanted]


def test_what_does_not_vary_has_no_interval() -> None:
    (line,) = lines(_record("rate(a) < 3 %", "undecided", [_figure("rate(a)", 0.0, 0.0)], []))
    assert math.isnan(line.low)
    assert math.isnan(line.high)


def test_marks_intervals_and_bands_are_where_the_record_says() -> None:
    record = _record("a > b > c on nDCG@10", "not held", [A, B, C], [AHEAD, BACK])
    record["statements"].append({**_record("rate(a) < 3 %", "held", [RATE], [])["statements"][0], "name": "share"})
    drawn = figure.draw(record)
    assert drawn is not None
    first, second = drawn.axes
    assert [it.get_text() for it in first.get_yticklabels()] == ["it: a - b", "it: b - c"]
    assert [it.get_text() for it in second.get_yticklabels()] == ["share: a"]
    assert (first.get_xlabel(), second.get_xlabel()) == ("difference of nDCG@10", "rate")
    marks = [line for line in first.lines if line.get_marker() == "X"]
    assert [np.asarray(line.get_xdata(), float)[0] for line in marks[:2]] == pytest.approx([0.2, -0.1])
    ends = [segment[:, 0].tolist() for it in first.collections for segment in it.get_segments()]  # type: ignore[attr-defined]
    assert ends == [pytest.approx([0.1, 0.3]), pytest.approx([-0.2, 0.0])]
    bands = [it for it in first.patches if isinstance(it, Rectangle)]
    assert [it.get_x() for it in bands] == pytest.approx([0.0, 0.0])
    assert [it.get_x() + it.get_width() for it in bands] == pytest.approx([first.get_xlim()[1]] * 2)
    (band,) = [it for it in second.patches if isinstance(it, Rectangle)]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((second.get_xlim()[0], 0.03))
    assert [it.get_text() for it in drawn.legends[0].get_texts()] == ["held", "not held"]


def test_nothing_is_drawn_of_what_was_not_run() -> None:
    record = _record("a > b on nDCG@10", "not run here", [], [])
    assert figure.draw(record) is None
    more = {"title": "", "authors": "", "year": 2020, "link": "", "removed": []}
    said = {"reported": {"place": "", "data": "", "metric": "", "claim": "", "values": {}}, "differs": "", "fair": True}
    record["statements"][0] |= {**said, "note": None, "why": "", "p": None, "changed": ""}
    assert "verdicts.svg" not in page.paper({**record, **more})


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_tracked_pages_and_figures_are_those_of_the_tracked_verdicts(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    again = "run: make paper-pages"
    assert (path.parent / "verdicts.md").read_text(encoding="utf-8") == page.paper(record), again
    drawn = path.parent / figure.NAME
    shown = lines(record)
    assert drawn.exists() == bool(shown), again
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn.read_text(encoding="utf-8")) if shown else []
    for line in shown:
        assert f"{line.statement}: {line.label}" in [text.replace("&gt;", ">") for text in texts], again
    assert {line.verdict for line in shown} == {text for text in texts if text in figure.MARKS}, again
