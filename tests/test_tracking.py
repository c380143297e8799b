"""What MLflow holds is read back with MLflow's own client, never with the code under test."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from negbench import tracking
from negbench.tracking import TrialLog, log_grid

# No test may call home, and MLflow decides on that when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

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


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty SQLite store, made once: creating the tables takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/shared.db"


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

    def test_again_logs_nothing_twice(self, out: Path) -> None:
        trials = [make_trial(out, number) for number in range(2)]
        uri = tracking.default_uri(out)
        before = (out / "mlflow.db").read_bytes()
        assert log_grid("scifact", trials, out, artifacts=grid_files(out)).missing == 0
        assert (out / "mlflow.db").read_bytes() == before
        for marker in (None, "{", '{"sqlite": 3}'):  # lost, cut off, not ours
            (out / "mlflow.json").unlink()
            if marker is not None:
                (out / "mlflow.json").write_text(marker)
            assert log_grid("scifact", trials, out, artifacts=grid_files(out)).delivered == 2
            check_grid(uri, "scifact", trials)

    def test_a_finished_grid_does_not_import_mlflow(self, out: Path) -> None:
        code = (
            "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
            "import test_tracking as t; out = Path(sys.argv[1])\n"
            "trials = [t.make_trial(out, number) for number in range(2)]\n"
            "outcome = t.log_grid('scifact', trials, out, artifacts=t.grid_files(out))\n"
            "assert (outcome.delivered, outcome.missing) == (2, 0), outcome\n"
            "assert t.log_grid('empty', [], out).delivered == 0\n"
            "print('mlflow' in sys.modules)"
        )
        command = [sys.executable, "-c", code, str(out), str(Path(__file__).parent)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("False\n", "")

    def test_a_removed_database_is_filled_again(self, tmp_path: Path, out: Path) -> None:
        moved = tmp_path / "moved"
        moved.mkdir()
        marker = (out / "mlflow.json").read_text().replace(str(out), str(moved))
        (moved / "mlflow.json").write_text(marker)
        trials = [make_trial(moved)]
        assert log_grid("scifact", trials, moved, artifacts=grid_files(moved)).delivered == 1
        check_grid(tracking.default_uri(moved), "scifact", trials)


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
        "import test_tracking as t; out = Path(sys.argv[1])\n"
        "print(t.log_grid('quiet', [t.make_trial(out)], out).delivered)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class TestServer:
    @pytest.fixture(scope="class")
    def server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        """A real tracking server on loopback that keeps the artifacts itself."""
        home = tmp_path_factory.mktemp("server")
        port = free_port()
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--backend-store-uri", f"sqlite:///{home}/server.db", "--workers", "1"]
        command += ["--artifacts-destination", str(home / "artifacts")]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (home / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            for _ in range(240):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                assert process.poll() is None, (home / "log.txt").read_text()
                time.sleep(0.25)  # between questions to a process that is starting; nothing is timed by it
            else:
                pytest.fail(f"the server did not start: {(home / 'log.txt').read_text()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its own session: the workers go with it
            process.wait()

    def test_everything_arrives(
        self, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
        monkeypatch.chdir(tmp_path)
        trials = [make_trial(tmp_path, number) for number in range(2)]
        files = grid_files(tmp_path)
        before = {path.name for path in tmp_path.iterdir()}
        outcome = log_grid("remote", trials, tmp_path, artifacts=files)
        assert (outcome.delivered, outcome.missing) == (2, 0), outcome.message
        assert {path.name for path in tmp_path.iterdir()} - before <= {"mlflow.json", ".mlflow.lock"}
        assert capfd.readouterr() == ("", "")
        check_grid(server, "remote", trials)
        (tmp_path / "mlflow.json").unlink()
        assert log_grid("remote", trials, tmp_path, artifacts=files).missing == 0
        check_grid(server, "remote", trials)

    def test_long_curves_and_many_parameters_arrive_whole(self, tmp_path: Path, server: str) -> None:
        """A server refuses more than a hundred parameters or tags, or a thousand metrics, at once."""
        steps = [(step, float(step % 7)) for step in range(2345)]
        trial = replace(
            make_trial(tmp_path),
            curves={"train/loss": steps},
            parameters={f"p.{number}": number for number in range(250)},
            tags={f"t.{number}": str(number) for number in range(130)},
        )
        assert log_grid("long", [trial], tmp_path, server).delivered == 1
        run = runs_of(server, "long")[1][trial.key]
        history = client_of(server).get_metric_history(run.info.run_id, "train/loss")
        assert sorted((point.step, point.value) for point in history) == steps
        assert run.data.params == {f"p.{number}": str(number) for number in range(250)}
        assert {f"t.{number}": str(number) for number in range(130)}.items() <= run.data.tags.items()

    def test_a_store_of_its_own_is_kept_apart(self, tmp_path: Path, server: str, database: str) -> None:
        """What one store holds says nothing about another."""
        trial = make_trial(tmp_path)
        for uri in (server, database):
            assert log_grid("both", [trial], tmp_path, uri, artifacts=grid_files(tmp_path)).delivered == 1
            check_grid(uri, "both", [trial])

    def test_a_refused_trial_is_told_from_a_dead_server(self, tmp_path: Path, server: str) -> None:
        bad = replace(make_trial(tmp_path, 0), collection="c" * 501)
        outcome = log_grid("refused", [bad, make_trial(tmp_path, 1)], tmp_path, server)
        assert (outcome.delivered, outcome.missing) == (1, 1), outcome.message


class TestNoAnswer:
    def test_a_dead_server_costs_a_message(
        self, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{free_port()}")
        trials = [make_trial(tmp_path, number) for number in range(2)]
        outcome = log_grid("later", trials, tmp_path, artifacts=grid_files(tmp_path))
        assert (outcome.delivered, outcome.missing) == (0, 2)
        assert "2 of 2 trials" in outcome.message
        assert "will be delivered by the next run" in outcome.message
        assert "Connection refused" in outcome.message
        assert "\n" not in outcome.message
        assert "secret" not in outcome.message
        assert capfd.readouterr() == ("", "")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
        assert log_grid("later", trials, tmp_path, artifacts=grid_files(tmp_path)).delivered == 2
        check_grid(database, "later", trials)
        assert "secret" not in (tmp_path / "mlflow.json").read_text()

    def test_a_silent_server_is_left_after_the_users_timeout(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It accepts and never answers; with one retry, MLflow connects twice and no more."""
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
            outcome = log_grid("silent", [make_trial(tmp_path)], tmp_path, uri)
            assert (outcome.delivered, outcome.missing) == (0, 1)
            assert "timed out" in outcome.message
            listener.setblocking(False)
            for _ in range(2):
                listener.accept()[0].close()
            with pytest.raises(BlockingIOError):
                listener.accept()
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "1"

    def test_a_database_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        outcome = log_grid("nowhere", [make_trial(tmp_path)], tmp_path, f"sqlite:///{tmp_path}/file/mlflow.db")
        assert (outcome.delivered, outcome.missing) == (0, 1)
        assert "could not be logged" in outcome.message


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
