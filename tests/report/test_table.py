from __future__ import annotations

import csv
import io
import math
import statistics
from typing import Any

import pytest
from rich.console import Console

from negbench.report import table


def rate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"rate": value, "low": low, "high": high, "unit": "negative", "note": "made up"}


def trial(method: str, seed: int | None, quality: float, **more: Any) -> dict[str, Any]:
    """A trial as ``results.record`` writes it."""
    return {
        "method": method.partition("(")[0],
        "spelling": method,
        "seed": seed,
        "axes": {},
        "metrics": {"nDCG@10": quality, "R@100": more.pop("recall", 0.5), "AP": 0.25},
        "false_negatives": {},
        "draw": {},
        "cost": {"seconds": 10.0, "marginal_seconds": 1.0},
        "status": "done",
        **more,
    }


def failed(method: str, seed: int, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"metrics": {}, "false_negatives": {}, "draw": {}, "cost": {}}
    return {**trial(method, seed, 0.0), **empty, "status": "failed", "error": "the disk is full", **more}


def rows(*trials: dict[str, Any], baseline: str | None = "in-batch") -> list[table.Row]:
    return table.rows({"name": "made", "trials": list(trials)}, "nDCG@10", baseline)


RESULTS = (
    trial("start", None, 0.5),
    trial("in-batch", 0, 0.6),
    trial(
        "simans(a=1.0)",
        0,
        0.7,
        recall=0.9,
        false_negatives={
            "exact": rate(0.10, 0.05, 0.2),
            "exact/query": rate(0.9, 0.8, 1),
            "exact/in-batch": rate(0.01, 0, 0.02),
        },
        draw={"filled": 0.25, "median_rank": 3.0},
        cost={"seconds": 100.0, "marginal_seconds": 40.0, "steps": 5},
    ),
    trial("in-batch", 1, 0.64),
    trial(
        "simans(a=1.0)",
        1,
        0.72,
        recall=0.7,
        false_negatives={"exact": rate(0.14, 0.07, 0.3), "exact/in-batch": rate(0.03, 0, 0.05)},
        draw={"filled": 0.75, "median_rank": 5.0},
        cost={"seconds": 120.0, "marginal_seconds": 50.0, "steps": 5},
    ),
)


def test_a_row_is_a_method_averaged_over_its_seeds() -> None:
    start, control, simans = rows(*RESULTS)
    assert [row.method for row in (start, control, simans)] == ["start", "in-batch", "simans(a=1.0)"]
    assert [(row.seeds, row.failed) for row in (start, control, simans)] == [(1, 0), (2, 0), (2, 0)]

    assert simans.quality == pytest.approx(0.71)
    assert simans.spread == pytest.approx(0.01 * math.sqrt(2))  # of 0.70 and 0.72, n - 1
    assert simans.gain == pytest.approx(0.71 - 0.62)
    assert simans.others == pytest.approx({"R@100": 0.8, "AP": 0.25})
    assert simans.estimator == "exact"
    assert (simans.rate, simans.low, simans.high) == pytest.approx((0.12, 0.06, 0.25))
    assert simans.in_batch == pytest.approx(0.02)
    assert simans.filled == pytest.approx(0.5)
    assert (simans.seconds, simans.added) == pytest.approx((110.0, 45.0))

    assert control.quality == pytest.approx(0.62)
    assert control.gain is None  # it is what the others are compared with
    assert (control.rate, control.filled, control.in_batch) == (None, None, None)
    assert start.gain == pytest.approx(0.5 - 0.62)
    assert start.spread is None


def test_without_a_baseline_nothing_is_gained() -> None:
    assert [row.gain for row in rows(*RESULTS, baseline=None)] == [None, None, None]
    assert [row.gain for row in rows(*RESULTS, baseline="bm25")] == [None, None, None]


def test_failed_trials_are_counted_and_leave_no_figures() -> None:
    control, simans, bm25 = rows(
        trial("in-batch", 0, 0.6), failed("in-batch", 1), trial("simans", 0, 0.7), failed("bm25", 0), failed("bm25", 1)
    )
    assert (control.seeds, control.failed, control.quality, control.spread) == (1, 1, 0.6, None)
    assert simans.gain == pytest.approx(0.1)
    assert (bm25.seeds, bm25.failed, bm25.quality, bm25.gain, bm25.seconds, bm25.rate) == (0, 2, None, None, None, None)
    heading, body = table.cells([control, simans, bm25], "nDCG@10", "in-batch")
    assert body[0][1] == "1 (1 failed)"
    assert body[2][1:] == ["0 (2 failed)", *[""] * (len(heading) - 2)]


def test_a_failed_baseline_compares_nothing() -> None:
    assert [row.gain for row in rows(failed("in-batch", 0), trial("simans", 0, 0.7))] == [None, None]


def test_figures_that_are_no_numbers_are_left_out() -> None:
    (row,) = rows(trial("bm25", 0, math.nan), trial("bm25", 1, 0.6), trial("bm25", 2, 0.8))
    assert row.quality == pytest.approx(0.7)
    assert row.spread == pytest.approx(statistics.stdev([0.6, 0.8]))
    (row,) = rows(trial("bm25", 0, math.nan, false_negatives={"exact": rate(math.nan, math.nan, math.nan)}))
    assert (row.quality, row.spread, row.rate) == (None, None, None)
    (_, row) = rows(trial("in-batch", 0, math.nan), trial("bm25", 0, 0.5))
    assert row.gain is None
    assert "nan" not in str(table.cells([row], "nDCG@10", "in-batch"))


def test_points_of_the_axes_have_rows_and_a_baseline_of_their_own() -> None:
    found = rows(
        trial("in-batch", 0, 0.5, axes={"negatives": 1, "train": {"epochs": 2}}),
        trial("bm25", 0, 0.6, axes={"negatives": 1, "train": {"epochs": 2}}),
        trial("in-batch", 0, 0.8, axes={"negatives": 2, "train": {"epochs": 2}}),
        trial("bm25", 0, 0.7, axes={"negatives": 2, "train": {"epochs": 2}}),
    )
    assert [row.method for row in found][::2] == [
        "in-batch, negatives=1, train={'epochs': 2}",
        "in-batch, negatives=2, train={'epochs': 2}",
    ]
    assert [row.gain for row in found] == [None, pytest.approx(0.1), None, pytest.approx(-0.1)]


def test_a_seed_without_an_estimate_does_not_hide_the_others() -> None:
    exact = {"exact": rate(0.2, 0.1, 0.3)}
    for trials in ((trial("bm25", 0, 0.5), trial("bm25", 1, 0.5, false_negatives=exact)),) * 2:
        for order in (trials, trials[::-1]):
            (row,) = rows(*order)
            assert (row.estimator, row.rate) == ("exact", 0.2)


def test_the_complete_truth_goes_before_the_proxy() -> None:
    both = {"exact-proxy": rate(0.3, 0.2, 0.4), "exact": rate(0.2, 0.1, 0.3)}
    (row,) = rows(trial("bm25", 0, 0.5, false_negatives=both))
    assert (row.estimator, row.rate) == ("exact", 0.2)


def test_cells() -> None:
    heading, body = table.cells(rows(*RESULTS), "nDCG@10", "in-batch")
    assert heading == [
        "method",
        "seeds",
        "nDCG@10",
        "vs in-batch",
        "R@100",
        "false negatives %, exact [95 %]",
        "in-batch %",
        "filled %",
        "seconds",
        "added",
    ]
    assert body == [
        ["start", "1", "0.5000", "-0.1200", "0.5000", "", "", "", "10.0", "1.0"],
        ["in-batch", "2", "0.6200 ± 0.0283", "", "0.5000", "", "", "", "10.0", "1.0"],
        [
            "simans(a=1.0)",
            "2",
            "0.7100 ± 0.0141",
            "+0.0900",
            "0.8000",
            "12.00 [6.00, 25.00]",
            "2.00",
            "50.0",
            "110.0",
            "45.0",
        ],
    ]


def test_columns_that_say_nothing_are_left_out() -> None:
    heading, body = table.cells(rows(trial("bm25", 0, 0.5), baseline=None), "nDCG@10", None)
    assert heading == ["method", "seeds", "nDCG@10", "R@100", "filled %", "seconds", "added"]
    assert [len(line) for line in body] == [len(heading)]


def test_a_measure_is_not_shown_twice() -> None:
    found = table.rows({"trials": [trial("bm25", 0, 0.5)]}, "R@100", None)
    assert table.cells(found, "R@100", None)[0].count("R@100") == 1


def test_rates_by_different_estimators_are_told_apart() -> None:
    found = rows(
        trial("bm25", 0, 0.5, axes={"collection": "a"}, false_negatives={"exact": rate(0.2, 0.1, 0.3)}),
        trial("bm25", 0, 0.5, axes={"collection": "b"}, false_negatives={"exact-proxy": rate(0.2, 0.1, 0.3)}),
    )
    heading, body = table.cells(found, "nDCG@10", None)
    at = heading.index("false negatives %, exact or exact-proxy [95 %]")
    assert [line[at] for line in body] == ["20.00 [10.00, 30.00] exact", "20.00 [10.00, 30.00] exact-proxy"]


def test_csv_holds_every_figure_unrounded() -> None:
    found = rows(*RESULTS, trial('a, "quoted" name', 0, 1 / 3))
    lines = list(csv.DictReader(io.StringIO(table.to_csv(found, "nDCG@10"))))
    renamed = {"quality": "nDCG@10", "rate": "false_negative_rate"}
    assert len(lines) == len(found)
    for line, row in zip(lines, found, strict=True):
        assert line["method"] == row.method
        for name in ("seeds", "failed", "quality", "spread", "gain", "rate", "low", "high", "in_batch", "filled"):
            text, value = line[renamed.get(name, name)], getattr(row, name)
            assert (float(text) if text else None) == value, name
        assert float(line["seconds"]) == row.seconds
        assert float(line["added"]) == row.added
        assert (line["estimator"] or None) == row.estimator
        assert {name: float(line[name]) for name in row.others} == row.others


def test_csv_leaves_a_gap_where_a_row_lacks_a_measure() -> None:
    found = rows(trial("bm25", 0, 0.5), failed("random", 0))
    _, line = csv.DictReader(io.StringIO(table.to_csv(found, "nDCG@10")))
    assert (line["method"], line["failed"], line["nDCG@10"], line["R@100"], line["AP"]) == ("random", "1", "", "", "")


def markdown_rows(text: str) -> list[list[str]]:
    """The table's cells, read as Markdown does: a pipe ends a cell unless a backslash stands before it."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").strip("|").split("|")] for line in lines
    ]


def test_markdown() -> None:
    heading, body = table.cells(rows(*RESULTS), "nDCG@10", "in-batch")
    body[0][0] = 'f(x="a|b")'
    text = table.markdown(heading, body, "made: socks", ["First note.", "Second note."])
    assert text.startswith("# made: socks\n\n| method |")
    found = markdown_rows(text)
    assert found[0] == heading
    assert found[1] == ["---", *["---:"] * (len(heading) - 1)]
    assert found[2:] == body
    assert text.endswith("|\n\nFirst note.\n\nSecond note.\n")  # a blank line between makes two paragraphs
    assert table.markdown(heading, body, "t", []).endswith("|\n")


def test_the_terminal_shows_brackets_as_they_are() -> None:
    """Rich would take [rank-band(low=1)] for markup and swallow it, and fail on [/x]."""
    names = ["denoised(filters=[rank-band(low=1)])", 'f(x="[/x]")', "[bold]", "denoised(depth=12)", "denoised"]
    shown = table.terminal(["method", "[b]"], [[name, "1 [2, 3]"] for name in names], "title [red]")
    console = Console(width=100, file=io.StringIO())
    console.print(shown)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in (*names, "[b]", "1 [2, 3]", "title [red]", "denoised(...) 2 is denoised(depth=12)"):
        assert "".join(part.split()) in "".join(text.split())  # a long legend is folded
    rows_of_table = [line.split("  ")[0].strip() for line in text.splitlines()]
    assert {"denoised(...)", "denoised(...) 2", "denoised"} <= set(rows_of_table)


def test_the_terminal_table_fits_a_narrow_terminal_with_every_figure_whole() -> None:
    heading, body = table.cells(rows(*RESULTS), "nDCG@10", "in-batch")
    console = Console(width=90, file=io.StringIO())
    console.print(table.terminal(heading, body, "made"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for at, name in enumerate(heading):
        if name not in table.BRIEF:
            assert all(line[at] in text for line in body)


def test_gains_are_paired_by_seed() -> None:
    trials = [trial("in-batch", 0, 0.6), trial("in-batch", 1, 0.8), trial("bm25", 0, 0.65), failed("bm25", 1)]
    _, bm25 = rows(*trials)
    assert bm25.gain == pytest.approx(0.05)  # not 0.65 - 0.7: seed 1 has no partner
