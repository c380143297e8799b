"""What a plan forecasts, against what its run leaves in the store."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import negbench as nb
from negbench import tracking
from negbench.collections.resolve import source_of
from negbench.stages.inputs import Embed
from negbench.store import Store


@pytest.fixture
def grid(tiny_encoder: Path, tiny_collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nb.Grid:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEGBENCH_STORE", str(tmp_path / ".negbench"))
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
    return nb.load_grid(
        {
            "name": "small",
            "collection": str(tiny_collection),
            "encoder": str(tiny_encoder),
            "methods": ["in-batch", "bm25"],
            "seeds": [0],
            "train": {"epochs": 2, "batch_size": 7, "max_length": 32, "precision": "float32", "positives": "one"},
        }
    )


def test_steps_and_bytes_are_those_of_the_run(grid: nb.Grid, tmp_path: Path) -> None:
    fresh = nb.plan_run(grid)
    assert not (tmp_path / ".negbench").exists()
    left = fresh.forecast
    assert (left.all_trainings, left.trainings, left.seconds) == (2, 2, None)
    assert "time left: unknown" in fresh.table
    nb.run(grid, models="none")
    store = Store.at(".negbench")
    trainings = [one.stage for one in fresh.stages if one.stage.kind == "training"]
    assert left.all_steps == left.steps == sum(store.cost(stage)["steps"] for stage in trainings)
    assert left.steps_a_training == (left.steps // 2, left.steps // 2)
    models = [path for kind in ("encoder", "training") for path in (store.root / kind).rglob("*.safetensors")]
    assert left.model_bytes == sum(path.stat().st_size for path in models)
    vectors = [np.load(path, mmap_mode="r") for path in (store.root / "embeddings").rglob("*.npy")]
    assert left.vector_bytes == sum(array.nbytes for array in vectors)
    (sizes,) = left.sizes
    assert str(sizes) in " ".join(fresh.table.split())

    done = nb.plan_run(grid).forecast
    assert (done.trainings, done.steps, done.seconds, done.model_bytes, done.vector_bytes) == (0, 0, 0, 0, 0)


def test_a_training_takes_as_long_a_step_as_those_before(grid: nb.Grid) -> None:
    nb.run(grid, models="none")
    store = Store.at(".negbench")
    more = nb.plan_run(nb.load_grid(grid.source, {"seeds": [0, 1], "train.epochs": 2}))
    (training,) = [group for group in more.forecast.groups if group.name == "training"]
    assert (training.stages, training.stored, training.left) == (4, 2, 2)
    costs = [store.cost(one.stage) for one in more.stages if one.stage.kind == "training" and one.stored]
    a_step = sum(cost["seconds"] for cost in costs) / sum(cost["steps"] for cost in costs)
    assert more.forecast.steps is not None
    assert training.seconds == pytest.approx(more.forecast.steps * a_step)
    assert more.forecast.untimed == []
    assert "time left: about" in more.table
    other = nb.plan_run(nb.load_grid(grid.source, {"collection": "helpdesk(articles=100, queries=24, dev=6, test=12)"}))
    assert other.forecast.seconds is None  # measured on another collection


@pytest.mark.parametrize("held_out", [None, 0.3])
def test_before_any_training_the_time_follows_from_what_init_measured(
    held_out: float | None, grid: nb.Grid, tiny_collection: Path, tiny_encoder: Path
) -> None:
    """Also where labels are held out: their collection is another one, of the same texts."""
    advice = nb.advise(str(tiny_collection), encoder=str(tiny_encoder))
    (kept,) = Path(".negbench/reading").iterdir()
    record = json.loads(kept.read_text())
    record["costs"] |= {"tokens_a_second": 10.0, "document_tokens": 50.0, "query_tokens": 4.0}
    kept.write_text(json.dumps(record))

    plan = nb.plan_run(nb.load_grid(grid.source, {"held_out": held_out}))
    times = {group.name: group.seconds for group in plan.forecast.groups}
    queries = int(advice.figures_by_name["train queries"])
    # two epochs over one pair a query, cut at 32 tokens; in-batch reads one document a pair, bm25 two; thrice each
    assert times["training"] == pytest.approx(3 * 2 * queries * ((4 + 32) + (4 + 2 * 32)) / 10)
    corpora = [it.stage for it in plan.stages if isinstance(it.stage, Embed) and it.stage.split is None]
    tokens = [min(50, it.max_length or 50) for it in corpora]
    assert {32, 50} == set(tokens)
    assert times["embeddings of document"] == pytest.approx(advice.figures_by_name["documents"] * sum(tokens) / 10)
    said = " ".join(plan.table.split())
    assert re.search(r"time left: very roughly [^,]+, by 10 tokens a second of ", said), said
    assert plan.data["forecast"]["tokens_a_second"] == plan.forecast.speeds != {}

    nb.run(grid, models="none")
    stored = nb.plan_run(nb.load_grid(grid.source, {"seeds": [0, 1]}))
    assert stored.forecast.speeds == {}  # what stages took wins over what the encoder might take
    assert "time left: about" in stored.table


def test_what_another_machine_measured_tells_nothing(
    grid: nb.Grid, tiny_collection: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb.advise(str(tiny_collection), encoder=str(tiny_encoder))
    assert nb.plan_run(grid).forecast.seconds is not None
    monkeypatch.setattr("platform.node", lambda: "another")
    assert nb.plan_run(grid).forecast.seconds is None
    monkeypatch.undo()


def test_alike_stages_are_one_line(grid: nb.Grid) -> None:
    few, many = (nb.plan_run(nb.load_grid(grid.source, {"seeds": list(range(seeds))})) for seeds in (1, 8))
    assert len(many.stages) > 4 * len(few.stages) / 2
    assert len(many.table.splitlines()) == len(few.table.splitlines())


def test_a_collection_with_a_test_split_alone_is_told_what_to_do(
    collection: Path, weights: Path, negbench: Callable[..., Any]
) -> None:
    for split in ("train", "dev"):
        (collection / f"qrels/{split}.tsv").unlink()
    keys = {"name": "g", "collection": str(collection), "encoder": str(weights), "methods": ["bm25"]}
    (collection.parent / "grid.yaml").write_text(json.dumps(keys))
    said = negbench("plan", "grid.yaml", cwd=collection.parent)
    assert (said.code, said.out) == (2, "")
    assert "collection socks has no split 'train'; give one of test" in said.err
    assert "rename qrels/test.tsv to train.tsv" in said.err


@pytest.mark.parametrize("command", ["plan", "run"])
def test_pairs_that_leave_nothing_to_train_with_are_refused(
    command: str, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    """All rows ask what the collection has among its test queries, so they are left out."""
    folder = shutil.copytree(tiny_collection, tmp_path / "garden")
    for split in ("train", "dev"):
        (folder / f"qrels/{split}.tsv").unlink(missing_ok=True)
    data = source_of(str(folder)).load()
    test = data.qrels["test"]
    pairs = zip(test.queries.tolist(), test.documents.tolist(), strict=True)
    rows = [{"query": data.queries[query], "pos": [data.passages()[document]], "neg": []} for query, document in pairs]
    (tmp_path / "mined.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    keys = {"name": "g", "encoder": str(tiny_encoder), "methods": ["in-batch", "bm25"]}
    (tmp_path / "grid.yaml").write_text(
        json.dumps({**keys, "collection": {"pairs": "mined.jsonl", "collection": "garden"}})
    )
    said = negbench(command, "grid.yaml", cwd=tmp_path)
    assert (said.code, said.out) == (2, "")
    (line,) = [it for it in said.err.splitlines() if it.startswith("negbench: ")]
    assert "no labelled pair to train with" in line
    assert not (tmp_path / "runs").exists()
