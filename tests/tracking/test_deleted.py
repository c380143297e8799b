"""What people delete and restore in a store between two deliveries."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from logged import check_grid, client_of, grid_files, make_trial, runs_of

from negbench.tracking import TrialLog, log_grid


def deliver(uri: str, name: str, trials: list[TrialLog], out: Path) -> str:
    """Deliver everything, check that it is there, and return the message."""
    outcome = log_grid(name, trials, out, uri, artifacts=grid_files(out))
    assert (outcome.delivered, outcome.missing) == (len(trials), 0), outcome.message
    check_grid(uri, name, trials)
    return outcome.message


def every_run(uri: str, name: str) -> dict[str, str]:
    """Return what is left of an experiment's runs, deleted ones too: their stages by id."""
    from mlflow.entities import ViewType

    client = client_of(uri)
    runs = client.search_runs([client.get_experiment_by_name(name).experiment_id], run_view_type=ViewType.ALL)
    return {run.info.run_id: run.info.lifecycle_stage for run in runs}


def delete(uri: str, run: Any, cause: str) -> None:
    client = client_of(uri)
    client.delete_run(run.info.run_id)
    if cause == "gc":  # what `mlflow gc` does with deleted runs
        client._tracking_client.store._hard_delete_run(run.info.run_id)


class TestExperiment:
    @pytest.fixture
    def deleted(self, tmp_path: Path, database: str, request: pytest.FixtureRequest) -> str:
        """The name of an experiment of two trials and a run that was cut short, all deleted."""
        name = request.node.name
        client = client_of(database)
        trials = [make_trial(tmp_path, number) for number in range(2)]
        deliver(database, name, trials, tmp_path)
        experiment = client.get_experiment_by_name(name).experiment_id
        cut_short = client.create_run(experiment, tags={"negbench.trial": trials[0].key})
        client.delete_run(cut_short.info.run_id)
        client.delete_experiment(experiment)
        return str(name)

    @pytest.mark.parametrize("final", [True, False])
    def test_the_message_says_how_to_restore_it(self, tmp_path: Path, database: str, deleted: str, final: bool) -> None:
        """Its command is run as it stands; then all runs are back, and none twice."""
        from click.testing import CliRunner
        from mlflow.cli import cli

        trials = [make_trial(tmp_path, number) for number in range(2)]
        before = every_run(database, deleted)
        outcome = log_grid(deleted, trials, tmp_path, database, artifacts=grid_files(tmp_path) if final else None)
        assert (outcome.delivered, outcome.missing) == (0, 2)
        assert f'its experiment "{deleted}" was deleted' in outcome.message
        assert outcome.message.endswith("or give the grid another name")
        assert "next run" not in outcome.message
        assert "\n" not in outcome.message
        assert every_run(database, deleted) == before
        found = re.search(r"restore it \((.*)\) or", outcome.message)
        assert found is not None
        variable, program, *arguments = shlex.split(found[1])
        assert program == "mlflow"
        result = CliRunner(env=dict([variable.split("=", 1)])).invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        deliver(database, deleted, trials, tmp_path)
        after = every_run(database, deleted)
        assert after.keys() == before.keys()
        assert sorted(after.values()) == ["active", "active", "active", "deleted"]  # the parent, two trials, half a run

    def test_one_that_is_gone_for_good_is_made_again(self, tmp_path: Path, database: str, deleted: str) -> None:
        client = client_of(database)
        client._tracking_client.store._hard_delete_experiment(client.get_experiment_by_name(deleted).experiment_id)
        deliver(database, deleted, [make_trial(tmp_path, number) for number in range(2)], tmp_path)


@pytest.mark.parametrize("cause", ["deleted", "gc"])
class TestRuns:
    def test_children_are_below_a_parent_that_exists(self, tmp_path: Path, database: str, cause: str) -> None:
        """Also those of trials that the grid has no longer."""
        name = f"parent {cause}"
        trials = [make_trial(tmp_path, number) for number in range(3)]
        deliver(database, name, trials, tmp_path)
        (parent,), children = runs_of(database, name)
        delete(database, parent, cause)
        outcome = log_grid(name, trials[:2], tmp_path / "another folder", database, artifacts=grid_files(tmp_path))
        assert (outcome.delivered, outcome.missing) == (2, 0)
        check_grid(database, name, trials)
        assert {run.info.run_id for run in children.values()} < set(every_run(database, name))
        assert len(every_run(database, name)) == 4

    def test_a_deleted_child_is_there_again(self, tmp_path: Path, database: str, cause: str) -> None:
        name = f"child {cause}"
        trials = [make_trial(tmp_path, number) for number in range(2)]
        deliver(database, name, trials, tmp_path)
        _, children = runs_of(database, name)
        delete(database, children[trials[1].key], cause)
        deliver(database, name, trials, tmp_path)
        assert len(every_run(database, name)) == 3
        assert runs_of(database, name)[1][trials[0].key].info.run_id == children[trials[0].key].info.run_id


def test_a_restored_child_is_moved_below_the_new_parent(tmp_path: Path, database: str) -> None:
    trials = [make_trial(tmp_path, number) for number in range(2)]
    deliver(database, "child and parent", trials, tmp_path)
    (parent,), children = runs_of(database, "child and parent")
    delete(database, children[trials[0].key], "deleted")
    delete(database, parent, "gc")
    deliver(database, "child and parent", trials, tmp_path)


def test_a_run_that_people_put_trials_below_is_left_as_it_is(tmp_path: Path, database: str) -> None:
    trials = [make_trial(tmp_path, number) for number in range(2)]
    deliver(database, "sorted", trials, tmp_path)
    client = client_of(database)
    group = client.create_run(client.get_experiment_by_name("sorted").experiment_id).info.run_id
    child = runs_of(database, "sorted")[1][trials[0].key].info.run_id
    client.set_tag(child, "mlflow.parentRunId", group)
    assert log_grid("sorted", trials, tmp_path, database, artifacts=grid_files(tmp_path)).missing == 0
    assert client.get_run(child).data.tags["mlflow.parentRunId"] == group


def test_runs_deleted_while_the_grid_goes_on(tmp_path: Path, database: str) -> None:
    trials = [make_trial(tmp_path, number) for number in range(2)]
    assert log_grid("goes on", trials[:1], tmp_path, database, artifacts=None).delivered == 1
    (parent,), children = runs_of(database, "goes on")
    for run in (parent, children[trials[0].key]):
        delete(database, run, "deleted")
    assert log_grid("goes on", trials, tmp_path, database, artifacts=None).delivered == 2
    assert runs_of(database, "goes on")[0][0].info.status == "RUNNING"
    deliver(database, "goes on", trials, tmp_path)
    assert len(every_run(database, "goes on")) == 3


def test_a_finished_grid_is_open_while_it_goes_on_again(tmp_path: Path, database: str) -> None:
    trials = [make_trial(tmp_path, number) for number in range(2)]
    deliver(database, "more", trials[:1], tmp_path)
    log_grid("more", trials, tmp_path, database, artifacts=None)
    assert runs_of(database, "more")[0][0].info.status == "RUNNING"
    deliver(database, "more", trials, tmp_path)


def test_of_doubled_runs_the_older_one_stays(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither is deleted: restoring an experiment brings back runs that have been delivered again since."""
    trial = replace(make_trial(tmp_path), period=(1_700_000_000.0, 1_700_000_060.0))
    deliver(database, "doubled", [trial], tmp_path)
    (parent,), children = runs_of(database, "doubled")
    client = client_of(database)
    tags = {"negbench.trial": trial.key, "mlflow.parentRunId": parent.info.run_id}
    double = client.create_run(parent.info.experiment_id, tags=tags).info.run_id
    client.set_terminated(double)
    deliver(database, "doubled", [trial], tmp_path)
    assert every_run(database, "doubled")[double] == "deleted"
    client.delete_run(children[trial.key].info.run_id)
    client.restore_run(double)

    def refuse(*_: object) -> None:
        raise AssertionError("one is there: nothing is to be deleted or restored")

    monkeypatch.setattr(type(client), "delete_run", refuse)
    monkeypatch.setattr(type(client), "restore_run", refuse)
    outcome = log_grid("doubled", [trial], tmp_path, database)
    assert (outcome.delivered, outcome.missing) == (1, 0), outcome.message


class TestArtifacts:
    @pytest.fixture
    def place(self, tmp_path: Path, database: str, request: pytest.FixtureRequest) -> Path:
        """Where the experiment with the name of the test keeps its artifacts: not where others of this store do."""
        place = tmp_path / "artifacts"
        client_of(database).create_experiment(request.node.name, place.as_uri())
        return place

    def test_files_that_are_gone_are_sent_again(
        self, tmp_path: Path, database: str, place: Path, request: pytest.FixtureRequest
    ) -> None:
        encoder = tmp_path / "encoder"
        encoder.mkdir()
        (encoder / "config.json").write_text("{}")
        plain = [make_trial(tmp_path, number) for number in range(2)]
        trials = [replace(trial, model=encoder) for trial in plain]
        name = request.node.name
        assert log_grid(name, trials, tmp_path, database, artifacts=grid_files(tmp_path)).missing == 0
        before = sorted(path.relative_to(place) for path in place.rglob("*"))
        assert len(before) > 8
        shutil.rmtree(place)
        assert log_grid(name, trials, tmp_path, database, artifacts=grid_files(tmp_path)).missing == 0
        assert sorted(path.relative_to(place) for path in place.rglob("*")) == before
        assert len(every_run(database, name)) == 3

    def test_a_place_that_cannot_be_made_is_told(
        self, tmp_path: Path, database: str, place: Path, request: pytest.FixtureRequest
    ) -> None:
        place.write_text("a file where the folder should be")
        trials = [replace(make_trial(tmp_path, number), artifacts=()) for number in range(2)]
        name = request.node.name
        outcome = log_grid(name, trials, tmp_path, database, artifacts=grid_files(tmp_path))
        assert (outcome.delivered, outcome.missing) == (2, 0)
        assert "the grid's files could not be logged" in outcome.message
        assert "once this is fixed" in outcome.message
        assert str(place) in outcome.message
        place.unlink()
        message = log_grid(name, trials, tmp_path, database, artifacts=grid_files(tmp_path)).message
        assert message.startswith("MLflow: 2 of 2 trials are logged")
        (parent,), _ = runs_of(database, name)
        files = {file.path for file in client_of(database).list_artifacts(parent.info.run_id)}
        assert files == {"results.json", "table.md"}
