from __future__ import annotations

import re
from typing import Any

import matplotlib
import pytest
from made_trials import rate, rows, trial
from matplotlib.figure import Figure

from negbench.report import figures
from negbench.report.details import Detail
from negbench.report.figures import curves, style

POINTS: list[dict[str, Any]] = [{"start": "weak"}, {"start": "strong"}]


def made(known: bool) -> list[dict[str, Any]]:
    found = []
    for axes in POINTS:
        found.append(trial("start", None, 0.2, axes=axes))
        for seed in (0, 1):
            found.append(trial("in-batch", seed, 0.4 + seed / 100, axes=axes, ranks={}))
            rates = {"exact": rate(0.1, 0.05, 0.2)} if known else {}
            found.append(trial("bm25", seed, 0.5, axes=axes, false_negatives=rates, ranks={"1": 2, "filled": 1}))
    return found


def texts(figure: Any) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(lambda it: hasattr(it, "get_text")))


@pytest.mark.parametrize("known", [True, False])
def test_there_is_a_panel_for_each_point_and_one_legend(known: bool) -> None:
    trials = made(known)
    figure = figures.draw(rows(*trials), trials, {}, "nDCG@10")["quality"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["start=weak", "start=strong"]
    assert len(figure.legends) == 1
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == (["start", "in-batch", "bm25"] if known else ["start"])


@pytest.mark.parametrize(
    ("quality", "shown"), [(-1, "start: -1.000, lower"), (0.3, "start"), (2, "start: 2.000, higher")]
)
@pytest.mark.parametrize("known", [True, False])
def test_a_reference_far_from_the_methods_is_in_the_legend_alone(known: bool, quality: float, shown: str) -> None:
    """The intervals of the methods reach from 0.20 to 0.70; the values that are far off are so for any measure."""
    rates = {"exact": rate(0.1, 0.05, 0.2)} if known else {}
    trials = [trial("start", None, quality), trial("in-batch", 0, 0.4), trial("bm25", 0, 0.5, false_negatives=rates)]
    figure = figures.draw(rows(*trials), trials, {}, "nDCG@10")["quality"]
    assert figure.legends[0].get_texts()[0].get_text() == shown
    low, high = figure.axes[0].get_ylim() if known else figure.axes[0].get_xlim()
    assert (low <= quality <= high) == (shown == "start")


def test_a_method_that_mines_and_has_no_rate_does_not_stand_at_0() -> None:
    """0 is the place of methods without mined negatives."""
    known = {"exact": rate(0.1, 0.05, 0.2)}
    trials = [
        trial("in-batch", 0, 0.4),
        trial("bm25", 0, 0.5, false_negatives=known, draw={"filled": 0.0}),
        trial("written", 0, 0.6, draw={"filled": 0.0}),
    ]
    figure = figures.draw(rows(*trials), trials, {}, "nDCG@10")["quality"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(names) == ["bm25", "in-batch", "written: 0.600, no rate"]
    assert 0.6 not in [value for line in figure.axes[0].lines for value in line.get_ydata()]


@pytest.mark.parametrize("known", [True, False])
def test_for_a_phone_panels_stand_below_one_another(known: bool) -> None:
    trials = made(known)
    broad = figures.draw(rows(*trials), trials, {}, "nDCG@10")["quality"]
    narrow = figures.draw_for_phone(rows(*trials), trials, "nDCG@10")
    assert narrow is not None
    assert narrow.get_size_inches()[0] * 96 <= 375 < broad.get_size_inches()[0] * 96
    for figure in (broad, narrow):
        figure.draw_without_rendering()
    (left, right), (top, bottom) = ([axes.get_position() for axes in figure.axes] for figure in (broad, narrow))
    assert left.x1 < right.x0
    assert top.y0 > bottom.y1
    assert texts(narrow) == texts(broad)
    assert figures.draw_for_phone([], [], "nDCG@10") is None


def test_quality_without_any_rate_is_a_list_of_methods() -> None:
    trials = made(known=False)
    figure = figures.draw(rows(*trials), trials, {}, "nDCG@10")["quality"]
    left = figure.axes[0]
    assert left.get_xlabel() == "nDCG@10"
    assert [label.get_text() for label in left.get_yticklabels()] == ["in-batch", "bm25"]
    means = [line for line in left.lines if line.get_markersize() == 7]
    assert sorted(float(line.get_xdata()[0]) for line in means) == pytest.approx([0.405, 0.5])
    assert "false negatives" not in texts(figure)


def test_a_row_is_labelled_by_its_method_and_its_point() -> None:
    trials = made(known=True)
    drawn = figures.draw(rows(*trials), trials, {}, "nDCG@10")
    assert style.labels(style.trained(rows(*trials))) == [
        "in-batch, weak", "bm25, weak", "in-batch, strong", "bm25, strong",
    ]  # fmt: skip
    assert [label.get_text() for label in drawn["ranks"].axes[0].get_yticklabels()] == ["bm25, weak", "bm25, strong"]


def test_curves_are_of_dev_where_it_was_watched_and_of_the_loss_elsewhere() -> None:
    trials = made(known=True)
    found: dict[str, Any] = {}
    for one in trials:
        if one["seed"] is not None:
            found[one["name"]] = {"loss": [(step, 1 / step) for step in range(1, 41)]}
            if one["axes"] == POINTS[0]:
                found[one["name"]]["dev_nDCG@10"] = [(0, 0.1), (40, 0.2)]
    figure = figures.draw(rows(*trials), trials, found, "nDCG@10")["curves"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["nDCG@10 on dev (part of the corpus)", "training loss"]
    assert "curves" not in figures.draw(rows(*trials), trials, {}, "nDCG@10")


def test_the_loss_is_a_moving_mean() -> None:
    points = [(step, float(step % 2)) for step in range(40)]
    smooth = curves._smoothed(points)
    assert [step for step, _ in smooth] == list(range(40))
    assert [value for _, value in smooth[:3]] == [0.0, 0.5, pytest.approx(1 / 3)]
    assert all(value == 0.5 for _, value in smooth[3:])


def detail(axes: dict[str, Any], name: str, rate: float, reference: float, group: str = "rank") -> Detail:
    return Detail(
        method="bm25",
        axes=axes,
        group=group,
        name=name,
        rate=rate,
        low=rate / 2,
        high=min(1.0, 2 * rate),
        reference=reference,
    )


def test_false_negatives_by_rank_are_a_line_and_those_without_a_rank_stand_apart() -> None:
    trials, found = made(known=True), rows(*made(known=True))
    details = [
        detail(POINTS[0], "1-4", 0.4, 0.5),
        detail(POINTS[0], "5-16", 0.1, 0.3),
        detail(POINTS[0], "257-", 0.9, 0.001),  # so few that its rate says nothing
        detail(POINTS[0], "filled", 0.05, 0.2),
        detail(POINTS[0], "below -2", 0.7, 0.5, "gap"),
        detail(POINTS[1], "random", 0.02, 1.0),
    ]
    left, right = figures.draw(found, trials, {}, "nDCG@10", details)["where"].axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["1–4", "5–16", "random fill\nor order"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["random fill\nor order"]
    drawn = [line.get_ydata().tolist() for line in left.lines if line.get_marker() == "s"]
    assert drawn == [[pytest.approx(40), pytest.approx(10)], [pytest.approx(5)]]
    assert left.get_xscale() == "log"
    assert "where" not in figures.draw(found, trials, {}, "nDCG@10", details[4:5])


@pytest.mark.parametrize("text", ["$", "cost in $ and $", r"$\frac{", "$x^{2$", "a_b^c"])
def test_a_dollar_in_a_name_is_no_formula(text: str) -> None:
    trials = [{**trial, "axes": {"start": text}} for trial in made(known=True) if trial["axes"] == POINTS[0]]
    drawn = figures.draw(rows(*trials), trials, {}, "nDCG@10")
    assert any(text in figures.svg(figure) for figure in drawn.values())


def test_clip_paths_are_named_by_what_is_printed_of_them() -> None:
    """Matplotlib's own names hold last bits of a place, which depend on addresses in memory."""
    with matplotlib.rc_context(style.STYLE):
        figure = Figure(figsize=(3, 2))
        for left in (0.1, 0.6):
            figure.add_axes((left, 0.2, 0.3, 0.7)).plot([0, 1], [left, 1])
    text = figures.svg(figure)
    one, other = re.findall(r'<clipPath id="(\w+)"', text)
    assert set(re.findall(r"url\(#(\w+)\)", text)) == {one, other}
    assert figures.named_clips(text.replace(one, "p1").replace(other, "p2"), figures.SALT) == text
    assert figures.named_clips(text, "another") != text

    def clip(name: str) -> str:
        return f'  <clipPath id="{name}">\n   <rect x="1"/>\n  </clipPath>\n'

    twice = figures.named_clips(f'<path clip-path="url(#a)"/>\n<path clip-path="url(#b)"/>\n{clip("a")}{clip("b")}', "")
    (name,) = re.findall(r'<clipPath id="(\w+)"', twice)
    assert re.findall(r"url\(#(\w+)\)", twice) == [name, name]
