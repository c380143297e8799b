"""Logging to servers, and to those that do not answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from logged import check_grid, client_of, grid_files, make_trial, runs_of

from negbench.tracking import log_grid


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
            for _ in range(1200):
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
        assert {path.name for path in tmp_path.iterdir()} == before
        assert capfd.readouterr() == ("", "")
        check_grid(server, "remote", trials)
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

    def test_what_was_deleted_is_restored_or_told(self, tmp_path: Path, server: str) -> None:
        trials = [make_trial(tmp_path, number) for number in range(2)]
        files = grid_files(tmp_path)
        assert log_grid("deleted", trials, tmp_path, server, artifacts=files).missing == 0
        client = client_of(server)
        (parent,), children = runs_of(server, "deleted")
        for run in (parent, children[trials[0].key]):
            client.delete_run(run.info.run_id)
        assert log_grid("deleted", trials, tmp_path, server, artifacts=files).delivered == 2
        check_grid(server, "deleted", trials)
        client.delete_experiment(parent.info.experiment_id)
        outcome = log_grid("deleted", trials, tmp_path, server, artifacts=files)
        assert (outcome.delivered, outcome.missing) == (0, 2)
        command = f"MLFLOW_TRACKING_URI={server} mlflow experiments restore --experiment-id {parent.info.experiment_id}"
        assert command in outcome.message

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
        assert "will be logged by the next run" in outcome.message
        assert "Connection refused" in outcome.message
        assert "\n" not in outcome.message
        assert "secret" not in outcome.message
        assert capfd.readouterr() == ("", "")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
        assert log_grid("later", trials, tmp_path, artifacts=grid_files(tmp_path)).delivered == 2
        check_grid(database, "later", trials)

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

    def test_a_driver_that_is_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        outcome = log_grid("lacking", [make_trial(tmp_path)], tmp_path, "postgresql+psycopg://127.0.0.1/mlflow")
        assert (outcome.delivered, outcome.missing) == (0, 1)
        assert "psycopg is not installed; pip install 'negbench[postgresql]'" in outcome.message
