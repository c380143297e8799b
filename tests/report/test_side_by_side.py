"""Several collections side by side, against figures that are computed here from the values by query."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_trials import trial
from rich.console import Console
from scipy import stats

from negbench.evaluation import significance
from negbench.report import rows as report
from negbench.report import side_by_side, side_by_side_text, table
from negbench.report.figures import side_by_side as figure
from negbench.report.rows import Evidence
from negbench.report.side_by_side import Matrix

QUERIES = {"socks": 40, "shoes": 25, "hats": 30}
EFFECT = {"start": -0.2, "in-batch": 0.0, "bm25": 0.15, "random": 0.002, "rank-band": -0.15}
SEEDS = (0, 1, 2)
SETTINGS: Any = SimpleNamespace(baseline="in-batch", equivalent_within=0.01)
SAID = {"measure": "nDCG@10", "baseline": "in-batch", "equivalent_within": 0.01, "seeds": 3, "title": "made & co"}


def made(
    collections: tuple[str, ...] = ("socks", "shoes"), elsewhere: tuple[str, ...] = ("hats",), filled: float = 0.0
) -> tuple[list[dict[str, Any]], Evidence]:
    """Trials on each collection: values by query are a level of the query, an effect of the method, and noise."""
    trials, values, further = [], {}, {}
    rng = np.random.default_rng(3)
    level = {name: rng.uniform(0.2, 0.6, size) for name, size in QUERIES.items()}
    for collection in collections:
        for method, effect in EFFECT.items():
            for seed in (None,) if method == "start" else SEEDS:
                axes = {"collection": collection} if len(collections) > 1 else {}
                draw = {"filled": filled} if method == "bm25" else {}
                one = trial(method, seed, 0.0, axes=axes, draw=draw)
                own = level[collection] + effect + rng.normal(0, 0.02, QUERIES[collection])
                one["metrics"] = {"nDCG@10": float(own.mean())}
                values[one["name"]] = own
                further[one["name"]] = {
                    name: level[name] + effect / 3 + rng.normal(0, 0.02, QUERIES[name]) for name in elsewhere
                }
                trials.append(one)
    return trials, Evidence(values, {}, further)


def matrix(
    trials: list[dict[str, Any]], evidence: Evidence, *collections: str, further: tuple[str, ...] = ()
) -> Matrix:
    found = report.rows({"trials": trials}, "nDCG@10", "in-batch", 0.01, evidence)
    columns = side_by_side.columns(collections, dict.fromkeys(collections, further))
    (one,) = side_by_side.matrices(found, trials, evidence, columns, SETTINGS)
    return one


@pytest.fixture(scope="module")
def both() -> tuple[list[dict[str, Any]], Evidence, Matrix]:
    trials, evidence = made()
    return trials, evidence, matrix(trials, evidence, "socks", "shoes", further=("hats",))


def values(evidence: Evidence, method: str, collection: str, further: str | None = None) -> np.ndarray:
    """Values [seeds, queries] of a method."""
    names = [f"{method} {seed} {{'collection': '{collection}'}}" for seed in SEEDS]
    return np.stack([evidence.values[name] if further is None else evidence.elsewhere[name][further] for name in names])


def test_the_columns_are_collections_their_mean_and_what_is_out_of_domain(both: Any) -> None:
    _, _, found = both
    assert [column.name for column in found.columns] == ["socks", "shoes", "mean", "socks > hats", "shoes > hats"]
    assert [line.method for line in found.lines] == list(EFFECT)
    assert all(not line.axes for line in found.lines)


def test_each_collection_has_the_figures_of_its_rows(both: Any) -> None:
    trials, evidence, found = both
    rows = report.rows({"trials": trials}, "nDCG@10", "in-batch", 0.01, evidence)
    for line in found.lines:
        for column, cell in zip(found.columns[:2], line.cells, strict=False):
            (row,) = [row for row in rows if (row.method, row.axes) == (line.method, {"collection": column.trained})]
            assert (cell.quality, cell.gain, cell.p, cell.family) == (row.quality, row.gain, row.p, row.family)
    assert {cell.family for line in found.lines for cell in line.cells[:2]} == {0, 6}  # three methods, two collections


def test_the_mean_is_that_of_both_and_its_test_is_of_a_family_of_its_own(both: Any) -> None:
    _, evidence, found = both
    raw = {}
    for line in found.lines[2:]:
        gains = [
            values(evidence, line.method, name) - values(evidence, "in-batch", name) for name in ("socks", "shoes")
        ]
        by_seed = np.mean([gain.mean(axis=1) for gain in gains], axis=0)
        cell = line.cells[2]
        assert cell.gain == pytest.approx(by_seed.mean())
        assert cell.quality == pytest.approx(
            np.mean([values(evidence, line.method, name).mean() for name in ("socks", "shoes")])
        )
        raw[line.method] = significance.p_value(significance.estimate_mean(gains))
        assert cell.gain_low is not None
        assert cell.gain_high is not None
        assert cell.gain_high - cell.gain_low >= stats.t.ppf(0.975, 2) * by_seed.std(ddof=1) / 3**0.5  # seeds alone
    assert [line.cells[2].p for line in found.lines[2:]] == pytest.approx(significance.holm(list(raw.values())))
    assert [line.cells[2].family for line in found.lines] == [0, 0, 3, 3, 3]


def test_out_of_domain_is_paired_query_by_query_and_a_family_of_its_own(both: Any) -> None:
    _, evidence, found = both
    raw = []
    for line in found.lines[2:]:
        for place, name in ((3, "socks"), (4, "shoes")):
            gain = values(evidence, line.method, name, "hats") - values(evidence, "in-batch", name, "hats")
            assert line.cells[place].gain == pytest.approx(gain.mean())
            assert line.cells[place].quality == pytest.approx(values(evidence, line.method, name, "hats").mean())
            raw.append(significance.p_value(significance.estimate(gain)))
    shown = [line.cells[place].p for line in found.lines[2:] for place in (3, 4)]
    assert shown == pytest.approx(significance.holm(raw))
    assert {line.cells[3].family for line in found.lines[2:]} == {6}


def test_mean_ranks_are_those_of_scipy_among_trained_methods(both: Any) -> None:
    _, _, found = both
    trained = [line for line in found.lines if line.form != "reference"]
    table_of = np.array([[line.cells[place].quality for line in trained] for place in (0, 1)])
    assert [line.rank for line in trained] == stats.rankdata(-table_of, axis=1).mean(axis=0).tolist()
    assert [line.rank for line in trained][1] == 1.0  # bm25 is best on both
    assert found.lines[0].rank is None


def test_the_start_is_compared_and_not_tested(both: Any) -> None:
    _, _, found = both
    assert all(cell.gain is not None and cell.p is None for cell in found.lines[0].cells)


def test_a_seed_that_one_collection_lacks_is_left_out_of_the_mean() -> None:
    trials, evidence = made()
    lost = [it for it in trials if it["spelling"] == "bm25" and it["seed"] == 2 and it["axes"]["collection"] == "shoes"]
    lost[0].update(status="failed", metrics={}, draw={}, cost={}, stability={})
    found = matrix(trials, evidence, "socks", "shoes")
    gains = [(values(evidence, "bm25", name) - values(evidence, "in-batch", name))[:2] for name in ("socks", "shoes")]
    assert found.lines[2].cells[2].gain == pytest.approx(np.mean([gain.mean() for gain in gains]))


def test_one_collection_has_no_mean_and_no_rank() -> None:
    trials, evidence = made(("socks",))
    found = matrix(trials, evidence, "socks", further=("hats",))
    assert [(column.name, column.kind) for column in found.columns] == [
        ("socks", "trained on"),
        ("socks > hats", "out of domain"),
    ]
    assert all(line.rank is None for line in found.lines)
    assert not any("mean" in name for name in side_by_side_text.heading(found, "nDCG@10", "in-batch"))


def test_it_is_read_back_as_it_was_written(both: Any) -> None:
    *_, found = both
    held = side_by_side_text.data([found], SAID, folders=True)
    assert Matrix.of(held["matrices"][0]) == found


def test_markdown_terminal_and_csv_say_the_same(both: Any) -> None:
    *_, found = both
    held = side_by_side_text.data([found], SAID, folders=True)
    (one,) = held["tables"]
    assert {len(line) for line in one["body"]} == {len(one["heading"])}
    bm25 = found.lines[2]
    at = one["heading"].index("shoes vs in-batch ±\N{NO-BREAK SPACE}95\N{NO-BREAK SPACE}%")
    cell = bm25.cells[1]
    assert one["body"][2][at].startswith(f"{cell.gain:+.4f} ± ")
    assert one["body"][2][at].endswith(" *")
    assert any("out of domain" in name for name in one["heading"])
    lines = list(csv.DictReader(io.StringIO(side_by_side_text.to_csv([found]))))
    assert len(lines) == len(found.lines) * len(found.columns)
    (mean,) = [line for line in lines if (line["method"], line["column"]) == ("bm25", "mean")]
    assert float(mean["gain"]) == bm25.cells[2].gain
    assert float(mean["mean_rank"]) == 1.0
    (short,) = held["brief"]
    console = Console(width=110, file=io.StringIO())
    console.print(table.terminal(short["heading"], short["body"], "made", held["notes"]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"{cell.quality:.4f} *" in text
    assert "…" not in text


def test_the_notes_count_each_family_and_claim_no_other_collections(both: Any) -> None:
    *_, found = both
    said = " ".join(side_by_side_text.notes([found], SAID))
    assert "Holm-corrected for 6 differences on the collections trained on, 3 of the mean, 6 out of domain" in said
    assert "about these 2 collections and says nothing of others" in said
    assert "none is used" in said


@pytest.mark.parametrize("filled", [0.2, 0.5])
def test_latex_is_one_tabular_with_bold_where_a_test_supports_it(filled: float) -> None:
    trials, evidence = made(filled=filled)
    found = matrix(trials, evidence, "socks", "shoes", further=("hats",))
    held = side_by_side_text.data([found], SAID, folders=True)
    text = side_by_side_text.tex(found, {**SAID, "side_by_side": held["notes"]}, "tab:made")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    assert text.count(r"\label{tab:made}") == 1
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    widths = [len(re.findall(r"(?<!\\)&", line)) for line in body]
    assert len(set(widths[1:])) == 1
    spans = [int(span) for span in re.findall(r"\\multicolumn\{(\d+)\}", body[0])]
    assert sum(spans) == widths[1]
    supported = [
        cell.quality
        for line in found.lines
        for cell in line.cells
        if cell.p is not None
        and cell.p < 0.05
        and (cell.gain or 0) > 0
        and not (line.method == "bm25" and filled > 0.4)
    ]
    assert re.findall(r"\\textbf\{([\d.]+)\}", text) == [f"{quality:.4f}" for quality in supported]
    assert bool(supported) == (filled < 0.4)  # bm25 is the one that is better
    assert r"made \& co" in text
    assert "audit" not in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles(tmp_path: Path) -> None:
    trials, evidence = made()
    found = matrix(trials, evidence, "socks", "shoes", further=("hats",))
    held = side_by_side_text.data([found], SAID, folders=True)
    said = {**SAID, "side_by_side": [*held["notes"], "50 % of_it & more {x} #1 ~^\\<> ±"]}
    text = side_by_side_text.tex(found, said, "tab:made")
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + text + "\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_figure_has_a_panel_for_each_column_and_a_dot_for_each_method(both: Any) -> None:
    *_, found = both
    drawn = figure.draw([found], "nDCG@10", "in-batch")
    assert drawn is not None
    shown = [axes for axes in drawn.axes if axes.get_visible()]
    titles = [axes.get_title(loc="left").split("\n")[0] for axes in shown]
    assert titles == [column.name for column in found.columns]
    assert [label.get_text() for label in shown[0].get_yticklabels()] == ["rank-band", "random", "bm25"]
    for axes, place in zip(shown, range(5), strict=True):
        dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o" and line.get_visible()]  # type: ignore[index]
        assert dots == pytest.approx([line.cells[place].gain for line in found.lines[2:]])
    filled = [
        line.get_markerfacecolor() != "white"
        for line in shown[0].lines
        if line.get_marker() == "o" and line.get_visible()
    ]
    assert filled == [(line.cells[0].p or 1.0) < 0.05 for line in found.lines[2:]]
    assert figure.draw([], "nDCG@10", "in-batch") is None
