"""Grids through the command line that stop early, or that are small."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_grid import METHODS, grid_text

from negbench import tracking
from negbench.config.grid import read
from negbench.plan.trials import trials
from negbench.runners.grid import _digests


def test_a_split_that_is_not_there_stops_a_grid_before_it_trains(
    tmp_path: Path, tiny_encoder: Path, negbench: Callable[..., Any]
) -> None:
    (tmp_path / "grid.yaml").write_text(grid_text(tiny_encoder, "[in-batch]"))
    said = negbench("run", "grid.yaml", "--set", "split=nosuch", cwd=tmp_path)
    assert said.code == 2
    (*_, line) = said.err.splitlines()
    lacking = "collection helpdesk has no split 'nosuch'; give one of dev, test, train"
    assert line == f"negbench: grid.yaml:3: collection: {lacking}"
    assert not (tmp_path / "runs").exists()
    kept = {path.name for path in (tmp_path / ".negbench").iterdir()}
    assert kept <= {"collection", "encoder", "locks", "drafts", "store.json"}  # encoders are looked at first


def test_dev_must_be_there_before_a_grid_that_needs_it_trains(
    tmp_path: Path, tiny_encoder: Path, tiny_collection: Path, negbench: Callable[..., Any]
) -> None:
    folder = shutil.copytree(tiny_collection, tmp_path / "garden")
    (folder / "qrels/dev.tsv").unlink()
    text = grid_text(tiny_encoder, "[in-batch]") + "curve_points: 2\n"
    (tmp_path / "grid.yaml").write_text(text)
    judged = ["curve_points=0", "methods=[rance]", "baseline=null"]  # learns from dev which ranks are relevant
    for changes in ([], judged):
        asked = [argument for change in changes for argument in ("--set", change)]
        said = negbench("run", "grid.yaml", "--set", f"collection={{source: {folder}, dev: 0}}", *asked, cwd=tmp_path)
        assert said.code == 2
        lacking = "collection garden has no split 'dev'; give one of test, train"
        assert said.err.splitlines()[-1] == f"negbench: --set collection: {lacking}"
        assert not (tmp_path / "runs").exists()


def test_a_collection_without_training_labels_is_told_what_to_do(
    tmp_path: Path, tiny_encoder: Path, tiny_collection: Path, negbench: Callable[..., Any]
) -> None:
    folder = shutil.copytree(tiny_collection, tmp_path / "garden")
    for split in ("train", "dev"):
        (folder / f"qrels/{split}.tsv").unlink(missing_ok=True)
    (tmp_path / "grid.yaml").write_text(grid_text(tiny_encoder, "[in-batch]"))
    said = negbench("run", "grid.yaml", "--set", f"collection={folder}", cwd=tmp_path)
    assert said.code == 2
    (line,) = [line for line in said.err.splitlines() if line.startswith("negbench: ")]
    assert "has no split 'train'; give one of test. Without training labels" in line
    assert "rename qrels/test.tsv to train.tsv" in line


def test_mlflow_hears_of_each_trial_as_it_ends_until_it_fails_to_answer(
    tmp_path: Path, tiny_encoder: Path, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[list[str], bool]] = []

    def log_grid(name: str, trials: Any, out: Path, artifacts: Any = ()) -> tracking.Outcome:
        heard.append(([trial.parameters["method"] for trial in trials], artifacts is None))
        return tracking.Outcome(0, len(heard) - 1, "MLflow: said nothing")

    monkeypatch.setattr(tracking, "log_grid", log_grid)
    (tmp_path / "grid.yaml").write_text(grid_text(tiny_encoder, "[in-batch, random, bm25]"))
    assert negbench("run", "grid.yaml", cwd=tmp_path).code == 0
    trained = [([method for method in methods if method in METHODS], goes_on) for methods, goes_on in heard]
    assert trained == [
        (["in-batch"], True),
        (["in-batch", "random"], True),  # fails, so that the third trial waits for the end
        (["in-batch", "random", "bm25"], False),
    ]


@pytest.mark.parametrize(("held_out", "one_label"), [(None, False), (0.3, False), (0.3, True)])
def test_a_table_without_a_rate_says_how_to_get_one(
    tmp_path: Path,
    tiny_encoder: Path,
    tiny_collection: Path,
    negbench: Callable[..., Any],
    held_out: float | None,
    one_label: bool,
) -> None:
    """Where no query has a second label, none can be hidden; the grid runs all the same."""
    folder = shutil.copytree(tiny_collection, tmp_path / "garden")
    if one_label:
        head, *lines = (folder / "qrels/train.tsv").read_text().splitlines(keepends=True)
        first = {line.split("\t")[0]: line for line in lines}
        (folder / "qrels/train.tsv").write_text("".join([head, *first.values()]))
    (tmp_path / "grid.yaml").write_text(grid_text(tiny_encoder, "[in-batch, random]"))
    changes = [f"collection={folder}", f"held_out={json.dumps(held_out)}"]
    asked = [argument for change in changes for argument in ("--set", change)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
        said = negbench("run", "grid.yaml", *asked, cwd=tmp_path)
    assert said.code == 0, said.err
    table = (tmp_path / "runs/tiny/table.md").read_text()
    told = held_out is not None and not one_label
    assert ("label a sample with negbench audit GRID.yaml" in table) != told
    assert ("(truth) or held_out, or label" in table) == (held_out is None)
    assert ("held-out [95 %]" in table) == told
    estimates = (tmp_path / "runs/tiny/false_negatives.csv").read_text()
    assert ("cannot be estimated: 0.0% of the labels" in estimates) == one_label


def test_a_manifest_has_the_digests_of_all_collections_of_a_name(tmp_path: Path, tiny_encoder: Path) -> None:
    planted = {"mismatched": {"collection": "helpdesk", "rate": 0.0}}
    grid = {"name": "g", "collection": planted, "encoder": {"model": str(tiny_encoder)}, "methods": ["in-batch"]}
    (tmp_path / "one.yaml").write_text(json.dumps(grid))
    (tmp_path / "two.yaml").write_text(json.dumps({**grid, "axes": {"collection.mismatched.rate": [0.0, 0.5]}}))
    one, two = (_digests(trials(read(tmp_path / f"{name}.yaml")))["collections"] for name in ("one", "two"))
    assert list(one) == ["mismatched(helpdesk)"]
    assert list(two) == ["mismatched(helpdesk) 1", "mismatched(helpdesk) 2"]
    assert two["mismatched(helpdesk) 1"] == one["mismatched(helpdesk)"] != two["mismatched(helpdesk) 2"]


def small(collection: Path, encoder: Path, train: str) -> str:
    lines = [f"collection: {collection}", f"encoder: {encoder}", "methods: [in-batch]", "seeds: [0]", f"train: {train}"]
    return "name: small\n" + "\n".join(lines) + "\n"


def test_an_encoder_that_lacks_weights_stops_a_grid_before_it_trains(
    tmp_path: Path, tiny_encoder: Path, tiny_collection: Path, negbench: Callable[..., Any]
) -> None:
    """What its files show by themselves is told by ``plan``, too."""
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    (tmp_path / "grid.yaml").write_text(small(tiny_collection, folder, "{epochs: 1, batch_size: 64, max_length: 16}"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    said = negbench("run", "grid.yaml", cwd=tmp_path)
    assert said.code == 2
    place = f"negbench: grid.yaml:3: encoder: encoder {folder}"
    assert said.err.splitlines()[-1].startswith(f"{place}: its files lack 16 tensors")
    assert not (tmp_path / "runs").exists()
    assert not list((tmp_path / ".negbench").glob("e*/*"))  # neither the encoder nor embeddings

    (folder / "tokenizer.json").unlink()
    for command in ("plan", "run"):
        said = negbench(command, "grid.yaml", cwd=tmp_path)
        assert (said.code, "has no tokenizer" in said.err.splitlines()[-1]) == (2, True)


def test_a_training_that_leaves_no_numbers_fails_and_is_not_stored(
    tmp_path: Path, tiny_encoder: Path, tiny_collection: Path, negbench: Callable[..., Any]
) -> None:
    train = "{epochs: 1, batch_size: 64, max_length: 16, learning_rate: 1.0e+39, precision: float32, warmup: 0.0}"
    (tmp_path / "grid.yaml").write_text(small(tiny_collection, tiny_encoder, train))
    said = negbench("run", "grid.yaml", "--out", "out", cwd=tmp_path)
    assert said.code == 1
    assert "after step 1 " in said.out + said.err
    assert "tensors hold NaN or infinite numbers" in said.out + said.err
    assert not list((tmp_path / ".negbench").glob("training/*"))
