from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pools import mined

from negbench.config.grid import read
from negbench.evaluation.shares import Share
from negbench.plan.trials import Trial, trials
from negbench.report import results
from negbench.report.rows import Evidence, rows
from negbench.stages.evaluation import breakdown_files
from negbench.store import Store, save_arrays

RATES = {"exact": {"rate": 0.1, "low": 0.05, "high": 0.2, "unit": "negative", "note": "made up"}}

SHARE = Share(np.array([[1.0, 1.0], [10.0, 10.0]]), 0.75)

CURVE = [(step, 1.0) for step in range(1, 12)] + [(12, 9.0)]

NEGATIVES = mined(
    [[5, 6], [7, 8]],
    origins=[[0, 0], [0, 1]],
    ranks=[[3, 0], [9, -1]],
    scores=[[1, 2], [3, np.nan]],
    effective_size=[2, 4],
)


@pytest.fixture
def planned(tmp_path: Path) -> list[Trial]:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/model.safetensors").write_bytes(b"weights")
    grid = {
        "name": "g",
        "collection": "helpdesk",
        "encoder": str(tmp_path / "encoder"),
        "methods": ["in-batch", {"simans": {"a": 1}}],
        "axes": {"negatives": [2]},
    }
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    return trials(read(tmp_path / "grid.yaml"))


@pytest.fixture
def store(planned: list[Trial], tmp_path: Path) -> Store:
    """A store that holds made-up artifacts of every stage; each took a second and a quarter."""
    made = Store(tmp_path / "store")
    for stage in {stage for trial in planned for stage in trial.stages}:
        folder = made.path(stage)
        folder.mkdir(parents=True)
        record = {"key": stage.key, "cost": {"seconds": 1.25, "recall": 0.5}}
        (folder / "stage.json").write_text(json.dumps(record))
        if stage.kind == "evaluation":
            (folder / "metrics.json").write_text(json.dumps({"nDCG@10": 0.5, "AP": math.nan}))
            np.save(folder / "0.npy", np.array([0.25, 0.75, np.nan]))
        elif stage.kind == "in-batch-false-negatives":
            (folder / "rates.json").write_text("{}")
        elif stage.kind == "false-negatives":
            (folder / "rates.json").write_text(json.dumps(RATES))
            np.save(folder / "exact.npy", np.array([[1.0, 1.0], [10.0, 10.0]]))
        elif stage.kind == "geometry":
            (folder / "metrics.json").write_text(json.dumps({"alignment": 0.25}))
        elif stage.kind == "measured-negatives":
            (folder / "metrics.json").write_text(json.dumps({"eci": 0.125}))
        elif stage.kind == "where":
            breakdown_files.write({"rank": {"1-4": SHARE}}, folder)
        elif stage.kind == "training":
            (folder / "curves.json").write_text(json.dumps({"loss": CURVE}))
        elif stage.kind == "negatives":
            save_arrays(NEGATIVES, folder)
    return made


def test_a_record_has_all_that_the_table_needs(planned: list[Trial], store: Store) -> None:
    search, start, control, simans = [results.record(trial, planned, store, None) for trial in planned]
    assert [row["method"] for row in (search, start, control, simans)] == ["bm25-search", "start", "in-batch", "simans"]
    assert simans["spelling"] == "simans(a=1.0)"
    assert (simans["seed"], search["seed"]) == (0, None)
    assert {row["collection"] for row in (search, start, control, simans)} == {"helpdesk"}
    assert simans["axes"] == {"negatives": 2}
    assert simans["status"] == "done"
    assert simans["metrics"]["nDCG@10"] == 0.5
    assert math.isnan(simans["metrics"]["AP"])
    assert simans["false_negatives"] == control["false_negatives"] == RATES
    assert (start["false_negatives"], start["draw"], control["draw"]) == ({}, {}, {})
    assert simans["draw"] == {"filled": 0.25, "median_rank": 3.0, "effective_size": 3.0, "recall": 0.5}
    assert simans["cost"]["seconds"] == 1.25 * len(planned[3].costed_stages)

    assert simans["metrics"]["geometry/alignment"] == 0.25
    assert simans["metrics"]["negatives/eci"] == 0.125
    assert "negatives/eci" not in control["metrics"]  # in-batch mines none
    assert simans["metrics"]["among-bm25/nDCG@10"] == 0.5
    assert simans["stability"] == {"loss_spikes": 1}
    assert simans["ranks"] == results.rank_counts(NEGATIVES)
    share = simans["details"]["rank"]["1-4"]
    assert (share["rate"], share["reference"]) == (pytest.approx(0.1), 0.75)
    assert share["low"] < 0.1 < share["high"]
    assert control["details"] == {}

    data = {"trials": json.loads(json.dumps([search, start, control, simans]))}
    found = rows(data, "nDCG@10", "in-batch", 0.01, results.evidence(planned, store))
    assert [row.quality for row in found] == [0.5] * 4
    assert found[3].rate == pytest.approx(0.1)


def test_ranks_are_counted_from_one_and_filled_ones_apart() -> None:
    """Zero-based ranks 3, 0 and 9, and one that was filled in."""
    counts = results.rank_counts(NEGATIVES)
    assert {name: count for name, count in counts.items() if count} == {"1": 1, "2-4": 1, "10-19": 1, "filled": 1}
    assert list(counts) == [
        "1",
        "2-4",
        "5-9",
        "10-19",
        "20-49",
        "50-99",
        "100-199",
        "200-499",
        "500-999",
        "1000-",
        "filled",
    ]


def test_values_by_query_and_curves_are_written_in_full(planned: list[Trial], store: Store) -> None:
    (start, trained) = planned[1], planned[3]
    lines = list(csv.reader(io.StringIO(results.curves([start, trained], store))))
    assert lines[0] == ["trial", "curve", "step", "value"]
    assert lines[1:3] == [[trained.name, "loss", "1", "1"], [trained.name, "loss", "2", "1"]]
    assert len(lines) == 1 + len(CURVE)


def test_digests_name_every_stage(planned: list[Trial], store: Store) -> None:
    for trial in planned:
        digests = results.record(trial, planned, store, None)["digests"]
        assert sorted(key for found in digests.values() for key in found) == sorted(
            stage.key for stage in trial.result_stages
        )
        assert digests["evaluation"] == [trial.evaluation.key]
    assert len(digests["embeddings"]) == 4  # corpus and training queries before, corpus and test queries after


def test_a_failed_trial_has_its_reason_and_no_figures(planned: list[Trial], tmp_path: Path) -> None:
    row = results.record(planned[3], planned, Store(tmp_path / "empty"), "train: the disk is full")
    assert row["status"] == "failed"
    assert row["error"] == "train: the disk is full"
    assert (row["metrics"], row["false_negatives"], row["draw"], row["cost"]) == ({}, {}, {}, {})
    assert row["digests"]["training"]
    (found,) = rows({"trials": [row]}, "nDCG@10", None, 0.01, Evidence())
    assert (found.failed, found.quality) == (1, None)


def test_a_draw_is_described() -> None:
    assert results.describe_draw(NEGATIVES) == {"filled": 0.25, "median_rank": 3.0, "effective_size": 3.0}
    nothing = replace(
        NEGATIVES,
        **{
            name: getattr(NEGATIVES, name)[:0]
            for name in ("queries", "documents", "origins", "ranks", "effective_size")
        },
    )
    described = results.describe_draw(nothing)
    assert (described["filled"], described["effective_size"]) == (0.0, 0.0)
    assert math.isnan(described["median_rank"])


def test_a_manifest_tells_how_to_do_it_again() -> None:
    made = results.manifest(["negbench", "run", "grid.yaml"], "name: made\n", ["seeds=[1]"], "float32")
    assert json.loads(json.dumps(made)) == made
    assert made["command"] == ["negbench", "run", "grid.yaml"]
    assert made["grid"] == "name: made\n"
    assert made["precision"] == "float32"
    assert made["versions"]["numpy"] == version("numpy") == np.__version__
    assert {"torch", "sentence-transformers", "negbench"} <= made["versions"].keys()


def row(method: str, **versions: list[str]) -> dict[str, Any]:
    return {"spelling": method, "status": "done", "versions": versions}


def test_versions_that_differ_are_told_by_row_in_one_line() -> None:
    same = [row("a", numpy=["2"], torch=["3"]), row("b", numpy=["2"], torch=["3"])]
    assert results.versions_differ(same) == []
    assert results.all_versions(same) == {"numpy": ["2"], "torch": ["3"]}
    apart = [*same, row("c", numpy=["1", "2"], torch=["3"]), {"spelling": "d", "status": "failed", "versions": {}}]
    assert results.versions_differ(apart) == [
        "These results were computed with different package versions: numpy 1 (c), 2 (all rows)"
    ]
    many = [row(f"m{at}", numpy=["2"], torch=["3" if at else "4"]) for at in range(6)]
    (line,) = results.versions_differ(many)
    assert line.endswith("versions: torch 3 (m1, m2, m3 and 2 more), 4 (m0)")
    assert results.all_versions(apart)["numpy"] == ["1", "2"]


def test_a_record_tells_what_its_stages_were_made_with(planned: list[Trial], store: Store) -> None:
    """Those of the stages, not of the process that reads them; an old record has none."""
    simans = planned[3]
    assert results.record(simans, planned, store, None)["versions"] == {"negbench": ["unknown"]}
    for at, stage in enumerate(simans.stages):
        path = store.path(stage) / "stage.json"
        made = {"negbench": "0", "torch": "1.0" if at else "0.9"}
        path.write_text(json.dumps({**json.loads(path.read_text()), "versions": made}))
    found = results.record(simans, planned, store, None)["versions"]
    assert found == {"negbench": ["0"], "torch": ["0.9", "1.0"]}


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results.write_json(path, {"a": [1, "ü"]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": [1, "ü"]}
    with pytest.raises(TypeError):
        results.write_json(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": [1, "ü"]}
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def test_what_is_no_finite_number_is_null_in_json(tmp_path: Path) -> None:
    results.write_json(tmp_path / "x.json", {"a": [float("nan"), 1.5], "b": {"c": float("inf")}})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [None, 1.5], "b": {"c": None}}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
