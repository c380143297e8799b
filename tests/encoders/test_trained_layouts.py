"""Training models of other layouts: its scores are those of sentence-transformers' similarity over its own vectors."""

from __future__ import annotations

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
from negbench.losses.infonce import InfoNCE
from negbench.training.data import instances
from negbench.training.loop import TrainingError, all_batches, train
from negbench.training.recipe import Recipe

RECIPE = Recipe(epochs=1, batch_size=24, learning_rate=1e-3, max_length=128, dropout=0.0, precision="float32")


@pytest.mark.parametrize(
    "layout",
    [
        "router",
        "router with static queries",
        "static, normalised and truncated",
        "truncated dot",
        "prompts that are not pooled",
        "decoder padded on the left",
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
    curves, _ = train(model, data, garden, loss, RECIPE, 0, tmp_path / "scratch")

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


def test_word_embeddings_that_are_kept_as_they_are_cannot_be_trained(
    tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    garden = Beir(path=str(tiny_collection)).load()
    folder = LAYOUTS["words"](Maker(tmp_path / "made", tiny_encoder.parent / "bert"))
    model, data = build(EncoderSpec(model=str(folder)), 0), instances(garden, "train", None, RECIPE)
    with pytest.raises(TrainingError, match="no weights that are trained"):
        train(model, data, garden, InfoNCE(), RECIPE, 0, tmp_path / "scratch")
