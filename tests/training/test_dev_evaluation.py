from __future__ import annotations

from pathlib import Path

import pytest
import torch
from made_rows import RECIPE, rows_with
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode_as_is
from negbench.encoders.tokens import tokenised
from negbench.losses.infonce import InfoNCE
from negbench.training.hooks import DevEvaluation
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.types import Collection


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


def test_what_is_watched_leaves_the_training_as_it_is(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    """The first point is the start's, the last that of the encoder as it is used afterwards; dropout draws the same."""
    recipe = RECIPE.model_copy(update={"dropout": 0.1})
    texts = garden.queries[:5]

    def total(model: SentenceTransformer) -> float:
        return float(encode_as_is(model, tokenised(model, texts, "query")).sum())

    def run(points: int) -> tuple[SentenceTransformer, dict[str, list[tuple[int, float]]], float]:
        model = SentenceTransformer(str(tiny_encoder))
        model.max_seq_length = recipe.max_length.query
        before = total(model)
        watch = DevEvaluation("dev", points, total) if points else None
        curves, _ = train(
            model,
            TrainingJob(data=rows_with(garden, 1), collection=garden, loss=InfoNCE(), recipe=recipe, seed=0),
            tmp_path / str(points),
            watch=watch,
        )
        return model, curves, before

    plain, without, _ = run(0)
    model, curves, before = run(3)
    steps = len(without["loss"])
    assert [step for step, _ in curves["dev"]] == [0, round(steps / 2), steps]
    assert curves["dev"][0][1] == pytest.approx(before)
    assert curves["dev"][-1][1] == pytest.approx(total(model))
    assert curves["loss"] == without["loss"]
    for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(mine, other)
