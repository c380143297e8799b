"""``negbench repair`` through the command line, with a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench import tracking
from negbench.types import Negatives

FORM = """
name: tiny
collection: {collection}
encoder: {{model: {encoder}, reinit_layers: 1}}
methods: [in-batch, bm25]
negatives: 3
train: {{epochs: 1, batch_size: 8, learning_rate: 3e-3, max_length: 64, precision: float32}}
"""
HELPDESK = "helpdesk(articles=100, queries=24, dev=6, test=12)"


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow has tests of its own."""
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))


def test_a_grid_says_what_false_negatives_cost(
    tmp_path: Path, tiny_encoder: Path, negbench: Callable[..., Any]
) -> None:
    (tmp_path / "grid.yaml").write_text(FORM.format(collection=HELPDESK, encoder=tiny_encoder))
    variants = "[null, replaced, relabelled, injected(rate=0.2), injected(rate=0.4)]"
    said = negbench("repair", "grid.yaml", "--set", f"axes.repair={variants}", cwd=tmp_path)
    assert said.code == 0, said.err
    assert "a percentage point of false negatives costs" in said.out
    out = tmp_path / "runs/tiny"
    assert {"repair.md", "repair.json", "results.json", "table.md"} <= {path.name for path in out.iterdir()}
    assert (out / "figures/repair.svg").read_text().startswith("<svg")
    assert (out / "figures/repair.png").stat().st_size > 1000

    found = json.loads((out / "repair.json").read_text())
    trials = {
        trial["axes"]["repair"]: trial
        for trial in json.loads((out / "results.json").read_text())["trials"]
        if trial["method"] == "bm25"
    }
    rates = {point["variant"]: point["rate"] for point in found["points"]}
    for name, variant in ((None, "as mined"), ("replaced", "replaced"), ("injected(rate=0.4)", "injected 40 %")):
        assert rates[variant] == pytest.approx(trials[name]["false_negatives"]["exact"]["rate"])
    assert rates["as mined"] > rates["replaced"] == rates["relabelled"] == 0
    assert 0.1 < rates["injected 20 %"] < rates["injected 40 %"]

    quality = {name: trial["metrics"]["nDCG@10"] for name, trial in trials.items()}
    changes = {point["variant"]: point["change"] for point in found["points"]}
    assert changes["injected 40 %"] == pytest.approx(quality["injected(rate=0.4)"] - quality["replaced"])
    x = np.array([rates[name] for name in ("replaced", "injected 20 %", "injected 40 %")])
    y = [quality[name] for name in ("replaced", "injected(rate=0.2)", "injected(rate=0.4)")]
    assert found["losses"][0]["loss"] == pytest.approx(-np.polyfit(x, y, 1)[0])
    (gain,) = [one for one in found["gains"] if one["variant"] == "relabelled"]
    assert gain["gain"] == pytest.approx(quality["relabelled"] - quality[None])

    store = tmp_path / ".negbench"
    trained = {trial["digests"]["training"][-1] for trial in trials.values()}
    weights = {(store / "training" / key / "model/model.safetensors").read_bytes() for key in trained}
    assert len(trained) == len(weights) == 5
    assert len(list((store / "training").glob("*/stage.json"))) == 6  # in-batch has nothing to repair: once
    steps = {json.loads((store / "training" / key / "stage.json").read_text())["cost"]["steps"] for key in trained}
    assert len(steps) == 1
    draws = [store / "repaired" / trial["digests"]["repaired"][-1] for name, trial in trials.items() if name]
    shapes = {np.load(folder / "documents.npy").shape for folder in draws}
    assert len(shapes) == 1
    assert {path.stem for path in draws[0].glob("*.npy")} == set(Negatives.__slots__) - {"epochs"}

    again = negbench("repair", "out.yaml", cwd=tmp_path)
    assert again.code == 2
    manifest = out / "manifest.json"  # is run like the grid that it came from
    again = negbench("repair", manifest, "--json", cwd=tmp_path)
    assert again.code == 0, again.err
    assert json.loads(again.out) == found


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["methods=[in-batch]"], "grid.yaml: methods: none of them mines negatives"),
        (["repair=replaced"], "grid.yaml: repair: this command varies the key"),
        (["axes.repair=[nosuch]"], "no repair is called 'nosuch'; known: injected, relabelled, replaced"),
        (["axes.repair=[injected(rate=2)]"], "expected at most 1"),
    ],
)
def test_what_cannot_be_repaired_is_told_in_one_line(
    tmp_path: Path, tiny_encoder: Path, negbench: Callable[..., Any], changes: list[str], says: str
) -> None:
    (tmp_path / "grid.yaml").write_text(FORM.format(collection=HELPDESK, encoder=tiny_encoder))
    asked = [argument for change in changes for argument in ("--set", change)]
    said = negbench("repair", "grid.yaml", *asked, cwd=tmp_path)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert says in said.err
    assert not (tmp_path / ".negbench").exists()


def test_a_collection_without_truth_is_refused_before_anything_is_trained(
    tmp_path: Path, tiny_encoder: Path, tiny_collection: Path, negbench: Callable[..., Any]
) -> None:
    (tmp_path / "grid.yaml").write_text(FORM.format(collection=tiny_collection, encoder=tiny_encoder))
    said = negbench("repair", "grid.yaml", cwd=tmp_path)
    assert said.code == 2
    last = said.err.splitlines()[-1]
    assert last.startswith("negbench: repair: collection garden has no fuller judgments of train")
    assert "hidden" in last
    assert not (tmp_path / "runs").exists()
