"""Logging to files and databases."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from logged import check_grid, client_of, grid_files, make_trial, runs_of

from negbench import tracking
from negbench.tracking import log_grid


class TestBesideTheResults:
    """One grid of two trials, logged to the default store, with a space in its path."""

    @pytest.fixture(scope="class")
    def out(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        out = tmp_path_factory.mktemp("some results")
        elsewhere = tmp_path_factory.mktemp("cwd")
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            patch.chdir(elsewhere)
            trials = [make_trial(out, number) for number in range(2)]
            outcome = log_grid("scifact", trials, out, tags={"command": "run"}, artifacts=grid_files(out))
        assert (outcome.delivered, outcome.missing) == (2, 0), outcome.message
        assert list(elsewhere.iterdir()) == []
        return out

    def test_everything_is_there(self, out: Path) -> None:
        uri = tracking.default_uri(out)
        check_grid(uri, "scifact", [make_trial(out, number) for number in range(2)])
        parents, _ = runs_of(uri, "scifact")
        assert parents[0].data.tags["command"] == "run"

    def test_artifacts_lie_beside_the_database(self, out: Path) -> None:
        assert (out / "mlflow.db").is_file()
        held = sorted(path.name for path in (out / "mlartifacts").rglob("*") if path.is_file())
        assert held == ["draws-0.json", "draws-1.json", "results.json", "table.md"]

    def test_again_writes_nothing(self, out: Path, tmp_path: Path) -> None:
        trials = [make_trial(out, number) for number in range(2)]
        uri = tracking.default_uri(out)
        before = (out / "mlflow.db").read_bytes()
        assert log_grid("scifact", trials, out, artifacts=grid_files(out)).missing == 0
        assert (out / "mlflow.db").read_bytes() == before
        assert log_grid("scifact", trials, tmp_path, uri, artifacts=grid_files(out)).delivered == 2  # another folder
        assert (out / "mlflow.db").read_bytes() == before
        check_grid(uri, "scifact", trials)

    def test_a_removed_database_is_filled_again(self, tmp_path: Path, out: Path) -> None:
        trials = [make_trial(out, number) for number in range(2)]
        (out / "mlflow.db").rename(tmp_path / "away.db")
        assert log_grid("scifact", trials, out, artifacts=grid_files(out)).delivered == 2
        check_grid(tracking.default_uri(out), "scifact", trials)


class TestOneStore:
    """Cases that share a database; each has an experiment of its own."""

    def test_changed_files_of_the_grid_are_sent_again(self, tmp_path: Path, database: str) -> None:
        trial = make_trial(tmp_path)
        log_grid("refreshed", [trial], tmp_path, database, artifacts=grid_files(tmp_path, "old"))
        log_grid("refreshed", [trial], tmp_path, database, artifacts=grid_files(tmp_path, "new"))
        parents, _ = runs_of(database, "refreshed")
        (tmp_path / "fetched").mkdir()
        run_id = parents[0].info.run_id
        fetched = client_of(database).download_artifacts(run_id, "table.md", str(tmp_path / "fetched"))
        assert Path(fetched).read_text() == "new"

    def test_a_later_trial_joins_the_same_parent(self, tmp_path: Path, database: str) -> None:
        trials = [make_trial(tmp_path, number) for number in range(2)]
        log_grid("grows", trials[:1], tmp_path, database, artifacts=grid_files(tmp_path))
        first = runs_of(database, "grows")[1][trials[0].key].info.run_id
        assert log_grid("grows", trials, tmp_path, database, artifacts=grid_files(tmp_path)).delivered == 2
        check_grid(database, "grows", trials)
        assert runs_of(database, "grows")[1][trials[0].key].info.run_id == first

    def test_a_child_that_was_cut_short_is_replaced(self, tmp_path: Path, database: str) -> None:
        trial = make_trial(tmp_path)
        client = client_of(database)
        experiment = client.create_experiment("crashed", (tmp_path / "mlartifacts").as_uri())
        parent = client.create_run(experiment, tags={"negbench.grid": "crashed"}, run_name="crashed").info.run_id
        tags = {"negbench.trial": trial.key, "mlflow.parentRunId": parent}
        child = client.create_run(experiment, tags=tags, run_name=trial.name).info.run_id
        client.log_param(child, "sampler.a", "0.25")  # a parameter cannot be changed later
        client.log_metric(child, "train/loss", 2.0, step=10)
        outcome = log_grid("crashed", [trial], tmp_path, database, artifacts=grid_files(tmp_path))
        assert (outcome.delivered, outcome.missing) == (1, 0), outcome.message
        check_grid(database, "crashed", [trial])
        assert runs_of(database, "crashed")[0][0].info.run_id == parent

    @pytest.mark.parametrize("cause", ["killed", "store lost"])
    def test_cut_short_at_the_second_of_three(
        self, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, cause: str
    ) -> None:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        trials = [make_trial(tmp_path, number) for number in range(3)]
        log_inputs = MlflowClient.log_inputs
        calls = 0

        def fail_second(client: Any, *arguments: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt if cause == "killed" else MlflowException("database is gone")
            log_inputs(client, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, "log_inputs", fail_second)
            if cause == "killed":
                with pytest.raises(KeyboardInterrupt):
                    log_grid(cause, trials, tmp_path, database)
            else:
                outcome = log_grid(cause, trials, tmp_path, database)
                assert (outcome.delivered, outcome.missing) == (1, 2)
                assert "database is gone" in outcome.message
        assert calls == 2  # the third trial is not tried on a store that fails
        parents, children = runs_of(database, cause)
        assert parents[0].info.status == "RUNNING"
        first = children[trials[0].key].info.run_id
        assert log_grid(cause, trials, tmp_path, database, artifacts=grid_files(tmp_path)).delivered == 3
        check_grid(database, cause, trials)
        assert runs_of(database, cause)[1][trials[0].key].info.run_id == first

    def test_a_trial_that_is_refused_does_not_hold_back_the_next(self, tmp_path: Path, database: str) -> None:
        good = make_trial(tmp_path, 1)
        bad = replace(make_trial(tmp_path, 0), name="too long", collection="c" * 501)
        outcome = log_grid("refused", [bad, good], tmp_path, database)
        assert (outcome.delivered, outcome.missing) == (1, 1)
        assert "too long" in outcome.message
        assert "1 of 2" in outcome.message
        assert log_grid("refused", [replace(bad, collection="c"), good], tmp_path, database).missing == 0
        assert set(runs_of(database, "refused")[1]) == {bad.key, good.key}

    def test_nothing_global_is_left_behind(
        self, tmp_path: Path, database: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        import mlflow

        def state() -> tuple[object, ...]:
            levels = [logging.getLogger(name).level for name in ("", "mlflow", "alembic", "urllib3.connectionpool")]
            return mlflow.get_tracking_uri(), mlflow.active_run(), dict(os.environ), levels

        client_of(database).search_experiments()  # so that what creating the tables prints is not counted
        capfd.readouterr()
        before = state()
        log_grid("tidy", [make_trial(tmp_path)], tmp_path, database)
        assert state() == before
        assert capfd.readouterr() == ("", "")


def test_creating_the_store_prints_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "import logged as t; from negbench.tracking import log_grid; out = Path(sys.argv[1])\n"
        "print(log_grid('quiet', [t.make_trial(out)], out).delivered)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_run_has_its_own_times_and_the_machines(tmp_path: Path) -> None:
    """Steps are spread over the trial's period; looks at the machine keep their times."""
    began, ended = 1_700_000_000.0, 1_700_000_060.0
    system = tuple((began + 5.0 * at, {"system/cpu_utilization_percentage": 50.0 + at}) for at in range(3))
    trial = replace(make_trial(tmp_path), period=(began, ended), system=system)
    uri = f"sqlite:///{tmp_path}/times.db"
    log_grid("times", [trial], tmp_path, uri)
    _, children = runs_of(uri, "times")
    info = children[trial.key].info
    assert (info.start_time, info.end_time) == (1000 * began, 1000 * ended)
    client = client_of(uri)
    loss = sorted((it.timestamp, it.value) for it in client.get_metric_history(info.run_id, "train/loss"))
    assert loss == [(1000 * began + 60_000 * step / 1200, value) for step, value in trial.curves["train/loss"]]
    looks = client.get_metric_history(info.run_id, "system/cpu_utilization_percentage")
    assert sorted((it.timestamp, it.value) for it in looks) == [(1000 * at, *seen.values()) for at, seen in system]


def test_an_encoder_is_an_ordinary_folder_and_can_come_later(tmp_path: Path, tiny_encoder: Path) -> None:
    """A grid that was logged without its encoders gets them afterwards, into the same runs, once."""
    from huggingface_hub import ModelCard
    from sentence_transformers import SentenceTransformer

    plain = [make_trial(tmp_path, number) for number in range(2)]
    uri = f"sqlite:///{tmp_path}/models.db"
    log_grid("models", plain, tmp_path, uri)
    text = "---\nlibrary_name: sentence-transformers\n---\n\n# Its card\n"
    trials = [replace(trial, model=tiny_encoder, card=text) for trial in plain]
    outcome = log_grid("models", trials, tmp_path, uri)
    assert (outcome.delivered, outcome.missing) == (2, 0)
    _, children = runs_of(uri, "models")
    client = client_of(uri)
    expected = SentenceTransformer(str(tiny_encoder)).encode(["sun and frost"])
    for trial in trials:
        folder = client.download_artifacts(children[trial.key].info.run_id, "model", str(tmp_path))
        assert (SentenceTransformer(folder).encode(["sun and frost"]) == expected).all()
        card = ModelCard.load(Path(folder) / "README.md")
        assert card.data.library_name == "sentence-transformers"
        assert "# Its card" in card.text
    assert log_grid("models", trials, tmp_path, uri).missing == 0
    assert log_grid("models", plain, tmp_path, uri).missing == 0


def test_a_grid_without_a_finished_trial_does_not_import_mlflow(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from negbench.tracking import log_grid\n"
        "log_grid('empty', [], Path(sys.argv[1])); print('mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_was_cut_short_is_sent_again(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "config.json").write_text("{}")
    trial = replace(make_trial(tmp_path), model=encoder, card="# Its card")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_text", fail)
        outcome = log_grid("cut", [trial], tmp_path, database)
        assert (outcome.delivered, outcome.missing) == (0, 1)
        assert "no space left" in outcome.message
    assert log_grid("cut", [trial], tmp_path, database).delivered == 1
    run_id = runs_of(database, "cut")[1][trial.key].info.run_id
    files = {file.path for file in client_of(database).list_artifacts(run_id, "model")}
    assert files == {"model/config.json", "model/README.md"}
