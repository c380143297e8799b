"""A grid of several collections through the command line and the Python API."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_grid import measured

import negbench as nb
from negbench import tracking

GRID = """
name: both
collections:
  - garden
  - {{collection: garden, name: yard, split: dev, train.epochs: 2}}
evaluate_on: [elsewhere]
encoder: {{model: {encoder}, keep_layers: 2}}
methods: [in-batch, {{bm25: {{}}, name: lexical}}]
seeds: [0, 1]
train: {{epochs: 1, batch_size: 8, learning_rate: 3e-3, max_length: 64, precision: float32}}
baseline: in-batch
"""


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_encoder: Path,
    tiny_collection: Path,
    negbench: Callable[..., Any],
) -> tuple[Path, Any]:
    """The folder ``study`` with the grid and its collections, run from the folder above."""
    here = tmp_path_factory.mktemp("several")
    for name in ("garden", "elsewhere"):
        shutil.copytree(tiny_collection, here / "study" / name)
    (here / "study/grid.yaml").write_text(GRID.format(encoder=tiny_encoder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
        said = negbench("run", "study/grid.yaml", cwd=here)
    assert said.code == 0, said.err
    return here, said


def table(path: Path) -> list[dict[str, str]]:
    """The lines of a table, without what was measured and differs from run to run."""
    with path.open(newline="") as file:
        return [{name: cell for name, cell in line.items() if not measured(name)} for line in csv.DictReader(file)]


def test_the_terminal_shows_one_table_of_all(ran: tuple[Path, Any]) -> None:
    _, said = ran
    assert {"elsewhere", "yard", "rank", "lexical", "untouched"} <= set(said.out.split())  # headings are wrapped
    assert "all columns of each collection: NAME/table.md" in said.out
    assert "note: garden: 10 test queries, fewer than 50" in said.out
    assert "note: yard: 6 dev queries, fewer than 50" in said.out


def test_each_collection_has_the_files_of_a_grid_of_it_alone(
    ran: tuple[Path, Any], negbench: Callable[..., Any]
) -> None:
    here, _ = ran
    text = (here / "study/grid.yaml").read_text().replace("both", "alone")
    lines = [line for line in text.splitlines() if not line.startswith(("collections", "  - "))]
    (here / "study/alone.yaml").write_text("\n".join(lines) + "\ncollection: garden\nsplit: dev\n")
    assert negbench("run", "study/alone.yaml", "--set", "train.epochs=2", cwd=here).code == 0
    assert table(here / "runs/both/yard/table.csv") == table(here / "runs/alone/table.csv")
    for name in ("by_query.csv", "out_of_domain_by_query.csv", "side_by_side.csv", "details.csv"):
        assert (here / "runs/both/yard" / name).read_bytes() == (here / "runs/alone" / name).read_bytes(), name
    own, alone = (json.loads((here / f"runs/{name}/manifest.json").read_text()) for name in ("both/yard", "alone"))
    assert own["sizes"] == {"garden": alone["sizes"]["garden"], "elsewhere": alone["sizes"]["elsewhere"]}


def test_tables_pages_and_manifest_have_the_sizes(ran: tuple[Path, Any]) -> None:
    here, _ = ran
    out = here / "runs/both"
    size = "garden: 60 documents; queries (positives a query): 24 train (2.0), 6 dev (1.0), 10 test (1.0)"
    assert size in (out / "table.md").read_text()
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["sizes"]["yard"]["evaluated"] == "dev"
    assert manifest["folder"] == "study"
    assert json.loads((out / "results.json").read_text())["side_by_side"]["folders"]


def test_values_by_query_out_of_domain_have_the_means_of_the_table(ran: tuple[Path, Any]) -> None:
    here, _ = ran
    lines = table(here / "runs/both/out_of_domain_by_query.csv")
    assert {line["collection"] for line in lines} == {"elsewhere"}
    assert len(lines) == 10
    names = [f"lexical seed {seed} collection=yard" for seed in (0, 1)]
    mean = sum(float(line[name]) for line in lines for name in names) / (2 * len(lines))
    (cell,) = [
        line
        for line in table(here / "runs/both/side_by_side.csv")
        if (line["method"], line["trained_on"], line["measured_on"]) == ("lexical", "yard", "elsewhere")
    ]
    assert float(cell["quality"]) == pytest.approx(mean, abs=1e-5)


def test_the_page_figure_and_latex(ran: tuple[Path, Any], negbench: Callable[..., Any]) -> None:
    here, _ = ran
    said = negbench("report", "study/grid.yaml", "--texts", "1", cwd=here)
    assert said.code == 0, said.err
    written = [Path(line) for line in said.out.split()]
    for name in ("side_by_side.tex", "figures/side_by_side.png", "report.html", "yard/report.html", "garden/table.tex"):
        assert Path("runs/both") / name in written
        assert (here / "runs/both" / name).stat().st_size > 100
    page = (here / "runs/both/report.html").read_text()
    assert page.index("Side by side") < page.index("By collection")
    assert "10 test (1.0)" in page


def test_the_plan_and_the_python_api(ran: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    here, _ = ran
    monkeypatch.chdir(here)
    monkeypatch.setenv("NEGBENCH_STORE", str(here / ".negbench"))
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
    plan = nb.plan_run("study/grid.yaml")
    assert [one["name"] for one in plan.data["collections"]] == ["garden", "yard"]
    assert "collection yard: beir(path=study/garden), dev; out of domain: elsewhere" in plan.table
    assert "0 are left to run" in plan.table
    results = nb.run("study/grid.yaml")
    frame = results.side_by_side()
    assert len(frame) == 5 * 5  # two references, the published model and two methods; two collections, mean, two others
    assert set(frame["column"]) == {"trained on", "mean", "out of domain"}
    assert results.figure("side_by_side").axes
    manifest = nb.run("runs/both/manifest.json", "runs/again")
    assert manifest.side_by_side().equals(frame)


def test_a_collection_without_training_queries_is_told_what_to_do(
    ran: tuple[Path, Any], negbench: Callable[..., Any]
) -> None:
    here, _ = ran
    bare = shutil.copytree(here / "study/garden", here / "study/bare")
    (bare / "qrels/train.tsv").unlink()
    said = negbench("run", "study/grid.yaml", "--set", "collections=[garden, study/bare]", "--out", "runs/x", cwd=here)
    assert said.code == 2
    assert "collection bare has no split 'train'" in said.err.splitlines()[-1]
    assert "under evaluate_on of a grid" in said.err.splitlines()[-1]
    assert not (here / "runs/x").exists()


def test_a_folder_of_the_working_directory_alone_is_noted(ran: tuple[Path, Any], negbench: Callable[..., Any]) -> None:
    here, _ = ran
    shutil.copytree(here / "study/garden", here / "far")
    text = (here / "study/grid.yaml").read_text().replace("  - garden\n", "  - far\n")
    (here / "study/far.yaml").write_text(text)
    said = negbench("plan", "study/far.yaml", cwd=here)
    assert said.code == 0
    assert "note: collection far: there is no study/far beside the grid" in said.out.replace("\n", " ")
