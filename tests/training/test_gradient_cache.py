"""Gradient caching: the gradients of one large batch, from the memory of a small one."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pools import mined
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.encoders.attention import fast_attention
from negbench.encoders.dropout import fast_dropout
from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.registry import registered
from negbench.training import loop
from negbench.training.data import Collator, Instances, instances
from negbench.training.job import TrainingJob
from negbench.training.loop import set_dropout, train
from negbench.training.objective import Chunk, Objective
from negbench.training.recipe import Recipe
from negbench.types import Collection

UNTOLD = [name for name, part in registered("loss").items() if not part().requires]  # type: ignore[attr-defined]
Gradients = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


@pytest.fixture(scope="module")
def data(garden: Collection) -> Instances:
    """Return training rows with two negatives a query."""
    positives = garden.qrels["train"].by_query()
    queries = garden.split_queries("train")
    chosen = [[row for row in range(60) if row not in positives[query]][query % 50 :][:2] for query in queries.tolist()]
    table = np.array(chosen, np.int32)
    return instances(garden, "train", mined(table, queries=queries))


@pytest.fixture
def model(tiny_encoder: Path) -> SentenceTransformer:
    model = SentenceTransformer(str(tiny_encoder))
    model.max_seq_length = 32
    return model.train()


def batch_of(data: Instances, garden: Collection, model: SentenceTransformer, tokens: int) -> tuple[list[Chunk], Any]:
    """Return the features and labels of the first 16 rows as the trainer hands them on."""
    found = Collator(data, garden, model, tokens)([{"row": row} for row in range(16)])
    names = [name.removesuffix("input_ids") for name in found if name.endswith("_input_ids")]
    chunks = [{key.removeprefix(name): found[key] for key in found if key.startswith(name)} for name in names]
    return chunks, found["label"]


def gradients(model: SentenceTransformer, backward: Callable[[], Any]) -> Gradients:
    model.zero_grad()
    backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


def by_hand(model: SentenceTransformer, loss: Loss, chunks: list[Chunk], label: Any) -> None:
    """Put the gradients on ``model`` in the three steps of the paper."""
    states, vectors = [], []
    with torch.no_grad():
        for chunk in chunks:
            states.append(torch.get_rng_state())
            vectors.append(model(dict(chunk))["sentence_embedding"])
    leaves = [found.clone().requires_grad_() for found in vectors]
    asked = int(label["query_chunks"])
    queries, documents = torch.cat(leaves[:asked]), torch.cat(leaves[asked:])
    scores, beside = queries[label["row_query"]] @ documents.T, documents[label["positive_column"]] @ documents.T
    loss.mean(
        ScoredBatch(
            scores=scores,
            positive_column=label["positive_column"],
            known_mask=label["known_mask"],
            mined_mask=label["mined_mask"],
            positive_similarity=beside,
        ),
        label["weight"],
    ).backward()
    for chunk, state, leaf in zip(chunks, states, leaves, strict=True):
        torch.set_rng_state(state)
        again = model(dict(chunk))["sentence_embedding"]
        assert leaf.grad is not None
        (again * leaf.grad).sum().backward()


@pytest.mark.parametrize("name", UNTOLD)
def test_the_gradients_are_those_of_one_piece(
    name: str, data: Instances, garden: Collection, model: SentenceTransformer
) -> None:
    loss: Any = registered("loss")[name]()
    set_dropout(model, 0.0)
    whole, pieces = (batch_of(data, garden, model, tokens) for tokens in (10**9, 128))
    assert len(whole[0]) == 2 < 5 < len(pieces[0])
    wanted = gradients(model, lambda: Objective(model, loss)(*whole).backward())
    found = gradients(model, lambda: Objective(model, loss, gradient_cache=True)(*pieces).backward())
    assert found.keys() == wanted.keys()
    assert max(value.abs().max() for value in wanted.values()) > 1e-3
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, atol=1e-5, rtol=1e-5, msg=key)


def test_with_dropout_they_are_those_of_the_three_steps(
    data: Instances, garden: Collection, model: SentenceTransformer
) -> None:
    set_dropout(model, 0.3)
    chunks, label = batch_of(data, garden, model, 128)
    loss = InfoNCE()
    torch.manual_seed(1)
    wanted = gradients(model, lambda: by_hand(model, loss, chunks, label))
    torch.manual_seed(1)
    found = gradients(model, lambda: Objective(model, loss, gradient_cache=True)(chunks, label).backward())
    torch.manual_seed(2)
    other = gradients(model, lambda: Objective(model, loss, gradient_cache=True)(chunks, label).backward())
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, atol=1e-5, rtol=1e-5, msg=key)
    assert any((other[key] - value).abs().max() > 1e-3 for key, value in wanted.items())


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_they_are_to_the_bit_those_of_the_same_pieces_uncached(
    bfloat16: bool, dropout: float, data: Instances, garden: Collection, model: SentenceTransformer
) -> None:
    """With this package's attention and dropout, and under autocast; what is drawn afterwards is the same, too."""
    set_dropout(model, dropout)
    batch = batch_of(data, garden, model, 128)

    def run(cached: bool) -> tuple[Gradients, float]:
        with ExitStack() as stack:
            stack.enter_context(fast_attention(model, bfloat16))
            stack.enter_context(fast_dropout(model))
            torch.manual_seed(0)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                loss = Objective(model, InfoNCE(), cached)(*batch)
            found = gradients(model, loss.backward)  # as the trainer does, outside of autocast
            return found, torch.rand(1).item()

    (plain, after), (cached, after_cached) = run(False), run(True)
    assert after == after_cached
    assert plain.keys() == cached.keys()
    for key, value in plain.items():
        assert torch.equal(value, cached[key]), key


@contextmanager
def layer_outputs(model: SentenceTransformer) -> Iterator[list[tuple[int, int]]]:
    """Count forward passes and, at each, how many passes have left an inner layer's output in memory, its own too."""
    counts: list[tuple[int, int]] = []
    kept: list[weakref.ref[torch.Tensor]] = []

    def seen(_: Any, __: Any, output: Any) -> None:
        found = output[0] if isinstance(output, tuple) else output
        kept.append(weakref.ref(found.untyped_storage()))
        counts.append((len(kept), sum(one() is not None for one in kept)))

    handle = model[0].auto_model.encoder.layer[1].intermediate.dense.register_forward_hook(seen)
    try:
        yield counts
    finally:
        handle.remove()


def test_one_piece_is_in_memory_at_a_time(data: Instances, garden: Collection, model: SentenceTransformer) -> None:
    set_dropout(model, 0.0)
    chunks, label = batch_of(data, garden, model, 128)
    with layer_outputs(model) as plain:
        Objective(model, InfoNCE())(chunks, label).backward()
    with layer_outputs(model) as cached:
        Objective(model, InfoNCE(), gradient_cache=True)(chunks, label).backward()
    assert [alive for _, alive in plain] == list(range(1, len(chunks) + 1))
    assert len(cached) == 2 * len(chunks)
    assert {alive for _, alive in cached} == {1}


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_training_comes_out_the_same(
    dropout: float, data: Instances, garden: Collection, tiny_encoder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(loop, "CHUNK_TOKENS", {"cpu": 128, "cuda": 128})
    recipe = Recipe(batch_size=16, learning_rate=3e-3, max_length=32, precision="float32", dropout=dropout)
    passes: list[int] = []

    def run(cached: bool) -> tuple[SentenceTransformer, Any]:
        model = SentenceTransformer(str(tiny_encoder))
        asked = recipe.model_copy(update={"gradient_cache": cached})
        with layer_outputs(model) as counts:
            found = train(
                model,
                TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=asked, seed=0),
                tmp_path / str(cached),
            )
        passes.append(len(counts))
        return model, found

    (plain, told), (cached, told_cached) = run(False), run(True)
    assert told == told_cached
    assert told[1]["steps"] == 3
    assert passes[1] == 2 * passes[0]
    start = SentenceTransformer(str(tiny_encoder)).state_dict()
    moved = 0
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(cached.state_dict()[name], value, atol=1e-5, rtol=0, msg=name)
        moved += not torch.allclose(value, start[name], atol=1e-3)
    assert moved > 10
