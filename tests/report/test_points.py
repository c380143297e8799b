"""Points of a page's figures say what they are; the saved figures have nothing of it."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest
from made_trials import rate, rows, trial
from matplotlib.figure import Figure

from negbench.report import figures
from negbench.report.details import Detail
from negbench.report.figures import points

AXES = {"start": "weak"}
TRIALS = [
    trial("start", None, 0.2, axes=AXES),
    *(trial("in-batch", seed, 0.4, axes=AXES, ranks={}) for seed in (3, 7)),
    *(
        trial("bm25", seed, 0.5, axes=AXES, false_negatives={"exact": rate(0.1, 0.05, 0.2)}, ranks={"1": 2})
        for seed in (3, 7)
    ),
]


def labels(svg: str) -> list[str]:
    """Return what the points say; each says the same as a title, for a pointer where no script runs."""
    found = re.findall(r'<g class="point" role="img" aria-label="([^"]*)"><title>([^<]*)</title>', svg)
    assert all(label == title for label, title in found)
    return [html.unescape(label) for label, _ in found]


def test_a_point_has_method_seeds_values_and_intervals() -> None:
    found = rows(*TRIALS)
    of_rank = Detail.of(
        {"method": "bm25", "axes": AXES, "group": "rank", "name": "1-4", "rate": 0.25, "low": 0.1, "high": 0.5,
         "reference": 0.75}
    )  # fmt: skip
    drawn = figures.draw(found, TRIALS, {}, "nDCG@10", [of_rank])
    (bm25,) = [row for row in found if row.method == "bm25"]
    said = labels(figures.svg_of_page(drawn["quality"]))
    mean = f"{bm25.quality:.4f} [{bm25.low:.4f}, {bm25.high:.4f}]"
    share = f"{100 * (bm25.rate or 0):.1f} [{100 * (bm25.rate_low or 0):.1f}, {100 * (bm25.rate_high or 0):.1f}]"
    assert f"bm25, start=weak: nDCG@10 {mean}; false negatives {share} % (exact); seeds 3, 7" in said
    assert {f"bm25, start=weak, seed {seed}: nDCG@10 0.5000" for seed in (3, 7)} <= set(said)
    assert len(said) == 6  # two methods, each with a mean and two seeds
    assert labels(figures.svg_of_page(drawn["where"])) == [
        "bm25, start=weak, ranks 1-4: false negatives 25.0 [10.0, 50.0] %, seeds pooled; 75 % of its negatives"
    ]


def test_the_saved_figure_is_the_one_without_points() -> None:
    drawn = figures.draw(rows(*TRIALS), TRIALS, {}, "nDCG@10")["quality"]
    before = figures.svg(drawn)
    assert 'class="point"' in figures.svg_of_page(drawn)
    assert figures.svg(drawn) == before
    assert "point" not in before
    for axes in drawn.axes:
        for line in list(axes.lines):
            if not line.get_visible():
                line.remove()
    assert figures.svg(drawn) == before


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "a\" onload='x' b", "both \" and ' and &amp;", "\x1b[31m"]
)
def test_text_of_users_stays_text(text: str) -> None:
    figure = Figure()
    points.add(figure.subplots(), 1, 2, text)
    svg = figures.svg_of_page(figure)
    read = _Tags()
    read.feed(svg)
    assert "script" not in read.tags
    assert "onload" not in read.attributes
    assert labels(svg) == [text.replace("\x1b", "\\x1b")]
