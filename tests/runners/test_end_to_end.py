"""A grid from YAML to its tables, through the command line, with tiny models.

``finished`` is a whole run; ``resumed`` is the same grid in another folder with another store, killed in the middle
and run again. Most tests look at what these two left.
"""

from __future__ import annotations

import csv
import html
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_grid import METHODS, SIZES, Run, grid_text, measured, start

from negbench import tracking
from negbench.collections.helpdesk import Helpdesk
from negbench.evaluation.ranking import DEFAULT
from negbench.runners import grid as runner
from negbench.types import Collection

OWN = {"locks", "grids"}
"""Folders of the store that are no artifacts."""


@pytest.fixture(scope="module")
def all_methods(tiny_encoder: Path) -> str:
    teacher = f"trained-cross-encoder(model={tiny_encoder}, negatives=1, max_length=64, depth=20)"
    denoised = {"threshold": 0.5, "unit": "quantile", "depth": 10, "teacher": teacher}
    simans = {"a": 0.5, "scale": "zscore", "depth": 40}
    mixed = ["in-batch", "random", "bm25", "rank-band(low=5, high=40)", {"simans": simans}, {"denoised": denoised}]
    return json.dumps(mixed)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def finished(folders: tuple[Path, Path], tiny_encoder: Path, all_methods: str, negbench: Callable[..., Any]) -> Run:
    here = folders[0]
    (here / "grid.yaml").write_text(grid_text(tiny_encoder, all_methods))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        said = negbench("run", "grid.yaml", cwd=here)
    assert said.code == 0, said.err
    return Run(here / "runs/tiny", here / ".negbench", said)


@pytest.fixture(scope="module")
def killed(folders: tuple[Path, Path], tiny_encoder: Path, all_methods: str) -> dict[str, bytes]:
    """Start the grid in the second folder, kill it when a first training is stored; return the training's files."""
    here = folders[1]
    (here / "grid.yaml").write_text(grid_text(tiny_encoder, all_methods))
    running = start(here, here / "elsewhere", "run", "grid.yaml")
    for _ in range(6000):
        if list((here / "elsewhere/training").glob("*/stage.json")):
            break
        try:
            running.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    running.send_signal(signal.SIGKILL)
    _, said = running.communicate()
    assert running.returncode == -signal.SIGKILL, said
    files = (here / "elsewhere/training").glob("*/**/*")
    return {str(path): path.read_bytes() + str(path.stat().st_mtime_ns).encode() for path in files if path.is_file()}


@pytest.fixture(scope="module")
def resumed(folders: tuple[Path, Path], killed: dict[str, bytes], negbench: Callable[..., Any]) -> Run:
    here = folders[1]
    with pytest.MonkeyPatch.context() as patch:  # MLflow has had its turn
        patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
        said = negbench("run", "grid.yaml", cwd=here, store=here / "elsewhere")
    assert said.code == 0, said.err
    return Run(here / "runs/tiny", here / "elsewhere", said)


@pytest.fixture(scope="module")
def helpdesk() -> Collection:
    return Helpdesk(**SIZES).load()  # type: ignore[arg-type]


class TestResults:
    def test_they_have_the_documented_shape(self, finished: Run) -> None:
        assert finished.results["name"] == "tiny"
        trials = finished.results["trials"]
        assert [trial["method"] for trial in trials] == ["bm25-search", "start", "untouched", *METHODS]
        for trial in trials:
            for key in ("method", "spelling", "form", "collection", "encoder", "status"):
                assert isinstance(trial[key], str), key
            assert trial["status"] == "done"
            beside = {"among-bm25/nDCG@10", "among-random/nDCG@10"}
            beside |= {f"geometry/{name}" for name in ("alignment", "uniformity", "neighbour_gap")}
            measured = {f"negatives/{name}" for name in ("eci", "cosine", "effective_documents")}
            plain = trial["method"] in ("bm25-search", "untouched")
            extra = (set() if plain else beside) | (measured if trial["draw"] else set())
            assert set(trial["metrics"]) == {*DEFAULT} | extra
            no_share = ("geometry/", "negatives/")
            shares = [value for name, value in trial["metrics"].items() if not name.startswith(no_share)]
            assert all(0 <= value <= 1 for value in shares)
            if not plain:  # to find a positive among a few is easier than in the corpus
                assert trial["metrics"]["among-random/nDCG@10"] >= trial["metrics"]["nDCG@10"]
                assert trial["metrics"]["among-bm25/nDCG@10"] >= trial["metrics"]["nDCG@10"]
            assert trial["cost"]["seconds"] >= trial["cost"]["marginal_seconds"] >= 0
            assert trial["digests"]
            assert trial["seed"] == (None if plain else 0)
            for name, rate in trial["false_negatives"].items():
                assert rate["note"]
                if name.startswith("exact"):
                    assert 0 <= rate["low"] <= rate["rate"] <= rate["high"] <= 1
                assert rate["unit"] in ("negative", "query", "instance")
        assert finished.trial("simans")["spelling"] == "simans(depth=40)"
        assert finished.trial("bm25")["form"] == "fixed"
        assert 0.9 < finished.trial("rank-band")["draw"]["index_recall"] <= 1  # Voyager's
        assert "index_recall" not in finished.trial("denoised")["draw"]  # exact
        assert "index recall %" in finished.results["tables"][0]["heading"]
        assert set(finished.trial("bm25")["false_negatives"]) >= {"exact", "exact/query", "exact/in-batch"}
        assert set(finished.trial("in-batch")["false_negatives"]) == {"exact/in-batch"}

    def test_the_methods_differ(self, finished: Run) -> None:
        """Or nothing here would show that the right negatives went into the right training."""
        weights = {(finished.artifact(name, "training") / "model/model.safetensors").read_bytes() for name in METHODS}
        assert len(weights) == 6

    def test_every_method_did_the_same_work(self, finished: Run, helpdesk: Collection) -> None:
        steps = 2 * -(-len(helpdesk.qrels["train"]) // 8)
        read = set()
        for name in METHODS:
            stage = json.loads((finished.artifact(name, "training") / "stage.json").read_text())
            read.add((stage["cost"]["steps"], stage["cost"]["queries_read"]))
            curves = json.loads((finished.artifact(name, "training") / "curves.json").read_text())
            assert [step for step, _ in curves["loss"]] == list(range(1, steps + 1))
        assert {at for at, _ in read} == {steps}
        assert len(read) == 1

    def test_a_teacher_is_charged_to_its_method(self, finished: Run) -> None:
        plain, taught = finished.trial("rank-band")["cost"], finished.trial("denoised")["cost"]
        assert "teacher_calls" not in plain
        assert taught["teacher_calls"] > 0
        assert taught["pairs_read"] > 0
        assert taught["steps"] > plain["steps"]
        assert taught["marginal_seconds"] < taught["seconds"]  # the starting encoder's vectors are shared

    def test_false_negatives_are_those_of_a_count(self, finished: Run, helpdesk: Collection) -> None:
        qrels, truth = helpdesk.qrels["train"], helpdesk.truth["train"]
        labelled = list(zip(qrels.queries.tolist(), qrels.documents.tolist(), strict=True))
        relevant = set(zip(truth.queries.tolist(), truth.documents.tolist(), strict=True))
        found = {}
        for name in METHODS[1:]:
            folder = finished.artifact(name, "negatives")
            queries, documents = (np.load(folder / f"{field}.npy").tolist() for field in ("queries", "documents"))
            drawn = dict(zip(queries, documents, strict=True))
            assert set(drawn) == {query for query, _ in labelled}
            handed = [(query, document) for query, _ in labelled for document in drawn[query]]
            assert not set(handed) & set(labelled)
            found[name] = sum(pair in relevant for pair in handed) / len(handed)
            assert finished.trial(name)["false_negatives"]["exact"]["rate"] == pytest.approx(found[name])
        assert found["bm25"] > 0  # there was something to count

    def test_ndcg_is_that_of_a_plain_search(self, finished: Run, helpdesk: Collection) -> None:
        """The saved model of a trial, sentence-transformers, a sort and the formula; all grades are 1."""
        from sentence_transformers import SentenceTransformer

        qrels = helpdesk.qrels["test"]
        wanted: dict[int, set[int]] = {}
        for query, document in zip(qrels.queries.tolist(), qrels.documents.tolist(), strict=True):
            wanted.setdefault(query, set()).add(document)
        for name, kind in (("start", "encoder"), ("bm25", "training"), ("denoised", "training")):
            model = SentenceTransformer(str(finished.artifact(name, kind) / "model"))
            model.max_seq_length = 64
            documents = model.encode(helpdesk.passages())
            gains = []
            for query, relevant in wanted.items():
                top = np.argsort(-(documents @ model.encode(helpdesk.queries[query])), kind="stable")[:10].tolist()
                gain = sum(1 / np.log2(rank + 2) for rank, document in enumerate(top) if document in relevant)
                gains.append(gain / sum(1 / np.log2(rank + 2) for rank in range(min(10, len(relevant)))))
            assert finished.trial(name)["metrics"]["nDCG@10"] == pytest.approx(np.mean(gains), abs=1e-6)

    def test_tables_and_manifest(self, finished: Run, tiny_encoder: Path) -> None:
        markdown = (finished.out / "table.md").read_text()
        rows = list(csv.DictReader((finished.out / "table.csv").open()))
        assert len(rows) == 9
        for row, trial in zip(rows, finished.results["trials"], strict=True):
            assert row["method"] == trial["spelling"]
            assert float(row["nDCG@10"]) == pytest.approx(trial["metrics"]["nDCG@10"])
            assert f"| {trial['spelling']} | 1 | {trial['metrics']['nDCG@10']:.4f} ± " in markdown
        manifest = json.loads((finished.out / "manifest.json").read_text())
        assert manifest["command"] == ["negbench", "run", "grid.yaml"]
        assert "name: tiny" in manifest["grid"]
        assert {"negbench", "torch", "sentence-transformers"} <= set(manifest["versions"])
        assert manifest["machine"]["processors"] == os.cpu_count()
        (weights,) = set(manifest["digests"]["encoders"].values())  # of the start and of the published model
        assert weights.startswith("sha256:")
        assert not list(finished.out.glob("*.draft"))
        assert not (finished.out / "errors.log").exists()

    def test_the_table_is_printed_and_progress_goes_elsewhere(self, finished: Run) -> None:
        for trial in finished.results["trials"]:
            assert f"{trial['metrics']['nDCG@10']:.4f}" in finished.said.out
        assert "results in runs/tiny; MLflow: 9 of 9 trials are logged" in finished.said.out
        assert "left)" in finished.said.err
        assert "left)" not in finished.said.out
        assert "LOAD REPORT" not in finished.said.err  # the libraries' chatter
        assert "it/s" not in finished.said.err

    def test_mlflow_holds_every_trial(self, finished: Run) -> None:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{finished.out}/mlflow.db")
        runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
        children = {run.info.run_name: run.data for run in runs if "mlflow.parentRunId" in run.data.tags}
        assert len(runs) == 10
        assert len(children) == 9
        bm25 = children["bm25 seed 0"]
        assert bm25.metrics["nDCG_10"] == pytest.approx(finished.trial("bm25")["metrics"]["nDCG@10"])
        assert bm25.params["train.epochs"] == "2"
        assert "train/loss" in bm25.metrics


class TestRunAgain:
    def test_nothing_is_made_and_torch_is_not_even_imported(self, finished: Run) -> None:
        before = {str(path): path.stat().st_mtime_ns for path in finished.store.rglob("*") if not OWN & {*path.parts}}
        table = (finished.out / "table.md").read_text()
        code = """
import sys
from negbench.cli import main
sys.argv = ["negbench", "run", "grid.yaml"]
try:
    main()
finally:
    heavy = {"torch", "sentence_transformers", "transformers", "datasets"} & set(sys.modules)
    print("imported:", heavy or "nothing", file=sys.stderr)
"""
        here = finished.out.parents[1]
        environment = {**os.environ, "NEGBENCH_STORE": str(finished.store)}
        command = [sys.executable, "-c", code]
        again = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
        assert again.stderr == "imported: nothing\n"
        after = {str(path): path.stat().st_mtime_ns for path in finished.store.rglob("*") if not OWN & {*path.parts}}
        assert after == before
        assert (finished.out / "table.md").read_text() == table

    def test_json_is_the_results_and_nothing_else(
        self, finished: Run, tmp_path: Path, negbench: Callable[..., Any]
    ) -> None:
        grid = finished.out.parents[1] / "grid.yaml"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
            said = negbench("run", grid, "--json", "--out", tmp_path, cwd=tmp_path, store=finished.store)
        assert said.code == 0
        assert json.loads(said.out) == finished.results
        assert said.err == ""

    def test_the_plan_says_so(self, finished: Run, negbench: Callable[..., Any]) -> None:
        said = negbench("plan", "grid.yaml", "--json", cwd=finished.out.parents[1])
        assert said.code == 0
        planned = json.loads(said.out)
        assert {stage["stored"] for stage in planned["stages"]} == {True}
        assert len(planned["trials"]) == 9
        assert next(stage for stage in planned["stages"] if stage["kind"] == "collection")["trials"] == 9
        said = negbench("plan", "grid.yaml", cwd=finished.out.parents[1])
        assert f"{len(planned['stages'])} stages are stored, 0 are left to run" in said.out


class TestKilledAndRunAgain:
    def test_it_was_in_the_middle(self, killed: dict[str, bytes], resumed: Run, finished: Run) -> None:
        done = {Path(name).relative_to(resumed.store / "training").parts[0] for name in killed}
        assert done < finished.trained()

    def test_what_was_done_is_not_done_again(self, killed: dict[str, bytes], resumed: Run) -> None:
        for name, content in killed.items():
            assert Path(name).read_bytes() + str(Path(name).stat().st_mtime_ns).encode() == content, name
        assert not list((resumed.store / "drafts").iterdir())

    def test_another_folder_and_store_give_the_same_draws_and_weights(self, finished: Run, resumed: Run) -> None:
        """One of the trainings ran in another process; all of them in another folder."""
        for name in METHODS[1:]:
            first, second = (run.artifact(name, "negatives") for run in (finished, resumed))
            files = sorted(path.name for path in first.glob("*.npy"))
            assert files == sorted(path.name for path in second.glob("*.npy"))
            assert "documents.npy" in files
            for file in files:
                assert (first / file).read_bytes() == (second / file).read_bytes(), f"{name}: {file}"
        for name in METHODS:
            first, second = (run.artifact(name, "training") / "model/model.safetensors" for run in (finished, resumed))
            assert first.read_bytes() == second.read_bytes(), name

    def test_results_are_those_of_a_run_that_was_not_killed(self, finished: Run, resumed: Run) -> None:
        for first, second in zip(finished.results["trials"], resumed.results["trials"], strict=True):
            for trial in (first, second):
                for name in [name for name in trial["cost"] if measured(name)]:
                    assert trial["cost"].pop(name) >= 0
            assert first == second

    def test_so_are_the_tables_but_for_times(self, finished: Run, resumed: Run) -> None:
        tables = []
        for run in (finished, resumed):
            rows = list(csv.DictReader((run.out / "table.csv").open()))
            tables.append([{key: cell for key, cell in row.items() if not measured(key)} for row in rows])
        assert tables[0] == tables[1]
        lines = [(run.out / "table.md").read_text().splitlines() for run in (finished, resumed)]
        for first, second in zip(*lines, strict=True):
            if first.startswith("| "):
                first, second = (line.rsplit("|", 3)[0] for line in (first, second))
            assert first == second


class TestWhatFails:
    @pytest.fixture(scope="class")
    def broken(
        self, finished: Run, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory, negbench: Callable[..., Any]
    ) -> Run:
        """A grid whose second method asks a teacher with damaged weights, in the store of the finished grid."""
        here = tmp_path_factory.mktemp("broken")
        shutil.copytree(tiny_encoder, here / "teacher")
        (here / "teacher/model.safetensors").write_bytes(b"damaged")
        teacher = f"cross-encoder(model={here / 'teacher'})"
        methods: list[Any] = ["in-batch", {"denoised": {"depth": 10, "teacher": teacher}}, "random"]
        (here / "grid.yaml").write_text(grid_text(tiny_encoder, json.dumps(methods)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
            patch.setattr(runner, "check_parts", lambda *_: None)  # as if the file were damaged after the check
            said = negbench("run", "grid.yaml", "--out", "results", cwd=here, store=finished.store)
        return Run(here / "results", finished.store, said)

    def test_the_others_go_on(self, broken: Run, finished: Run) -> None:
        assert broken.said.code == 1
        statuses = {trial["method"]: trial["status"] for trial in broken.results["trials"]}
        assert statuses.pop("denoised") == "failed"
        assert set(statuses) == {"bm25-search", "start", "untouched", "in-batch", "random"}
        assert set(statuses.values()) == {"done"}
        assert broken.trial("random")["metrics"] == finished.trial("random")["metrics"]

    def test_the_reason_is_there(self, broken: Run) -> None:
        failed = broken.trial("denoised")
        assert "score the top 10 candidates with cross-encoder" in failed["error"]
        assert "\n" not in failed["error"]
        assert failed["metrics"] == failed["false_negatives"] == {}
        assert failed["error"] in broken.said.err
        assert "Traceback" not in broken.said.err
        assert "Traceback" in (broken.out / "errors.log").read_text()
        assert "(1 failed)" in (broken.out / "table.md").read_text()

    def test_nothing_half_made_is_left(self, broken: Run) -> None:
        key = broken.trial("denoised")["digests"]["scores"][-1]
        assert not (broken.store / "scores" / key).exists()
        assert not (broken.store / "drafts" / key).exists()


class TestReport:
    def test_a_page_figures_and_a_latex_table_stand_beside_the_results(
        self, finished: Run, helpdesk: Collection, negbench: Callable[..., Any]
    ) -> None:
        here = finished.out.parents[1]
        said = negbench("report", "grid.yaml", "--texts", "2", cwd=here, store=finished.store)
        assert said.code == 0, said.err
        written = [here / line for line in said.out.split()]
        assert {path.name for path in written} >= {
            "report.html",
            "table.tex",
            "quality.svg",
            "quality.png",
            "curves.svg",
        }
        page = html.unescape((finished.out / "report.html").read_text())
        for trial in finished.results["trials"]:
            assert f"{trial['metrics']['nDCG@10']:.4f}" in page
        assert page.count('class="example"') == 2
        assert sum(text in page for text in helpdesk.queries) >= 2

    def test_a_query_is_inspected_by_its_id(
        self, finished: Run, helpdesk: Collection, negbench: Callable[..., Any]
    ) -> None:
        query = int(helpdesk.split_queries("train")[0])
        here = finished.out.parents[1]
        said = negbench("inspect", "grid.yaml", helpdesk.query_ids[query], cwd=here, store=finished.store)
        assert said.code == 0, said.err
        assert "positive" in said.out
        for name in ("random seed 0", "bm25 seed 0"):
            assert name in said.out
        missing = negbench("inspect", "grid.yaml", "nobody", cwd=here, store=finished.store)
        assert missing.code == 2
        assert missing.err.count("\n") == 1
        assert "no training query has the id 'nobody'" in missing.err
