"""A grid to log, and a look at what MLflow then holds with MLflow's own client, never with the code under test."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from negbench.tracking import TrialLog

DIGEST = "0123456789abcdef" * 4
NAMES = ["simans(scale=zscore) seed 0", "random seed 0"]


def make_trial(folder: Path, number: int = 0) -> TrialLog:
    draws = folder / f"draws-{number}.json"
    draws.write_text(f'{{"trial": {number}}}')
    return TrialLog(
        key=f"{number:064x}",
        name=NAMES[number % 2],
        parameters={"sampler.a": 0.5, "train.epochs": 1, "method": "simans", "gradcache": False, "teacher": None},
        metrics={"nDCG@10": 0.6125, "false_negatives/exact/rate": 0.25, "undefined": float("nan")},
        curves={"train/loss": [(10, 2.0), (20, 1.5), (1200, 0.75)]},
        tags={"form": "fixed"},
        collection="helpdesk",
        collection_digest=DIGEST,
        profile={"corpus": 400, "train": 120, "test": 60},
        artifacts=(draws,),
    )


def grid_files(folder: Path, text: str = "| method |") -> list[Path]:
    (folder / "table.md").write_text(text)
    (folder / "results.json").write_text("{}")
    return [folder / "results.json", folder / "table.md"]


def client_of(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def runs_of(uri: str, name: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the parents of an experiment and its children by trial key; a doubled child fails."""
    client = client_of(uri)
    runs = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    by_key = {run.data.tags["negbench.trial"]: run for run in children}
    assert len(by_key) == len(children)
    return parents, by_key


def check_grid(uri: str, name: str, trials: list[TrialLog]) -> None:
    """Everything that a trial says is found in the store, once."""
    client = client_of(uri)
    parents, children = runs_of(uri, name)
    assert [run.info.run_name for run in parents] == [name]
    assert parents[0].info.status == "FINISHED"
    assert {file.path for file in client.list_artifacts(parents[0].info.run_id)} == {"results.json", "table.md"}
    assert set(children) == {trial.key for trial in trials}
    for trial in trials:
        run = children[trial.key]
        run_id = run.info.run_id
        assert (run.info.run_name, run.info.status) == (trial.name, "FINISHED")
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        assert run.data.tags["form"] == "fixed"
        assert run.data.params == {
            "sampler.a": "0.5",
            "train.epochs": "1",
            "method": "simans",
            "gradcache": "false",
            "teacher": "null",
        }
        assert run.data.metrics == {"nDCG_10": 0.6125, "false_negatives/exact/rate": 0.25, "train/loss": 0.75}
        (final,) = client.get_metric_history(run_id, "nDCG_10")
        assert final.step == 0  # so that MLflow compares runs by bars
        curve = client.get_metric_history(run_id, "train/loss")
        assert sorted((point.step, point.value) for point in curve) == [(10, 2.0), (20, 1.5), (1200, 0.75)]
        (entry,) = run.inputs.dataset_inputs
        assert (entry.dataset.name, entry.dataset.digest) == ("helpdesk", DIGEST[:36])
        assert json.loads(entry.dataset.profile) == {"corpus": 400, "train": 120, "test": 60}
        assert DIGEST in entry.dataset.source
        assert [(tag.key, tag.value) for tag in entry.tags] == [("mlflow.data.context", "training")]
        (attached,) = client.list_artifacts(run_id)
        with tempfile.TemporaryDirectory() as scratch:
            fetched = client.download_artifacts(run_id, attached.path, scratch)
            assert Path(fetched).read_bytes() == trial.artifacts[0].read_bytes()
