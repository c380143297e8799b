"""A training in two processes: the weights of one, whatever is asked of it on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from made_hook import MadeAtOnce
from pools import mined
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode_as_is
from negbench.encoders.tokens import tokenised
from negbench.losses.infonce import InfoNCE
from negbench.training import loop
from negbench.training.data import Instances, instances
from negbench.training.hooks import Curves, DevEvaluation
from negbench.training.job import TrainingJob
from negbench.training.job_files import save_job
from negbench.training.loop import TrainingError, train
from negbench.training.recipe import Recipe
from negbench.types import Collection

RECIPE = Recipe(
    batch_size=16, learning_rate=3e-3, warmup=0.5, weight_decay=0.1, max_length=16, precision="float32", dropout=0.0
)


@dataclass
class Trained:
    """What a training leaves."""

    model: SentenceTransformer
    curves: Curves
    cost: dict[str, float]


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


def rows_with(garden: Collection, shift: int) -> Instances:
    """Return training rows with two negatives a query, others for every ``shift``."""
    positives = garden.qrels["train"].by_query()
    queries = garden.split_queries("train")
    chosen = [[row for row in range(60) if row not in positives[query]][query + shift :][:2] for query in queries]
    table = np.array(chosen, np.int32)
    return instances(garden, "train", mined(table, queries=queries), RECIPE)


@pytest.fixture(scope="module")
def trained(garden: Collection, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    """Return a function that trains for three steps, watched; after the first the rows change."""

    @cache
    def run(processes: int, cached: bool = False) -> Trained:
        model = SentenceTransformer(str(tiny_encoder))
        tokens = tokenised(model, garden.queries[:9], "query")
        watch = DevEvaluation("total", 4, lambda current: float(np.abs(encode_as_is(current, tokens)).sum()))
        hook = MadeAtOnce([1, 2], lambda _, number: (rows_with(garden, number), {"round": float(number)}))
        recipe = RECIPE.model_copy(update={"processes": processes, "gradient_cache": cached})
        scratch = tmp_path_factory.mktemp("scratch")
        curves, cost = train(
            model,
            TrainingJob(data=rows_with(garden, 0), collection=garden, loss=InfoNCE(), recipe=recipe, seed=0),
            scratch,
            watch=watch,
            hook=hook,
        )
        return Trained(model, curves, cost)

    return run


@pytest.mark.parametrize("cached", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_processes_train_as_one_does(trained: Callable[..., Trained], cached: bool, tiny_encoder: Path) -> None:
    one, two = trained(1), trained(2, cached)
    assert two.cost == one.cost
    assert two.cost["steps"] == 3
    assert two.curves.keys() == one.curves.keys() == {"loss", "grad_norm", "learning_rate", "total", "round"}
    for name, curve in one.curves.items():
        np.testing.assert_allclose(two.curves[name], curve, rtol=1e-4, err_msg=name)
    start = SentenceTransformer(str(tiny_encoder)).state_dict()
    weights = two.model.state_dict()
    moved = 0
    for name, value in one.model.state_dict().items():
        if "key.bias" not in name:  # softmax cancels it: its gradient is rounding noise, which AdamW blows up
            torch.testing.assert_close(weights[name], value, atol=1e-5, rtol=0)
            moved += not torch.allclose(value, start[name], atol=1e-3)
    assert moved > 30
    pooler = [name for name in start if "pooler" in name]
    assert pooler
    for name in pooler:
        assert torch.equal(weights[name], start[name]), "what nothing uses has no gradient, and does not decay either"


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_all(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    recipe, loss = RECIPE.model_copy(update={"processes": 2}), InfoNCE(temperature=1e-40)
    with pytest.raises(TrainingError, match=r"^the loss is nan at step 1; lower the learning rate$"):
        train(
            SentenceTransformer(str(tiny_encoder)),
            TrainingJob(data=rows_with(garden, 0), collection=garden, loss=loss, recipe=recipe, seed=0),
            tmp_path,
        )


def test_what_breaks_in_another_process_is_said(
    garden: Collection, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_most_of_it(job: TrainingJob, folder: Path) -> None:
        save_job(job, folder)
        rest = json.loads((folder / "job.json").read_text())
        del rest["seed"]
        (folder / "job.json").write_text(json.dumps(rest))

    monkeypatch.setattr(loop, "save_job", save_most_of_it)
    recipe = RECIPE.model_copy(update={"processes": 2})
    with pytest.raises(RuntimeError, match=r"^process 2 of 2 failed: KeyError: 'seed'$"):
        train(
            SentenceTransformer(str(tiny_encoder)),
            TrainingJob(data=rows_with(garden, 0), collection=garden, loss=InfoNCE(), recipe=recipe, seed=0),
            tmp_path,
        )


def test_a_chunk_of_bags_has_as_many_texts_as_bags() -> None:
    """Its tokens stand in a row; another process has to know how many vectors to wait for."""
    from negbench.training.processes import _one_a_text

    assert len(_one_a_text({"input_ids": torch.zeros(5), "offsets": torch.tensor([0, 3]), "task": "query"})) == 2
    assert len(_one_a_text({"modality": "text", "input_ids": torch.zeros(3, 8)})) == 3


@pytest.mark.slow
def test_a_start_that_failed_does_not_stop_the_next(
    trained: Callable[..., Trained], garden: Collection, tiny_encoder: Path, tmp_path: Path
) -> None:
    """torch numbers its process groups, also those that never came about; all processes have to use one number."""
    with pytest.raises(RuntimeError):
        torch.distributed.init_process_group("gloo", f"file://{tmp_path}/meet", timedelta(seconds=0.1), 2, 0)
    job = TrainingJob(
        data=rows_with(garden, 0),
        collection=garden,
        loss=InfoNCE(),
        recipe=RECIPE.model_copy(update={"processes": 2}),
        seed=0,
    )
    curves, _ = train(SentenceTransformer(str(tiny_encoder)), job, tmp_path)
    assert len(curves["loss"]) == len(trained(1).curves["loss"])
