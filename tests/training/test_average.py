"""An average of the encoder that follows it: its weights, its scores, and that it leaves no other trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pools import mined
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.losses import ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.losses.npc import NPC
from negbench.requirements import AverageTargets
from negbench.training.average import EMA
from negbench.training.data import Instances, instances
from negbench.training.hooks import Curves
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.recipe import Recipe
from negbench.types import Collection

RECIPE = Recipe(epochs=2, batch_size=16, learning_rate=3e-3, max_length=16, precision="float32", dropout=0.0)
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


@pytest.fixture(scope="module")
def data(garden: Collection) -> Instances:
    """Return training rows with two negatives a query; a third of them weighs nothing."""
    positives = garden.qrels["train"].by_query()
    queries = garden.split_queries("train")
    chosen = [[row for row in range(60) if row not in positives[query]][query % 50 :][:2] for query in queries.tolist()]
    table = np.array(chosen, np.int32)
    drawn = mined(table, queries=queries)
    found = instances(garden, "train", drawn, RECIPE)
    found.weights[::3] = 0
    return found


SEEN: list[tuple[torch.Tensor, torch.Tensor]] = []


class Watched(NPC):
    """Keeps the encoder's and the average's scores."""

    def mean(self, batch: ScoredBatch, weights: torch.Tensor) -> torch.Tensor:
        average = batch.targets[AverageTargets]
        SEEN.append((batch.scores.detach().clone(), average.clone()))
        assert not average.requires_grad
        return super().mean(batch, weights)


class Idle(NPC):
    """InfoNCE that asks for an average, and looks away."""

    def mean(self, batch: ScoredBatch, weights: torch.Tensor) -> torch.Tensor:
        return InfoNCE().mean(batch, weights)


WHOLE: dict[str, Any] = {"weight_decay": 0.01}
"""What keeps the table of token embeddings whole in training, so that weights have the encoder's names."""


def run(
    encoder: Path, data: Instances, garden: Collection, loss: Any, scratch: Path, **changed: Any
) -> tuple[SentenceTransformer, Curves]:
    model = SentenceTransformer(str(encoder))
    SEEN.clear()
    curves, _ = train(
        model,
        TrainingJob(data=data, collection=garden, loss=loss, recipe=RECIPE.model_copy(update=changed), seed=0),
        scratch,
    )
    return model, curves


@pytest.mark.parametrize("decay", [0.0, 0.7, 0.99])
def test_its_weights_are_the_closed_form_over_all_steps(
    decay: float, data: Instances, garden: Collection, tiny_encoder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    steps: list[Weights] = []
    kept: list[Weights] = []
    real = EMA.follow

    def watched(self: EMA) -> None:
        steps.append({name: value.detach().clone() for name, value in self.model.named_parameters()})
        real(self)
        kept.append({name: value.clone() for name, value in self.weights.items()})

    monkeypatch.setattr(EMA, "follow", watched)
    start = dict(SentenceTransformer(str(tiny_encoder)).named_parameters())
    model, curves = run(tiny_encoder, data, garden, NPC(decay=decay), tmp_path, **WHOLE)
    assert len(steps) == curves["loss"][-1][0] == 6
    for name, first in start.items():
        for count, found in enumerate(kept, start=1):
            wanted = decay**count * first.detach().double()
            for at, theirs in enumerate(steps[:count], start=1):
                wanted += (1 - decay) * decay ** (count - at) * theirs[name].double()
            assert (found[name].double() - wanted).abs().max() < 1e-5, name
    moved = dict(model.named_parameters())
    assert max((moved[name] - first).abs().max().item() for name, first in start.items()) > 1e-3


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_without_any_memory_it_is_the_encoder(
    precision: str, cached: bool, data: Instances, garden: Collection, tiny_encoder: Path, tmp_path: Path
) -> None:
    """Under the same autocast, to the same scores. With memory it lags; the first step's learning rate is 0."""
    changed = {"precision": precision, "gradient_cache": cached}
    run(tiny_encoder, data, garden, Watched(decay=0.0), tmp_path, **changed)
    assert len(SEEN) == 6
    for own, told in SEEN:
        torch.testing.assert_close(told, own, atol=1e-6, rtol=0)
    run(tiny_encoder, data, garden, Watched(decay=0.9), tmp_path, **changed)
    apart = [(own - told).abs().max().item() for own, told in SEEN]
    assert max(apart[:2]) < 1e-6
    assert min(apart[2:]) > 1e-3


def test_its_scores_are_those_of_a_model_with_its_weights(
    data: Instances, garden: Collection, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout being on for the encoder, and off for the average."""
    kept: list[Weights] = []
    vectors: list[torch.Tensor] = []
    texts: list[dict[str, torch.Tensor]] = []
    real = EMA.__call__

    def watched(self: EMA, chunk: Any) -> torch.Tensor:
        assert self.model.training
        found = real(self, chunk)
        assert self.model.training
        kept.append({name: value.clone() for name, value in self.weights.items()})
        texts.append(dict(chunk))
        vectors.append(found)
        return found

    monkeypatch.setattr(EMA, "__call__", watched)
    run(tiny_encoder, data, garden, NPC(decay=0.9), tmp_path, dropout=0.3, **WHOLE)
    for weights, chunk, found in list(zip(kept, texts, vectors, strict=True))[::3]:
        other = SentenceTransformer(str(tiny_encoder)).eval()
        other.load_state_dict(weights, strict=False)
        with torch.no_grad():
            torch.testing.assert_close(found, other(dict(chunk))["sentence_embedding"], atol=1e-5, rtol=0)
    assert len(vectors) >= 12


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_leaves_no_other_trace(
    precision: str, data: Instances, garden: Collection, tiny_encoder: Path, tmp_path: Path
) -> None:
    """With dropout on, so that any random number too many would show."""
    changed = {"precision": precision, "dropout": 0.2}
    (plain, told), (beside, same) = (
        run(tiny_encoder, data, garden, loss, tmp_path, **changed) for loss in (InfoNCE(), Idle(decay=0.5))
    )
    assert same == told
    for name, value in plain.state_dict().items():
        assert torch.equal(beside.state_dict()[name], value), name


@pytest.mark.parametrize(
    "changed", [{"gradient_cache": True}, pytest.param({"processes": 2}, marks=pytest.mark.slow)], ids=str
)
def test_gradient_caching_and_two_processes_change_nothing(
    changed: dict[str, Any], data: Instances, garden: Collection, tiny_encoder: Path, tmp_path: Path
) -> None:
    alone, other, quick = (
        run(tiny_encoder, data, garden, NPC(decay=decay), tmp_path, warmup=0.5, **changes)[1]["loss"]
        for decay, changes in ((0.5, {}), (0.5, changed), (0.0, {}))
    )
    np.testing.assert_allclose(other, alone, rtol=5e-4)
    assert abs(quick[-1][1] - alone[-1][1]) > 5e-3


class Linear(torch.nn.Linear):
    """An encoder of one matrix."""

    truncate_dim = None

    def forward(self, chunk: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:  # type: ignore[override]
        return {"sentence_embedding": super().forward(chunk["input_ids"])}


def test_it_goes_where_a_trainer_moves_the_encoder() -> None:
    """As from Apple's GPU, on which encoders are loaded, to the CPU; here to a device without numbers."""
    for use in (lambda it: it.follow(), lambda it: it({"input_ids": torch.zeros(1, 3, device="meta")})):
        model = Linear(3, 2)
        average = EMA(model, 0.5)  # type: ignore[arg-type]
        model.to("meta")
        use(average)
        assert {value.device.type for value in average.weights.values()} == {"meta"}
