from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace
from typing import Any

import pytest
from made_trials import RESULTS, failed, rate, rows, trial
from rich.console import Console

from negbench.report import latex, table


def test_cells() -> None:
    found = rows(*RESULTS)
    heading, body = table.cells(found, "nDCG@10", "in-batch")
    assert heading == [
        "method",
        "seeds",
        "nDCG@10 ±\N{NO-BREAK SPACE}95\N{NO-BREAK SPACE}%",
        "vs in-batch ±\N{NO-BREAK SPACE}95\N{NO-BREAK SPACE}%",
        "detectable",
        "R@100",
        "false negatives %, exact [95 %]",
        "in-batch %",
        "random fill %",
        "seconds",
        "marginal seconds",
    ]
    halves = [(row.high - row.low) / 2 for row in found if row.high is not None and row.low is not None]
    start, control, simans = body
    assert start[:4] == ["start", "1", f"0.5000 ± {halves[0]:.4f}", "-0.1200 ± 0.2541"]
    assert control == ["in-batch", "2", f"0.6200 ± {halves[1]:.4f}", "", "", "0.5000", "", "", "", "10.0", "1.0"]
    assert simans[:3] == ["simans(a=1.0)", "2", f"0.7100 ± {halves[2]:.4f}"]
    assert simans[3].startswith("+0.0900 ± ")
    assert float(simans[4]) > 0.09
    assert simans[5] == "0.8000"
    assert simans[6].startswith("12.00 [")
    assert simans[7:] == ["2.00", "50.0 !", "110.0", "45.0"]  # more than a third is random fill


@pytest.mark.parametrize(
    ("p", "same", "shown"), [(0.01, False, " *"), (0.2, True, " ="), (0.2, False, ""), (0.01, True, " *")]
)
def test_marks(p: float, same: bool, shown: str) -> None:
    row = rows(*RESULTS)[2]
    assert table.mark(replace(row, p=p, same=same)) == shown


def test_axes_have_columns() -> None:
    found = rows(
        trial("in-batch", 0, 0.5, axes={"train.epochs": 1}), trial("in-batch", 0, 0.5, axes={"train.epochs": None})
    )
    heading, body = table.cells(found, "nDCG@10", None)
    assert heading[:4] == ["method", "train.epochs", "seeds", "nDCG@10 ±\N{NO-BREAK SPACE}95\N{NO-BREAK SPACE}%"]
    assert [(line[0], line[1]) for line in body] == [("in-batch", "1"), ("in-batch", "null")]


@pytest.mark.parametrize(("share", "warned"), [(None, False), (0.0, False), (1 / 3, False), (0.34, True), (1.0, True)])
def test_more_than_a_third_of_random_fill_is_warned_about(share: float | None, warned: bool) -> None:
    found = rows(*RESULTS)
    marked = [replace(row, filled=share) for row in found if row.method.startswith("simans")]
    heading, (line,) = table.cells(marked, "nDCG@10", "in-batch")
    assert line[heading.index("random fill %")].endswith(" !") == warned
    assert table.mostly_random(share) == warned


def test_failed_and_collapsed_seeds_are_told() -> None:
    found = rows(trial("in-batch", 0, 0.6), trial("in-batch", 1, 0.1), trial("in-batch", 2, 0.6), failed("in-batch", 3))
    assert table.cells(found, "nDCG@10", "in-batch")[1][0][1] == "3 (1 failed, 1 collapsed)"
    heading, body = table.cells(rows(failed("bm25", 0), failed("bm25", 1)), "nDCG@10", "in-batch")
    assert body[0][1:] == ["0 (2 failed)", *[""] * (len(heading) - 2)]


def test_what_is_no_number_is_not_shown() -> None:
    found = rows(trial("in-batch", 0, math.nan), trial("bm25", 0, 0.5))
    assert "nan" not in str(table.cells(found, "nDCG@10", "in-batch"))


def test_columns_that_say_nothing_are_left_out() -> None:
    heading, body = table.cells(rows(trial("bm25", 0, 0.5), baseline=None), "nDCG@10", None)
    assert heading == [
        "method",
        "seeds",
        "nDCG@10 ±\N{NO-BREAK SPACE}95\N{NO-BREAK SPACE}%",
        "R@100",
        "random fill %",
        "seconds",
        "marginal seconds",
    ]
    assert [len(line) for line in body] == [len(heading)]


def test_the_recall_of_an_index_stands_beside_the_rates_where_there_is_an_index() -> None:
    exact, index = trial("rank-band-exact", 0, 0.5), trial("rank-band", 0, 0.5)
    exact["draw"], index["draw"] = (
        {"filled": 0.0, "recall": 1.0},
        {"filled": 0.0, "recall": 0.9876, "index_recall": 0.9876},
    )
    heading, body = table.cells(rows(exact, index, baseline=None), "nDCG@10", None)
    assert [line[heading.index("index recall %")] for line in body] == ["", "98.76"]
    assert "index recall %" not in table.cells(rows(exact, baseline=None), "nDCG@10", None)[0]


def test_contrastive_information_stands_beside_the_rate_in_the_files_alone() -> None:
    measured = {"nDCG@10": 0.5, "negatives/eci": 0.0625}
    rated = {"exact": rate(0.2, 0.1, 0.3)}
    found = rows(trial("in-batch", 0, 0.5), trial("bm25", 0, 0.5, metrics=measured, false_negatives=rated))
    heading, body = table.cells(found, "nDCG@10", "in-batch")
    at = heading.index("ECI")
    assert heading[at - 1] == "false negatives %, exact [95 %]"
    assert [line[at] for line in body] == ["", "0.0625"]
    assert "ECI" not in [str(column.header) for column in table.terminal(heading, body, "made").columns]


@pytest.mark.parametrize(("values", "shown"), [((1.0, 1.0), False), ((1.0, 0.9999), True)])
def test_a_measure_of_judged_documents_is_left_out_where_it_is_1_in_every_row(
    values: tuple[float, float], shown: bool
) -> None:
    condensed = "nDCG(judged_only=True)@10"
    pairs = zip(("in-batch", "bm25"), values, strict=True)
    found = rows(*(trial(name, 0, 0.5, metrics={"nDCG@10": 0.5, "R@100": 1.0, condensed: it}) for name, it in pairs))
    heading, body = table.cells(found, "nDCG@10", "in-batch")
    assert (condensed in heading) == shown
    assert "R@100" in heading  # which is 1 by merit
    assert {len(line) for line in body} == {len(heading)}
    assert condensed in table.to_csv(found, "nDCG@10")


def test_a_measure_is_not_shown_twice() -> None:
    found = rows(trial("bm25", 0, 0.5), baseline=None, measure="R@100")
    assert [name for name in table.cells(found, "R@100", None)[0] if "R@100" in name] == [
        "R@100 ±\N{NO-BREAK SPACE}95\N{NO-BREAK SPACE}%"
    ]


def test_rates_by_different_estimators_are_told_apart() -> None:
    found = rows(
        trial("bm25", 0, 0.5, axes={"collection": "a"}, false_negatives={"exact": rate(0.2, 0.1, 0.3)}),
        trial("bm25", 0, 0.5, axes={"collection": "b"}, false_negatives={"exact-proxy": rate(0.2, 0.1, 0.3)}),
    )
    heading, body = table.cells(found, "nDCG@10", None)
    at = heading.index("false negatives %, exact or exact-proxy [95 %]")
    assert [line[at].split()[-1] for line in body] == ["exact", "exact-proxy"]
    assert all(line[at].startswith("20.00 [") for line in body)


SEVERAL = {
    "exact": rate(0.2, 0.1, 0.3),
    "exact/query": {**rate(0.4, 0.3, 0.5), "unit": "query"},
    "exact/in-batch": rate(0.01, 0.0, 0.02),
    "judge": rate(0.25, 0.15, 0.35),
    "judge/index": rate(0.9, 0.8, 1.0),
    "mixture": {**rate(0.85, 0, 0), "low": None, "high": None},
    "held-out": {**rate(0, 0, 0), "rate": None, "low": None, "high": None},
}
"""Rates of one draw by every kind of name and unit, and one that cannot be estimated."""


def test_every_estimator_is_told_by_its_name_and_unit() -> None:
    """A column each, but for what is no share of negatives; in CSV all of them, averaged over seeds."""
    other = {**SEVERAL, "judge": rate(0.35, 0.25, 0.45)}
    found = rows(
        trial("in-batch", 0, 0.4),
        *(trial("bm25", seed, 0.5, false_negatives=of_seed) for seed, of_seed in enumerate((SEVERAL, other))),
    )
    heading, body = table.cells(found, "nDCG@10", "in-batch")
    about = [name for name in heading if "negatives" in name]
    assert about == [
        "false negatives %, exact [95 %]",
        "judge, % of negatives [95 %]",
        "mixture, % of negatives [95 %]",
    ]
    assert [line[heading.index(about[1])] for line in body] == ["", "30.00 [20.00, 40.00]"]
    assert [line[heading.index(about[2])] for line in body] == ["", "85.00"]
    terminal = [str(column.header) for column in table.terminal(heading, body, "made").columns]
    assert [name for name in terminal if "negatives" in name] == about[:1]

    nothing, line = csv.DictReader(io.StringIO(table.to_csv(found, "nDCG@10")))
    names = [name for name in line if name.startswith("false_negatives/")]
    assert {name.rpartition("/")[0] for name in names} == {
        "false_negatives/exact/negative",
        "false_negatives/exact/query",
        "false_negatives/exact/in-batch/negative",
        "false_negatives/judge/negative",
        "false_negatives/judge/index",
        "false_negatives/mixture/negative",
    }
    assert [nothing[name] for name in names] == [""] * len(names)
    assert float(line["false_negatives/judge/negative/rate"]) == pytest.approx(0.3)
    assert float(line["false_negatives/judge/negative/high"]) == pytest.approx(0.4)
    assert float(line["false_negatives/exact/query/low"]) == pytest.approx(0.3)
    assert "false_negatives/mixture/negative/low" not in names
    for end, field in (("rate", "false_negative_rate"), ("low", "rate_low"), ("high", "rate_high")):
        assert line[f"false_negatives/exact/negative/{end}"] == line[field]  # seeds are pooled alike

    tex = latex.table(found, "nDCG@10", "in-batch", "Made.", [])
    (top,) = [it for it in tex.splitlines() if "method &" in it]
    for wanted in (r"false neg.\ (\%, exact)", r"judge (\% of negatives)", r"mixture (\% of negatives)"):
        assert wanted in top
    assert top.count("&") == len(re.search(r"tabular}{(\w+)}", tex)[1]) - 1  # type: ignore[index]


def test_csv_holds_every_figure_unrounded() -> None:
    found = rows(*RESULTS, trial('a, "quoted" name', 0, 1 / 3))
    lines = list(csv.DictReader(io.StringIO(table.to_csv(found, "nDCG@10"))))
    renamed = {"quality": "nDCG@10", "rate": "false_negative_rate"}
    assert len(lines) == len(found)
    figures = ("seeds", "failed", "quality", "low", "high", "spread", "gain", "gain_low", "gain_high", "p", "family")
    figures += ("detectable", "rate", "rate_low", "rate_high", "in_batch", "filled", "seconds", "added", "collapsed")
    for line, row in zip(lines, found, strict=True):
        assert line["method"] == row.method
        for name in figures:
            text, value = line[renamed.get(name, name)], getattr(row, name)
            assert (float(text) if text else None) == value, name
        assert (line["estimator"] or None) == row.estimator
        for group in (row.others, row.costs, row.spikes):
            assert {name: float(line[name]) for name in group} == group


def test_csv_leaves_a_gap_where_a_row_lacks_a_measure() -> None:
    found = rows(trial("bm25", 0, 0.5, axes={"negatives": 1}), failed("random", 0))
    first, line = csv.DictReader(io.StringIO(table.to_csv(found, "nDCG@10")))
    assert (line["method"], line["failed"], line["nDCG@10"], line["R@100"], line["AP"]) == ("random", "1", "", "", "")
    assert (first["negatives"], line["negatives"]) == ("1", "")


def markdown_rows(text: str) -> list[list[str]]:
    """The table's cells, read as Markdown does: a pipe ends a cell unless a backslash stands before it."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").strip("|").split("|")] for line in lines
    ]


def test_markdown() -> None:
    heading, body = table.cells(rows(*RESULTS), "nDCG@10", "in-batch")
    body[0][0] = 'f(x="a|b")'
    one = {"title": "", "heading": heading, "body": body}
    text = table.markdown([one], "made: socks", ["First note.", "Second note."])
    assert text.startswith("# made: socks\n\n| method |")
    found = markdown_rows(text)
    assert found[0] == heading
    assert found[1] == ["---", *["---:"] * (len(heading) - 1)]
    assert found[2:] == body
    assert text.endswith("|\n\nFirst note.\n\nSecond note.\n")  # a blank line between makes two paragraphs
    assert table.markdown([one], "t", []).endswith("|\n")
    both = table.markdown([{**one, "title": "Equal"}, {**one, "title": "Other"}], "t", ["Note."])
    assert [line for line in both.splitlines() if line.startswith("#")] == ["# t", "## Equal", "## Other"]
    assert "|\n\n## Other\n\n| method" in both


def test_methods_as_their_authors_trained_them_stand_in_a_table_of_their_own() -> None:
    one = rows(*RESULTS)
    assert table.split(one) == [("", one)]
    found = rows(
        trial("start", None, 0.1),
        *[trial("in-batch", seed, 0.4) for seed in (0, 1)],
        *[trial("bm25", seed, 0.5) for seed in (0, 1)],
        *[trial("ance", seed, 0.6, form="faithful") for seed in (0, 1)],
        *[trial("synthetic", seed, 0.6, form="interpretation") for seed in (0, 1)],
    )
    (fixed, equal), (faithful, others) = table.split(found)
    assert (fixed, faithful) == (table.FIXED, table.FAITHFUL)
    assert [row.method for row in equal] == ["start", "in-batch", "bm25", "synthetic"]
    assert [row.method for row in others] == ["start", "ance"]
    assert [row.family for row in equal] == [0, 0, 2, 2]  # a table is a family
    assert [row.family for row in others] == [0, 1]
    assert [line[0] for line in table.cells(equal, "nDCG@10", "in-batch")[1]][2:] == ["bm25", "synthetic\u00a0\u2020"]


def test_methods_that_leave_rows_out_stand_in_a_table_of_their_own() -> None:
    def drawn(method: str, left_out: float) -> list[dict[str, Any]]:
        draw = {"filled": 0.0, "rows": 200.0, "rows_left_out": left_out}
        return [trial(method, seed, 0.5, draw=draw) for seed in (0, 1)]

    found = rows(
        trial("start", None, 0.1),
        *[trial("in-batch", seed, 0.4) for seed in (0, 1)],
        *drawn("percent(fill=drop)", 25.0),
        *drawn("margin(fill=drop)", 0.0),
        *[trial("ance", seed, 0.6, form="faithful") for seed in (0, 1)],
    )
    tables = table.split(found)
    assert [title for title, _ in tables] == [table.FIXED, table.LESS, table.FAITHFUL]
    (_, equal), (_, less), (_, faithful) = tables
    assert [row.method for row in equal] == ["start", "in-batch", "margin(fill=drop)"]  # it does equal work after all
    assert [row.method for row in less] == ["start", "percent(fill=drop)"]
    assert [row.method for row in faithful] == ["start", "ance"]
    assert [row.family for row in (equal[-1], less[-1], faithful[-1])] == [1, 1, 1]
    heading, body = table.cells(less, "nDCG@10", "in-batch")
    place = heading.index("rows left out %")
    assert [line[place] for line in body] == ["", "12.5"]
    assert "rows left out %" not in table.cells(faithful, "nDCG@10", "in-batch")[0]
    assert table.split([equal[0], equal[1], equal[2]]) == [("", equal)]


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
    console = Console(width=100, file=io.StringIO())
    console.print(table.terminal(heading, body, "made"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for at, name in enumerate(heading):
        if name not in table.BRIEF:
            assert all(line[at] in text for line in body)
