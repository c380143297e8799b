"""Adapters of low rank: their training against peft itself, and what is left of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_rows import RECIPE, rows_with
from peft import LoraConfig, get_peft_model
from pydantic import ValidationError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode, frozen_copy
from negbench.encoders.load import load
from negbench.errors import InputError
from negbench.losses.infonce import InfoNCE
from negbench.training import lora as lora_file
from negbench.training.data import Collator, Instances
from negbench.training.hooks import DevEvaluation
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.lora import LoRA
from negbench.training.objective import Objective
from negbench.training.recipe import Recipe
from negbench.types import Collection

LORA = LoRA(rank=4, alpha=12)
SGD = RECIPE.model_copy(
    update={
        "optimizer": "sgd", "schedule": "constant", "batch_size": 24, "epochs": 1, "weight_decay": 0.0,
        "max_grad_norm": 1e9, "learning_rate": 0.5, "lora": LORA,
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


def run(folder: Path, garden: Collection, recipe: Recipe, scratch: Path, **more: Any) -> SentenceTransformer:
    model = SentenceTransformer(str(folder), device="cpu")
    data = rows_with(garden, 1, recipe)
    train(
        model, TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=recipe, seed=3), scratch / "s", **more
    )
    return model


def loss_of(model: SentenceTransformer, data: Instances, garden: Collection, batch: np.ndarray[Any, Any]) -> Any:
    collated = Collator(data, garden, model, 4096)([{"row": row} for row in batch.tolist()])
    sides: dict[str, dict[str, Any]] = {}
    for key, value in collated.items():
        if key not in ("label", "return_loss"):
            side, _, column = key.partition("_")
            sides.setdefault(side, {})[column] = value
    return Objective(model, InfoNCE())([*sides.values()], collated["label"])


def weights(model: SentenceTransformer) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def test_steps_are_those_of_peft(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    """Plain torch over peft's own model, merged by peft; and the first step by hand, from the full gradient."""
    found = weights(run(tiny_encoder, garden, SGD, tmp_path))
    alone = SentenceTransformer(str(tiny_encoder), device="cpu")
    alone.max_seq_length = SGD.max_length.query
    start, data = weights(alone), rows_with(garden, 1, SGD)
    batches = TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=SGD, seed=3).batches
    alone.eval()
    loss_of(alone, data, garden, batches[0]).backward()
    name = "encoder.layer.1.attention.self.query"
    full = alone[0].auto_model.get_submodule(name).weight.grad.clone()
    alone.zero_grad()

    with torch.random.fork_rng():
        torch.manual_seed(3)
        adapted = get_peft_model(
            alone[0].auto_model, LoraConfig(r=4, lora_alpha=12, lora_dropout=0.0, target_modules="all-linear")
        )
    alone.eval()
    layer = alone[0].auto_model.get_submodule(name)
    first = layer.lora_A["default"].weight.detach().clone()
    optimizer = torch.optim.SGD([value for value in alone.parameters() if value.requires_grad], lr=0.5)
    for step, batch in enumerate(batches):
        optimizer.zero_grad()
        loss_of(alone, data, garden, batch).backward()
        optimizer.step()
        if step == 0:  # dL/dB = scale dL/dW A^T, and A gets no gradient while B is 0
            np.testing.assert_allclose(layer.lora_B["default"].weight.detach(), -0.5 * 3 * full @ first.T, atol=1e-6)
    adapted.merge_and_unload()
    assert len(batches) > 1
    for key, right in weights(alone).items():
        np.testing.assert_allclose(found[key], right, atol=1e-5, err_msg=key)
    changed = {key for key in found if not torch.equal(found[key], start[key])}
    assert any(name in key for key in changed)
    assert all(found[key].ndim == 2 and "embeddings" not in key for key in changed)
    for key in changed:
        assert torch.linalg.matrix_rank((found[key] - start[key]).double(), rtol=1e-4) <= 4


def test_named_layers_alone_and_the_rest_can_be_trained_again(
    garden: Collection, tiny_encoder: Path, tmp_path: Path
) -> None:
    recipe = SGD.model_copy(update={"lora": LoRA(rank=2, targets=("query", "value"), dropout=0.5)})
    model = run(tiny_encoder, garden, recipe, tmp_path)
    start = SentenceTransformer(str(tiny_encoder), device="cpu")
    changed = {name.split(".")[-2] for name, it in weights(model).items() if not torch.equal(it, weights(start)[name])}
    assert changed == {"query", "value"}
    assert [*model.state_dict()] == [*start.state_dict()]
    assert all(value.requires_grad for value in model.parameters())


def test_vectors_are_the_same_merged_copied_and_stored(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    """A copy in mid-training, as a refresh makes it, and the stored model read by sentence-transformers."""
    texts, seen = ["water my basil", "frost"], []

    def measure(current: SentenceTransformer) -> float:
        with torch.inference_mode():
            live = current.eval().encode(texts, normalize_embeddings=True)
        current.train()
        copied = frozen_copy(current)
        assert not [name for name in copied.state_dict() if "lora" in name]
        seen.append(float(abs(live - encode(copied, texts, "query", "float32")).max()))
        return 0.0

    start = encode(SentenceTransformer(str(tiny_encoder), device="cpu"), texts, "query", "float32")
    model = run(tiny_encoder, garden, SGD, tmp_path, watch=DevEvaluation("dev", 2, measure))
    trained = encode(model, texts, "query", "float32")
    assert len(seen) == 2
    assert max(seen) < 1e-5
    assert abs(trained - start).max() > 1e-3
    model.save_pretrained(str(tmp_path / "stored"), create_model_card=False)
    np.testing.assert_allclose(encode(load(tmp_path / "stored"), texts, "query", "float32"), trained, atol=1e-6)
    again = SentenceTransformer(str(tmp_path / "stored"), device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(again, trained, atol=1e-5)


def test_what_cannot_be_adapted_is_refused(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = SGD.model_copy(update={"lora": LoRA(targets=("no-such-layer",))})
    with pytest.raises(InputError, match=r"train.lora.targets: .*no-such-layer"):
        run(tiny_encoder, garden, recipe, tmp_path)
    static = StaticEmbedding(SentenceTransformer(str(tiny_encoder)).tokenizer, embedding_dim=8)
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(str(tmp_path / "static"))
    with pytest.raises(InputError, match=r"train\.lora: the encoder has no transformer"):
        run(tmp_path / "static", garden, SGD, tmp_path)


def test_without_peft_a_recipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_file, "find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"lora needs the package peft.*pip install 'negbench\[lora\]'"):
        Recipe.model_validate({"lora": {"rank": 2}})


def test_a_recipe_without_adapters_is_dumped_as_before() -> None:
    assert not {"lora", "gradient_checkpointing", "dtype"} & Recipe().model_dump().keys()
    recipe = Recipe(lora=LORA, gradient_checkpointing=True, dtype="bfloat16")
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
