"""What saves memory: checkpointed activations change nothing, and bfloat16 weights round as torch does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_rows import RECIPE, rows_with
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode, frozen_copy
from negbench.errors import InputError
from negbench.losses.infonce import InfoNCE
from negbench.training.hooks import DevEvaluation
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.lora import LoRA
from negbench.training.recipe import Recipe

SHORT = RECIPE.model_copy(update={"epochs": 1})


def run(
    folder: Path, collection: Path, recipe: Recipe, scratch: Path, **more: Any
) -> tuple[SentenceTransformer, list[float]]:
    garden, model = Beir(path=str(collection)).load(), SentenceTransformer(str(folder), device="cpu")
    data = rows_with(garden, 1, recipe)
    job = TrainingJob(data=data, collection=garden, loss=InfoNCE(), recipe=recipe, seed=0)
    curves, _ = train(model, job, scratch / "scratch", **more)
    return model, [value for _, value in curves["loss"]]


@pytest.mark.parametrize("changes", [{"dropout": 0.2}, {"dropout": 0.2, "gradient_cache": True, "lora": LoRA(rank=4)}])
def test_checkpointing_gives_equal_weights(
    changes: dict[str, Any], tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """To the bit, with dropout: each layer is computed twice under the same masks."""
    calls = []
    found = []
    for on in (False, True):
        recipe = SHORT.model_copy(update={**changes, "gradient_checkpointing": on})
        with pytest.MonkeyPatch.context() as patch:
            from transformers.models.bert.modeling_bert import BertSelfAttention

            own = BertSelfAttention.forward

            def counted(self: Any, *inputs: Any, own: Any = own, on: bool = on, **named: Any) -> Any:
                calls.append(on)
                return own(self, *inputs, **named)

            patch.setattr(BertSelfAttention, "forward", counted)
            model, losses = run(tiny_encoder, tiny_collection, recipe, tmp_path)
        found.append((model.state_dict(), losses))
        assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    assert found[0][1] == found[1][1]
    for name, value in found[0][0].items():
        assert torch.equal(value, found[1][0][name]), name
    assert calls.count(True) > calls.count(False)  # activations were computed again


def test_weights_in_bfloat16(tiny_collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """They have bfloat16's values, the first loss is that of rounded weights, and a live copy is float32."""
    recipe, texts = SHORT.model_copy(update={"dtype": "bfloat16"}), ["water my basil", "frost"]
    kinds, far = [], []

    def measure(current: SentenceTransformer) -> float:
        kinds.append({value.dtype for value in current.parameters()})
        with torch.inference_mode():
            live = current.eval().encode(texts, normalize_embeddings=True)
        current.train()
        copied = frozen_copy(current)
        assert {value.dtype for value in copied.parameters()} == {torch.float32}
        far.append(float(abs(live - encode(copied, texts, "query", "float32")).max()))
        return 0.0

    model, losses = run(tiny_encoder, tiny_collection, recipe, tmp_path, watch=DevEvaluation("dev", 2, measure))
    assert kinds == [{torch.bfloat16}] * 2
    assert 0 < max(far) < 0.05  # bfloat16's own arithmetic
    for value in model.parameters():
        assert value.dtype == torch.float32
        assert torch.equal(value, value.bfloat16().float())
    _, full = run(tiny_encoder, tiny_collection, SHORT, tmp_path)
    assert losses[0] == pytest.approx(full[0], rel=0.02)
    assert losses[0] != full[0]
    assert np.mean(losses[-2:]) < np.mean(losses[:2])


def test_adapters_beside_weights_in_bfloat16_are_float32(
    tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    recipe = SHORT.model_copy(update={"dtype": "bfloat16", "lora": LoRA(rank=4)})
    kinds: dict[str, Any] = {}

    def measure(current: SentenceTransformer) -> float:
        kinds.update({name: value.dtype for name, value in current.named_parameters()})
        return 0.0

    model, _ = run(tiny_encoder, tiny_collection, recipe, tmp_path, watch=DevEvaluation("dev", 1, measure))
    assert {kind for name, kind in kinds.items() if "lora" in name} == {torch.float32}
    assert {kind for name, kind in kinds.items() if "lora" not in name} == {torch.bfloat16}
    assert {value.dtype for value in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("changes", [{"gradient_checkpointing": True}, {"dtype": "bfloat16"}])
def test_an_encoder_without_a_transformer_is_refused(
    changes: dict[str, Any], tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    static = StaticEmbedding(SentenceTransformer(str(tiny_encoder)).tokenizer, embedding_dim=8)
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(str(tmp_path / "static"))
    with pytest.raises(InputError, match=f"train.{next(iter(changes))}: .* without a transformer|has no transformer"):
        run(tmp_path / "static", tiny_collection, SHORT.model_copy(update=changes), tmp_path)
