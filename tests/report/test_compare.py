"""Two runs side by side, against a comparison by loops over the files."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_trials import trial
from scipy import stats

import negbench as nb
from negbench.report import compare
from negbench.report import rows as report
from negbench.report.rows import Evidence

QUERIES = [f"q{at}" for at in range(7)]


def write(
    folder: Path, methods: dict[str, dict[int | None, float]], *, queries: list[str] = QUERIES, **more: Any
) -> Path:
    """Write the results of a run: per method and seed, a mean around which the values of its queries lie."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(folder.name))
    axes = more.pop("axes", {})
    trials, values = [], {}
    for method, by_seed in methods.items():
        for seed, mean in by_seed.items():
            one = trial(method, seed, 0.0, axes=axes)
            values[one["name"]] = np.round(mean + rng.normal(0, 0.05, len(queries)), 6)
            one["metrics"]["nDCG@10"] = float(values[one["name"]].mean())
            trials.append(one)
    found = report.rows({"trials": trials}, "nDCG@10", None, 0.01, Evidence(values))
    settings = {"measure": more.pop("measure", "nDCG@10"), "title": "made"}
    data = {"trials": trials, "rows": [asdict(row) for row in found], "tables": [], "settings": settings}
    (folder / "results.json").write_text(json.dumps(data))
    grid = f"name: {folder.name}\ntrain: {{epochs: {more.pop('epochs', 1)}}}\n"
    manifest = {"grid": grid, "commit": "abc", "digests": {"collections": {"made": more.pop("digest", "1")}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    lines = [["collection", "query", *values]]
    lines += [["made", query, *[f"{values[name][at]:.6g}" for name in values]] for at, query in enumerate(queries)]
    with (folder / "by_query.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    assert not more
    return folder


def read(folder: Path, method: str, seed: int | None) -> dict[str, float]:
    """Return a trial's values by query."""
    with (folder / "by_query.csv").open(newline="") as file:
        return {line["query"]: float(line[f"{method} {seed} {{}}"]) for line in csv.DictReader(file)}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    first = {"start": {None: 0.3}, "in-batch": {0: 0.5, 1: 0.52, 2: 0.51}, "bm25": {0: 0.4}, "old": {0: 0.1}}
    second = {"start": {None: 0.3}, "in-batch": {1: 0.7, 2: 0.71, 3: 0.9}, "bm25": {0: 0.44}, "new": {0: 0.1}}
    return write(tmp_path / "runs/one", first), write(tmp_path / "runs/another", second, epochs=3, digest="2")


def test_a_difference_of_one_seed_is_that_of_a_paired_t_interval(two: tuple[Path, Path]) -> None:
    found = {row.method: row for row in nb.compare(*two).rows}["bm25"]
    ours, theirs = read(two[0], "bm25", 0), read(two[1], "bm25", 0)
    differences = [theirs[query] - ours[query] for query in QUERIES]
    interval = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (found.difference, found.low, found.high) == pytest.approx((np.mean(differences), *interval), abs=1e-6)
    assert (found.seeds, found.queries, found.p) == (1, 7, None)
    assert found.first == pytest.approx(statistics.mean(ours.values()), abs=1e-6)
    assert found.second == pytest.approx(statistics.mean(theirs.values()), abs=1e-6)


def test_a_difference_of_several_seeds_is_over_those_in_both(two: tuple[Path, Path]) -> None:
    """By loops: the mean over shared seeds 1 and 2, and two variances, each with its own quantile of t."""
    found = {row.method: row for row in nb.compare(*two).rows}["in-batch"]
    table = [
        [read(two[1], "in-batch", seed)[query] - read(two[0], "in-batch", seed)[query] for query in QUERIES]
        for seed in (1, 2)
    ]
    mean = sum(map(sum, table)) / 14
    by_seed = [sum(line) / 7 for line in table]
    by_query = [(table[0][at] + table[1][at]) / 2 for at in range(7)]
    rest = sum((table[s][q] - by_seed[s] - by_query[q] + mean) ** 2 for s in range(2) for q in range(7)) / 6
    of_seeds = sum((it - mean) ** 2 for it in by_seed) / 2
    of_queries = max(sum((it - mean) ** 2 for it in by_query) / 6 / 7 - rest / 14, 0)
    half = math.sqrt(stats.t.ppf(0.975, 1) ** 2 * of_seeds + stats.t.ppf(0.975, 6) ** 2 * of_queries)
    assert found.difference == pytest.approx(mean, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half), abs=1e-6)
    assert (found.seeds, found.queries) == (2, 7)
    assert found.p is not None
    assert found.second == pytest.approx(
        np.mean([[*read(two[1], "in-batch", it).values()] for it in (1, 2, 3)]), abs=1e-6
    )


def test_p_values_are_corrected_over_the_table(tmp_path: Path) -> None:
    """Two methods with the same values have the same p value; beside one another it is twice that of one alone."""
    p = {}
    for names in (["a"], ["a", "b"]):
        means = [{name: {0: mean, 1: mean + 0.01} for name in names} for mean in (0.5, 0.502)]
        folders = [write(tmp_path / f"{len(names)}/{side}", it) for side, it in zip("xy", means, strict=True)]
        if len(names) == 2:
            for folder in folders:
                _copy_values(folder, tmp_path / f"1/{folder.name}")
        p[len(names)] = [row.p for row in nb.compare(*folders).rows]
    (alone,) = p[1]
    assert alone is not None
    assert p[2] == pytest.approx([min(1, 2 * alone)] * 2)


def _copy_values(folder: Path, other: Path) -> None:
    """Give both methods of a run the values of the one method of another."""
    with (other / "by_query.csv").open(newline="") as file:
        head, *lines = csv.reader(file)
    names = [name.replace("a ", f"{method} ", 1) for method in "ab" for name in head[2:]]
    with (folder / "by_query.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*head[:2], *names], *[[*line, *line[2:]] for line in lines]])


def test_methods_of_one_run_alone_are_listed_without_a_difference(two: tuple[Path, Path]) -> None:
    found = nb.compare(*two)
    assert [row.method for row in found.rows] == ["start", "in-batch", "bm25", "old", "new"]
    old, new = found.rows[3:]
    assert (old.second, old.difference, old.note) == (None, None, "not in another")
    assert (new.first, new.difference, new.note) == (None, None, "not in one")


@pytest.mark.parametrize(
    ("reason", "said"),
    [("queries", "not the same queries"), ("seeds", "no seed in both"), ("file", "no values by query")],
)
def test_what_cannot_be_paired_has_only_the_means(tmp_path: Path, reason: str, said: str) -> None:
    one = write(tmp_path / "one", {"bm25": {0: 0.5}})
    queries = [*QUERIES[:-1], "q99"] if reason == "queries" else QUERIES
    other = write(tmp_path / "other", {"bm25": {9 if reason == "seeds" else 0: 0.6}}, queries=queries)
    if reason == "file":
        (other / "by_query.csv").unlink()
    found = nb.compare(one, other)
    (row,) = found.rows
    assert row.note == said
    assert (row.difference, row.low, row.high, row.p, row.seeds) == (None, None, None, None, 0)
    assert row.first is not None
    assert row.second is not None
    assert f"{said}, so there are only the means, and no difference: bm25" in found.table


def test_points_of_the_axes_are_not_mixed(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"bm25": {0: 0.5}}, axes={"start": "weak"})
    other = write(tmp_path / "other", {"bm25": {0: 0.6}}, axes={"start": "strong"})
    found = nb.compare(one, other)
    assert [(row.axes, row.note) for row in found.rows] == [
        ({"start": "weak"}, "not in other"),
        ({"start": "strong"}, "not in one"),
    ]
    assert "no method is in both runs" in found.table


def test_what_differs_between_the_grids_is_said(two: tuple[Path, Path]) -> None:
    assert nb.compare(*two).changes == [
        "train.epochs: 1 in one, 3 in another",
        "collection made is not the same in both: its digests differ",
    ]
    assert nb.compare(two[0], two[0] / "manifest.json").changes == []


def test_a_run_beside_itself_has_no_difference(two: tuple[Path, Path]) -> None:
    found = nb.compare(two[0], two[0])
    assert all(row.difference == row.low == row.high == 0 for row in found.rows)
    assert all(row.p in (None, 1.0) for row in found.rows)
    assert (found.first.name, found.second.name) == (f"{two[0]} (first)", f"{two[0]} (second)")


def test_names_are_as_long_as_it_takes() -> None:
    assert compare.names("runs/a", "runs/b/") == ("a", "b")
    assert compare.names("1/runs", "2/runs") == ("1/runs", "2/runs")


class TestCommand:
    def test_terminal_markdown_csv_json(
        self, two: tuple[Path, Path], tmp_path: Path, negbench: Callable[..., Any]
    ) -> None:
        said = negbench("compare", *two, "--out", "a.md", cwd=tmp_path)
        assert said.code == 0, said.err
        found = nb.compare(*two)
        row = found.rows[1]
        assert row.difference is not None
        assert f"{row.difference:+.4f}" in said.out
        assert "comparison in a.md" in said.out
        page = (tmp_path / "a.md").read_text()
        assert page == found.markdown
        assert page.startswith("# one and another, nDCG@10\n")
        assert f"| in-batch | {row.first:.4f} | {row.second:.4f} | {row.difference:+.4f} ± " in page
        again = negbench("compare", *reversed(two), "--out", "a.md", cwd=tmp_path)
        assert (again.code, (tmp_path / "a.md").read_text()) == (2, page)
        assert "--out a.md: exists already; give a new file, or remove this one" in again.err
        told = negbench("compare", two[0] / "manifest.json", two[1], "--out", "a.csv", "--json", cwd=tmp_path)
        assert json.loads(told.out)["rows"] == [asdict(it) for it in found.rows]
        lines = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
        assert [line["method"] for line in lines] == [it.method for it in found.rows]
        assert float(lines[1]["difference"]) == row.difference
        assert found.to_pandas()["seeds"].tolist() == [it.seeds for it in found.rows]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("nowhere", "nowhere: no such folder; expected results of a grid"),
            ("empty", "no results.json; expected the results of a grid"),
            ("json", "results.json:1: not valid JSON"),
            ("number", "by_query.csv:2: in-batch 0 {}: expected a number, found 'x'"),
            ("measure", "one is measured by nDCG@10, two by RR@10"),
            ("suffix", "--out a.txt: expected a file that ends in .md or .csv"),
        ],
    )
    def test_bad_input(self, change: str, said: str, tmp_path: Path, negbench: Callable[..., Any]) -> None:
        write(tmp_path / "one", {"in-batch": {0: 0.5}})
        other = write(tmp_path / "two", {"in-batch": {0: 0.5}}, measure="RR@10" if change == "measure" else "nDCG@10")
        if change == "empty":
            (other / "results.json").unlink()
        if change == "json":
            (other / "results.json").write_text("{")
        if change == "number":
            (other / "by_query.csv").write_text("collection,query,in-batch 0 {}\nmade,q0,x\n")
        out = ("--out", "a.txt") if change == "suffix" else ()
        found = negbench("compare", "one", "nowhere" if change == "nowhere" else "two", *out, cwd=tmp_path)
        assert (found.code, found.out) == (2, "")
        (line,) = found.err.splitlines()
        assert said in line
        assert not list(tmp_path.glob("a.*"))
