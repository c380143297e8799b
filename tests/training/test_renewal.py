"""Rows that change on the way: at the very step, and with no other trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
from made_hook import MadeAtOnce
from pools import mined
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode, frozen_copy
from negbench.losses.infonce import InfoNCE
from negbench.refresh import Refresh
from negbench.refresh.every import Every
from negbench.refresh.every_epoch import EveryEpoch
from negbench.training import loop
from negbench.training.batches import all_batches, epoch_ends
from negbench.training.data import Instances, instances
from negbench.training.hooks import RefreshHook
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.recipe import Recipe
from negbench.types import Collection

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=3e-3, max_length=16, precision="float32", dropout=None)
Curves = dict[str, list[tuple[int, float]]]


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


def rows_with(garden: Collection, shift: int) -> Instances:
    """Return training rows with one negative a query, another for every ``shift``."""
    positives = garden.qrels["train"].by_query()
    queries = garden.split_queries("train")
    chosen = [[row for row in range(60) if row not in positives[query]][(query + shift) % 50] for query in queries]
    table = np.array(chosen, np.int32)[:, None]
    drawn = mined(table, queries=queries)
    return instances(garden, "train", drawn, RECIPE)


def ends_of(garden: Collection) -> list[int]:
    return epoch_ends(all_batches(rows_with(garden, 0), RECIPE, 0))


@pytest.fixture
def run(
    garden: Collection, tiny_encoder: Path, tmp_path: Path
) -> Callable[..., tuple[bytes, Curves, list[np.ndarray]]]:
    """Return a function that trains; it gives the weights' bytes, the curves, and the negatives of each batch read."""

    def made(hook: RefreshHook | None = None, recipe: Recipe = RECIPE) -> tuple[bytes, Curves, list[np.ndarray]]:
        read: list[np.ndarray] = []

        class Watched(loop.Collator):
            def __call__(self, features: Any) -> dict[str, Any]:
                read.append(self.data.negatives[[feature["row"] for feature in features], 0])
                return super().__call__(features)

        model = SentenceTransformer(str(tiny_encoder))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "Collator", Watched)
            data = rows_with(garden, 0)
            curves, _ = train(
                model,
                TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=recipe, seed=0),
                tmp_path / "scratch",
                hook=hook,
            )
        model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
        return (tmp_path / "model/model.safetensors").read_bytes(), curves, read

    return made


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("refresh", [Every(steps=2), EveryEpoch()], ids=str)
def test_rows_change_between_two_optimizer_steps(
    garden: Collection, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, refresh: Refresh, accumulated: int
) -> None:
    """The dataloader reads ahead, and with accumulation a step is made of several batches: neither moves the border."""
    args = partial(sentence_transformers.SentenceTransformerTrainingArguments, gradient_accumulation_steps=accumulated)
    monkeypatch.setattr(sentence_transformers, "SentenceTransformerTrainingArguments", args)
    ends = ends_of(garden)
    if accumulated > 1:
        ends = [end // 2 for end in ends]
    rounds = [rows_with(garden, shift) for shift in range(12)]
    numbers: list[int] = []

    def rows(_: SentenceTransformer, number: int) -> tuple[Instances, dict[str, float]]:
        numbers.append(number)
        return rounds[number], {"told": 10.0 * number}

    _, curves, read = run(MadeAtOnce(refresh.refresh_steps(ends), rows))
    batches = [batch for epoch in all_batches(rounds[0], RECIPE, 0) for batch in epoch]
    steps = len(batches) // accumulated
    due = [step for step in range(1, steps) if step % (2 if refresh.name == "every" else steps // 2) == 0]
    assert len(due) >= 1
    for at, (batch, found) in enumerate(zip(batches, read, strict=True)):
        step = at // accumulated
        assert found.tolist() == rounds[sum(step >= border for border in due)].negatives[batch, 0].tolist()
    assert numbers == list(range(1, len(due) + 1))
    assert curves["told"] == [(step, 10.0 * number) for number, step in enumerate(due, start=1)]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_rows_again_leave_no_trace(garden: Collection, run: Callable[..., Any], precision: Any) -> None:
    """Dropout is on, so that any random number too many would show; in bfloat16 the trainer has wrapped the model."""
    recipe = RECIPE.model_copy(update={"precision": precision})
    vectors: list[np.ndarray] = []

    def rows(model: SentenceTransformer, _: int) -> tuple[Instances, dict[str, float]]:
        vectors.append(encode(frozen_copy(model), garden.queries, "query", precision))
        return rows_with(garden, 0), {}

    plain, moved = run(recipe=recipe), run(MadeAtOnce(Every(steps=2).refresh_steps(ends_of(garden)), rows), recipe)
    assert moved[0] == plain[0]
    assert moved[1] == plain[1]
    assert len(vectors) == 5
    assert len({found.tobytes() for found in vectors}) == 5  # the encoder did move


def test_beyond_the_end_nothing_happens(garden: Collection, run: Callable[..., Any]) -> None:
    def rows(*_: Any) -> Any:
        raise AssertionError

    assert run(MadeAtOnce(Every(steps=12).refresh_steps(ends_of(garden)), rows))[:2] == run()[:2]


def test_a_document_that_no_row_had_before_can_be_read(garden: Collection, run: Callable[..., Any]) -> None:
    def rows(*_: Any) -> tuple[Instances, dict[str, float]]:
        first = rows_with(garden, 0)
        unused = np.setdiff1d(np.arange(60), np.concatenate([first.positives, first.negatives[:, 0]]))
        return replace(first, negatives=np.full_like(first.negatives, unused[0])), {}

    _, _, read = run(MadeAtOnce(EveryEpoch().refresh_steps(ends_of(garden)), rows))
    assert len(set(read[-1].tolist())) == 1


def test_a_hook_sees_the_documents_of_every_batch_and_what_they_are_encoded_to(
    garden: Collection, run: Callable[..., Any], tiny_encoder: Path
) -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    class Seeing(MadeAtOnce):
        def observe(self, documents: Any, vectors: Any) -> None:
            assert not vectors.requires_grad
            seen.append((documents.numpy(), vectors.numpy().copy()))

    data = rows_with(garden, 0)
    run(Seeing([0], lambda *_: (data, {})), RECIPE.model_copy(update={"dropout": 0.0}))
    batches = [batch for epoch in all_batches(data, RECIPE, 0) for batch in epoch]
    for batch, (documents, _) in zip(batches, seen, strict=True):
        assert sorted(documents.tolist()) == np.union1d(data.positives[batch], data.negatives[batch]).tolist()
    model = SentenceTransformer(str(tiny_encoder))
    model.max_seq_length = 16
    passages = garden.passages()
    first = model.encode([passages[row] for row in seen[0][0].tolist()], normalize_embeddings=True)
    np.testing.assert_allclose(seen[0][1], first, atol=1e-5)
