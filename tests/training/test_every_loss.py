"""Every registered loss in two processes, with gradient caching and without: the gradients of one process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_rows import rows_with
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.losses import Loss
from negbench.registry import registered
from negbench.requirements import AverageTargets, CacheTargets, TeacherMatch
from negbench.rng import CounterRNG
from negbench.training.data import Collator
from negbench.training.objective import Objective
from negbench.training.processes import ProcessGroup, started
from negbench.training.targets import VectorTargets

pytestmark = pytest.mark.slow  # another test starts two processes, too

LOSSES: dict[str, Any] = registered("loss")

SETTINGS = [(name, cached) for name in LOSSES for cached in (False, True)]

TOLERANCE = 1e-5
"""Largest difference of a gradient, as a share of the largest gradient: some losses have a hundred times others'."""

WIDTH: dict[type, int] = {TeacherMatch: 8, CacheTargets: 80}
"""Numbers of a random vector, where its scores are not to be about 0.5: a log of sums is as large as score / 0.05."""


class EveryLoss:
    """A batch of 16 rows, with all targets that a loss may require, and the encoder's gradients by each loss."""

    def __init__(self, folder: Path) -> None:
        paths = json.loads((folder / "paths.json").read_text())
        self.garden = Beir(path=paths["collection"]).load()
        self.model = SentenceTransformer(paths["encoder"]).train()
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        rows = rows_with(self.garden, 2)
        positives = np.roll(rows.positives, 1)
        further = np.where(positives == rows.positives, np.int32(-1), positives)
        self.rows = replace(rows, further_positives=further[:, None])

    def gradients(self, name: str, cached: bool, process_group: ProcessGroup) -> dict[str, torch.Tensor]:
        """Return the gradient of each weight that has one."""
        loss: Loss = LOSSES[name]()
        kinds = [type(it) for it in loss.requires if not isinstance(it, AverageTargets)]
        rows = replace(self.rows, targets={kind: self.targets(WIDTH.get(kind, 2)) for kind in kinds})
        collator = Collator(rows, self.garden, self.model, 128 if cached else 10**9, process_group.size)
        batch = collator([{"row": row} for row in range(16)])
        parts = [key.removesuffix("input_ids") for key in batch if key.endswith("_input_ids")]
        chunks = [{key.removeprefix(part): batch[key] for key in batch if key.startswith(part)} for part in parts]
        projection = torch.eye(32, 8) if TeacherMatch in kinds else None
        self.model.zero_grad()
        Objective(self.model, loss, cached, process_group, projection=projection)(chunks, batch["label"]).backward()
        process_group.sum_gradients(self.model)
        return {key: it.grad.clone() for key, it in self.model.named_parameters() if it.grad is not None}

    def targets(self, width: int) -> VectorTargets:
        """Return random vectors of all texts: positive, so that their products can be any kind of score."""
        sides = []
        for number, texts in enumerate((self.garden.queries, self.garden.texts)):
            noise = CounterRNG(number, "vectors").uniform(np.arange(len(texts) * width, dtype=np.uint64))
            sides.append(noise.reshape(-1, width).astype(np.float32))
        queries, documents = (np.arange(len(side), dtype=np.int32) for side in sides)
        return VectorTargets(queries, sides[0], documents, sides[1])


def help_with(process_group: ProcessGroup, folder: Path) -> None:
    every = EveryLoss(folder)
    for name, cached in SETTINGS:
        every.gradients(name, cached, process_group)


@pytest.fixture(scope="module")
def gradients(
    tiny_collection: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, bool], tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]]:
    """Return those of two processes and those of one, of the batch in one piece, by loss and caching."""
    folder = tmp_path_factory.mktemp("every-loss")
    (folder / "paths.json").write_text(json.dumps({"collection": str(tiny_collection), "encoder": str(tiny_encoder)}))
    every = EveryLoss(folder)
    alone = {name: every.gradients(name, False, ProcessGroup()) for name in LOSSES}
    with started(2, folder, help_with) as process_group:
        return {
            (name, cached): (every.gradients(name, cached, process_group), alone[name]) for name, cached in SETTINGS
        }


@pytest.mark.parametrize(("name", "cached"), SETTINGS)
def test_two_processes_give_the_gradients_of_one(name: str, cached: bool, gradients: Any) -> None:
    both, alone = gradients[name, cached]
    assert both.keys() == alone.keys()
    largest = max(value.abs().max().item() for value in alone.values())
    assert largest > 1e-3
    for key, value in alone.items():
        torch.testing.assert_close(both[key], value, atol=TOLERANCE * largest, rtol=0, msg=key)
