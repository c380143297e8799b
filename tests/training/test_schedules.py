"""Learning rates and steps of the named schedules and optimizers, against transformers and torch themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from made_rows import RECIPE, rows_with
from sentence_transformers import SentenceTransformer
from transformers import get_scheduler
from transformers.optimization import Adafactor

from negbench.collections.beir import Beir
from negbench.losses.infonce import InfoNCE
from negbench.training.data import Collator
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.objective import Objective
from negbench.training.recipe import Optimizer, Recipe, Schedule
from negbench.training.trainer import training_arguments

ADAM = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "adamw_torch_fused": partial(torch.optim.AdamW, **ADAM),
    "adamw_torch": partial(torch.optim.AdamW, **ADAM),
    "adafactor": partial(Adafactor, scale_parameter=False, relative_step=False),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


def run(model: SentenceTransformer, garden: Path, recipe: Recipe, scratch: Path) -> dict[str, list[tuple[int, float]]]:
    collection = Beir(path=str(garden)).load()
    job = TrainingJob(
        data=rows_with(collection, 1, recipe), collection=collection, loss=InfoNCE(), recipe=recipe, seed=0
    )
    curves, _ = train(model, job, scratch)
    return curves


@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_learning_rates_are_those_of_transformers(
    schedule: Any, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"schedule": schedule})
    curves = run(SentenceTransformer(str(tiny_encoder)), tiny_collection, recipe, tmp_path)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=3e-3)
    steps = len(curves["loss"])
    scheduler = get_scheduler(schedule, optimizer, int(np.ceil(0.3 * steps)), steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose([rate for _, rate in curves["learning_rate"]], rates, rtol=1e-6)
    assert len(set(rates)) > 1 or schedule == "constant"


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_two_steps_are_those_of_the_optimizer_itself(
    name: Any, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """On gradients of the same objective, in the same batches, without decay."""
    recipe = RECIPE.model_copy(
        update={
            "optimizer": name, "schedule": "constant", "batch_size": 24, "epochs": 1, "weight_decay": 0.0,
            "max_grad_norm": 1e9, "learning_rate": 1e-3,
        }
    )  # fmt: skip
    model, alone = SentenceTransformer(str(tiny_encoder)), SentenceTransformer(str(tiny_encoder))
    curves = run(model, tiny_collection, recipe, tmp_path)
    assert len(curves["loss"]) > 1

    garden = Beir(path=str(tiny_collection)).load()
    data = rows_with(garden, 1, recipe)
    alone.max_seq_length = recipe.max_length.query
    alone.eval()
    collator, objective = Collator(data, garden, alone, 4096), Objective(alone, InfoNCE())
    optimizer = OPTIMIZERS[name](alone.parameters(), lr=1e-3)
    job = TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=recipe, seed=0)
    for batch in job.batches:
        collated = collator([{"row": row} for row in batch.tolist()])
        sides = {}
        for key, value in collated.items():
            if key not in ("label", "return_loss"):
                side, _, column = key.partition("_")
                sides.setdefault(side, {})[column] = value
        optimizer.zero_grad()
        objective([*sides.values()], collated["label"]).backward()
        optimizer.step()
    for (label, found), (_, right) in zip(model.named_parameters(), alone.named_parameters(), strict=True):
        if "key.bias" not in label:  # its gradient is rounding noise, which some of these blow up
            np.testing.assert_allclose(found.detach(), right.detach(), atol=2e-5, err_msg=label)


def test_the_defaults_are_not_part_of_what_is_dumped(tmp_path: Path) -> None:
    """So that stored trainings are found; and they are what transformers does by default."""
    assert not {"schedule", "optimizer"} & Recipe().model_dump().keys()
    changed = Recipe(schedule="cosine", optimizer="sgd")
    assert Recipe.model_validate(changed.model_dump(mode="json")) == changed
    fields = type(training_arguments(Recipe(), 0, 1, tmp_path)).__dataclass_fields__
    assert (fields["optim"].default, fields["lr_scheduler_type"].default) == ("adamw_torch_fused", "linear")
