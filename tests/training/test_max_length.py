"""Tokens a text by side: how they are written, and what is read of each side in training and afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode
from negbench.encoders.load import build, load
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import limits_of, lower_limits, tokenised
from negbench.losses.infonce import InfoNCE
from negbench.training.batches import all_batches
from negbench.training.data import instances
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.recipe import Recipe

BY_SIDE = {"query": 8, "document": 12}
LONG = " ".join(["water"] * 30)


def test_a_number_is_the_same_for_both_sides() -> None:
    assert Recipe(max_length=64) == Recipe(max_length={"query": 64, "document": 64})  # type: ignore[arg-type]
    assert Recipe().model_dump(mode="json")["max_length"] == 256
    dumped = Recipe(max_length=BY_SIDE).model_dump(mode="json")  # type: ignore[arg-type]
    assert dumped["max_length"] == BY_SIDE
    assert Recipe.model_validate(dumped) == Recipe(max_length=BY_SIDE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, "expected a whole number of at least 8, or one for each side .* found 7"),
        (True, "or one for each side .* found true"),
        ({"query": 7, "document": 8}, "greater than or equal to 8"),
        ({"query": 8}, "Field required"),
        ({"query": 8, "document": 8, "title": 8}, "Extra inputs"),
    ],
)
def test_bad_lengths_are_one_error(value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        Recipe(max_length=value)
    assert caught.value.error_count() == 1


def static(tiny_encoder: Path, folder: Path) -> Path:
    tokenizer = SentenceTransformer(str(tiny_encoder)).tokenizer
    module = StaticEmbedding(tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[module], device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def cut(model: SentenceTransformer, text: str, tokens: int) -> str:
    """Return the beginning of a text that makes so many tokens, special ones included."""
    static = isinstance(model[0], StaticEmbedding)
    tokenizer = model[0].tokenizer if static else model.tokenizer.backend_tokenizer
    ends = [end for _, end in tokenizer.encode(text, add_special_tokens=False).offsets]
    return text[: ends[: tokens if static else tokens - 2][-1]]


@pytest.mark.parametrize("kind", ["transformer", "static"])
def test_each_side_is_cut_at_its_own_length(
    kind: str, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """The first loss is that of texts which were cut by hand; the rest of a long one has no say."""
    folder = tiny_encoder if kind == "transformer" else static(tiny_encoder, tmp_path / "static")
    garden = Beir(path=str(tiny_collection)).load()
    recipe = Recipe(
        epochs=1,
        batch_size=64,
        learning_rate=1e-3,
        max_length=BY_SIDE,  # type: ignore[arg-type]
        precision="float32",
    )
    data = instances(garden, "train", None, recipe)
    model = build(EncoderSpec(model=str(folder)), 0)
    job = TrainingJob(data=data, collection=garden, loss=InfoNCE(temperature=0.5), recipe=recipe, seed=0)
    curves, _ = train(model, job, tmp_path / "scratch")

    start = SentenceTransformer(str(folder), device="cpu")
    batch, passages = all_batches(data, recipe, 0)[0][0], garden.passages()
    documents = np.unique(data.positives[batch])
    sides = {
        "query": [garden.queries[row] for row in data.queries[batch]],
        "document": [passages[row] for row in documents],
    }
    vectors = {
        side: start.encode([cut(start, text, BY_SIDE[side]) for text in texts], normalize_embeddings=True)
        for side, texts in sides.items()
    }
    scores = torch.from_numpy(vectors["query"] @ vectors["document"].T) / 0.5
    known = torch.from_numpy(data.known.contains(data.queries[batch][:, None], documents[None, :]))
    target = torch.from_numpy(documents[None, :] == data.positives[batch][:, None])
    right = scores.masked_fill(known & ~target, -torch.inf).logsumexp(1) - scores[target]
    assert curves["loss"][0][1] == pytest.approx(right.mean().item(), rel=1e-4)
    assert max(len(text.split()) for text in sides["document"]) > BY_SIDE["document"]  # some were cut

    model.save_pretrained(str(tmp_path / "trained"), create_model_card=False)
    stored = load(tmp_path / "trained")
    for side in ("query", "document"):
        here = encode(stored, [LONG], side, "float32", BY_SIDE[side])  # type: ignore[arg-type]
        short = encode(stored, [cut(stored, LONG, BY_SIDE[side])], side, "float32")  # type: ignore[arg-type]
        np.testing.assert_allclose(here, short, atol=1e-6)
    if kind == "transformer":  # the stored model cuts by side on its own, for whoever loads it
        assert limits_of(stored) == BY_SIDE
        asked = SentenceTransformer(str(tmp_path / "trained"), device="cpu").encode_query([LONG])
        np.testing.assert_allclose(asked, encode(stored, [LONG], "query", "float32", 8), atol=1e-5)
    else:
        assert limits_of(stored) == {"query": 12, "document": 12}


def test_a_models_own_limits_by_side_are_lowered_too(tiny_encoder: Path) -> None:
    """Sentence-transformers lets them override its ``max_seq_length``, in either direction."""
    model = SentenceTransformer(str(tiny_encoder), device="cpu")
    model[0].query_length, model[0].document_length = 20, 9
    lower_limits(model, {"query": 16, "document": 16})
    assert limits_of(model) == {"query": 16, "document": 9}
    lengths = [tokenised(model, [LONG], side).lengths[0] for side in ("query", "document")]  # type: ignore[arg-type]
    assert lengths == [16, 9]
    assert tokenised(model, [LONG], "query", 10).lengths[0] == 10
    assert limits_of(model) == {"query": 16, "document": 9}
