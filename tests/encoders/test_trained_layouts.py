"""Training models of other layouts: its scores are those of sentence-transformers' similarity over its own vectors."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from made_models import LAYOUTS, Maker
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode
from negbench.encoders.load import build, load
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import tokenised
from negbench.errors import InputError
from negbench.losses.infonce import InfoNCE
from negbench.training.average import EMA
from negbench.training.batches import all_batches
from negbench.training.data import instances
from negbench.training.job import TrainingJob
from negbench.training.loop import TrainingError, train
from negbench.training.recipe import Recipe

RECIPE = Recipe(epochs=1, batch_size=24, learning_rate=1e-3, max_length=128, dropout=0.0, precision="float32")


@pytest.mark.parametrize(
    "layout",
    [
        "router",
        "router with static queries",
        "static",
        "static, normalised and truncated",
        "truncated dot",
        "prompts that are not pooled",
        "decoder padded on the left",
        "decoder with dropout",
        "decoder that looks both ways",
        "local and global attention",
        "relative positions",
        "half",
    ],
)
def test_the_first_loss_and_what_is_kept(
    layout: str, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    garden = Beir(path=str(tiny_collection)).load()
    folder = LAYOUTS[layout](Maker(tmp_path / "made", tiny_encoder.parent / "bert"))
    model, loss = build(EncoderSpec(model=str(folder)), 0), InfoNCE(temperature=0.5)
    data = instances(garden, "train", None, RECIPE)
    curves, _ = train(
        model, TrainingJob(data=data, collection=garden, loss=loss, recipe=RECIPE, seed=0), tmp_path / "scratch"
    )

    start = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    batch, passages = all_batches(data, RECIPE, 0)[0][0], garden.passages()
    documents = np.unique(data.positives[batch])
    queries = start.encode_query([garden.queries[row] for row in data.queries[batch]])
    scores = start.similarity(queries, start.encode_document([passages[row] for row in documents])) / 0.5
    known = torch.from_numpy(data.known.contains(data.queries[batch][:, None], documents[None, :]))
    target = torch.from_numpy(documents[None, :] == data.positives[batch][:, None])
    right = scores.masked_fill(known & ~target, -torch.inf).logsumexp(1) - scores[target]
    assert curves["loss"][0][1] == pytest.approx(right.mean().item(), rel=1e-3)

    model.save_pretrained(str(tmp_path / "trained"), create_model_card=False)
    trained, before = load(tmp_path / "trained"), build(EncoderSpec(model=str(folder)), 0)
    kept = (before.truncate_dim, before.similarity_fn_name, before.prompts)
    assert (trained.truncate_dim, trained.similarity_fn_name, trained.prompts) == kept
    for side in ("query", "document"):
        new, old = (encode(it, ["water my basil"], side, "float32") for it in (trained, before))  # type: ignore[arg-type]
        assert new.shape == old.shape
        assert abs(new - old).max() > 1e-4


def test_a_static_model_that_is_encoded_twice_learns_the_same(
    tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    garden = Beir(path=str(tiny_collection)).load()
    folder = LAYOUTS["static"](Maker(tmp_path / "made", tiny_encoder.parent / "bert"))
    found = []
    for cached in (False, True):
        recipe = RECIPE.model_copy(update={"gradient_cache": cached})
        model, data = build(EncoderSpec(model=str(folder)), 0), instances(garden, "train", None, recipe)
        job = TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=recipe, seed=0)
        train(model, job, tmp_path / "scratch")
        found.append(model[0].embedding.weight.detach())
    assert torch.equal(*found)


def test_the_average_of_a_static_model(tiny_encoder: Path, tmp_path: Path) -> None:
    """Its weights follow by a tenth, and the model's own are left alone."""
    folder = LAYOUTS["static"](Maker(tmp_path / "made", tiny_encoder.parent / "bert"))
    model = build(EncoderSpec(model=str(folder)), 0)
    average, weights = EMA(model, 0.9), model[0].embedding.weight
    start = weights.detach().clone()
    with torch.no_grad():
        weights += 1
    average.follow()
    tokens = tokenised(model, ["water my basil", "frost"], "query")
    rows = [tokens.columns["input_ids"][begin:end] for begin, end in pairwise(tokens.ends.tolist())]
    right = torch.stack([(start + 0.1)[row].mean(0) for row in rows])
    np.testing.assert_allclose(average(tokens.padded(np.arange(2), model)), right, atol=1e-5)
    assert torch.equal(weights, start + 1)


@pytest.mark.parametrize("layout", ["static", "half"])
def test_dropout_is_refused_where_there_is_none(
    layout: str, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    garden, recipe = Beir(path=str(tiny_collection)).load(), RECIPE.model_copy(update={"dropout": 0.25})
    folder = LAYOUTS[layout](Maker(tmp_path / "made", tiny_encoder.parent / "bert"))
    model, data = build(EncoderSpec(model=str(folder)), 0), instances(garden, "train", None, recipe)
    job = TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=recipe, seed=0)
    if layout == "half":
        train(model, job, tmp_path / "scratch")
        return
    with pytest.raises(InputError, match=r"train.dropout is 0\.25, but the encoder has no dropout; set it to 0"):
        train(model, job, tmp_path / "scratch")


def test_word_embeddings_that_are_kept_as_they_are_cannot_be_trained(
    tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    garden = Beir(path=str(tiny_collection)).load()
    folder = LAYOUTS["words"](Maker(tmp_path / "made", tiny_encoder.parent / "bert"))
    model, data = build(EncoderSpec(model=str(folder)), 0), instances(garden, "train", None, RECIPE)
    with pytest.raises(TrainingError, match="no weights that are trained"):
        train(
            model,
            TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=RECIPE, seed=0),
            tmp_path / "scratch",
        )
