"""MLflow's file cut short while it is made, and a server that takes long."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from negbench.tracking import BackgroundDelivery, Outcome, TrialLog, log_grid
from negbench.tracking.database import prepare

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow decides on that when it is imported


def trial(number: int) -> TrialLog:
    return TrialLog(
        key=f"{number:064x}",
        name=f"trial {number}",
        parameters={"seed": number},
        metrics={"nDCG@10": 0.5},
        curves={},
        tags={},
        collection="garden",
        collection_digest="0" * 32,
        profile={},
    )


def experiments(database: Path) -> int:
    """Return the number of experiments, -1 where there is no such table yet."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            return int(connection.execute("SELECT count(*) FROM experiments").fetchone()[0])
    except sqlite3.OperationalError:
        return -1


PREPARE = "import sys; from negbench.tracking.database import prepare; prepare(sys.argv[1])"
DIRECTLY = "import sys; from mlflow import MlflowClient; MlflowClient(sys.argv[1]).search_experiments()"


@pytest.mark.slow
@pytest.mark.parametrize("program", [PREPARE, DIRECTLY], ids=["under another name", "as MLflow does"])
def test_a_process_is_killed_while_it_makes_the_file(program: str, tmp_path: Path) -> None:
    """Its tables are there, and no experiment yet. The next delivery finds everything as if nothing had been."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with subprocess.Popen([sys.executable, "-c", program, uri], stderr=subprocess.DEVNULL) as process:
        while not any(experiments(path) == 0 for path in tmp_path.glob("mlflow.db*") if "journal" not in path.name):
            assert process.poll() is None, "it was too fast to be killed"
        process.kill()
    assert (tmp_path / "mlflow.db").exists() == (program == DIRECTLY)
    outcome = log_grid("killed", [trial(0), trial(1)], tmp_path, uri)
    assert (outcome.delivered, outcome.missing) == (2, 0), outcome.message
    assert {path.name for path in tmp_path.glob("mlflow.db*")} == {"mlflow.db"}


def test_a_half_made_file_is_replaced_and_a_whole_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    uri = f"sqlite:///{path}"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER)")
    prepare(uri)
    assert experiments(path) == 1
    before = path.stat().st_ino
    prepare(uri)
    assert path.stat().st_ino == before
    assert [it.name for it in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_damaged_file_with_runs_is_left_alone_and_told(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"no database" * 1000)
    before = path.read_bytes()
    outcome = log_grid("damaged", [trial(0)], tmp_path, f"sqlite:///{path}")
    assert (outcome.delivered, outcome.missing) == (0, 1)
    assert "file is not a database" in outcome.message
    assert path.read_bytes() == before


def test_a_server_that_takes_long_holds_nothing_up(tmp_path: Path) -> None:
    """While it takes its time over the first trial, three more finish; it then gets all of them at once."""
    asked: list[list[str]] = []
    begun, answered = threading.Event(), threading.Event()

    def deliver(name: str, trials: Sequence[TrialLog], out: Path, **more: Any) -> Outcome:
        asked.append([one.name for one in trials])
        if len(asked) == 1:
            begun.set()
            assert answered.wait(60)
        return Outcome(len(trials), 0, f"{len(trials)} of {len(trials)}, files {more['artifacts']}")

    delivery = BackgroundDelivery("slow", tmp_path, deliver)
    delivery.submit([trial(0)])
    assert begun.wait(60)
    for number in range(1, 4):
        delivery.submit([trial(at) for at in range(number + 1)])  # returns though nothing was answered
    assert asked == [["trial 0"]]
    answered.set()
    outcome = delivery.finish([trial(at) for at in range(4)], [tmp_path / "table.md"])
    assert outcome.message == f"4 of 4, files {[tmp_path / 'table.md']}"
    assert asked[-1] == [f"trial {at}" for at in range(4)]
    assert len(asked) <= 3


def test_after_a_failure_the_store_is_left_alone_until_the_end(tmp_path: Path) -> None:
    failed = threading.Event()
    asked: list[int] = []

    def deliver(name: str, trials: Sequence[TrialLog], out: Path, **more: Any) -> Outcome:
        asked.append(len(trials))
        failed.set()
        return Outcome(0, len(trials), "no answer")

    delivery = BackgroundDelivery("dead", tmp_path, deliver)
    delivery.submit([trial(0)])
    assert failed.wait(60)
    assert delivery._thread is not None
    delivery._thread.join(60)
    delivery.submit([trial(0), trial(1)])
    assert delivery.finish([trial(0), trial(1), trial(2)], []).message == "no answer"
    assert asked == [1, 3]
