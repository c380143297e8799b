"""Cross-encoders of many kinds score as their library does, and those that cannot be right are refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Dense
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2ForSequenceClassification,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from negbench.errors import InputError
from negbench.teachers.cross_encoder import PretrainedCrossEncoder, load

PAIRS = [
    ("how often must i water my basil", "give basil water when the soil feels dry"),
    ("where does mint get enough sun", ""),
    ("will rose live through snow", "keep rose away from frost " * 30),  # more than any of them takes
    ("which earth is good for fern", "plant fern in loose soil"),
    ("mint", "mint " * 7),
]
SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SMALL |= {"initializer_range": 0.3, "num_labels": 1}


class Maker:
    """Builds small models with random weights over the vocabulary of ``tiny_encoder``."""

    def __init__(self, folder: Path, encoder: Path) -> None:
        self.folder, self.encoder = folder, encoder

    def tokenizer(self, **changed: Any) -> Any:
        return AutoTokenizer.from_pretrained(self.encoder, **{"model_max_length": 64, **changed})

    def saved(self, kind: Any, config: Any, tokenizer: Any, dtype: torch.dtype | None = None) -> Path:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = kind(config)
        (model if dtype is None else model.to(dtype)).save_pretrained(self.folder)
        tokenizer.save_pretrained(self.folder)
        return self.folder

    def bert(self, kind: Any = BertForSequenceClassification, dtype: torch.dtype | None = None, **changed: Any) -> Path:
        tokenizer = self.tokenizer()
        config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **{**SMALL, **changed})
        return self.saved(kind, config, tokenizer, dtype)

    def roberta(self) -> Path:
        tokenizer = self.tokenizer(model_max_length=10**6)  # it says nothing of the 64 tokens that 66 positions allow
        config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, pad_token_id=1, **SMALL)
        return self.saved(RobertaForSequenceClassification, config, tokenizer)

    def gpt2(self, pad: int | None = 0, **changed: Any) -> Path:
        tokenizer = self.tokenizer(**changed)
        config = GPT2Config(
            vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64, num_labels=1,
            initializer_range=0.3, pad_token_id=pad, bos_token_id=2, eos_token_id=3,
        )  # fmt: skip
        return self.saved(GPT2ForSequenceClassification, config, tokenizer)

    def qwen(self, kind: Any = Qwen3ForSequenceClassification) -> Path:
        tokenizer = self.tokenizer(padding_side="left")
        config = Qwen3Config(
            vocab_size=len(tokenizer), num_key_value_heads=1, head_dim=16, max_position_embeddings=128,
            pad_token_id=0, bos_token_id=2, eos_token_id=3, **SMALL,
        )  # fmt: skip
        return self.saved(kind, config, tokenizer)

    def with_modules(self, *modules: Any, **named: Any) -> Path:
        folder = self.folder.with_name("modules")
        CrossEncoder(modules=list(modules), device="cpu", **named).save_pretrained(str(folder))
        return folder

    def dense(self, outputs: int = 1) -> Path:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            head = Dense(
                32, outputs, activation_function=torch.nn.Identity(),
                module_input_name="sentence_embedding", module_output_name="scores",
            )  # fmt: skip
        return self.with_modules(Transformer(str(self.bert(BertModel))), Pooling(32, "mean"), head)

    def logit_score(self, **named: Any) -> Path:
        body = Transformer(str(self.qwen(Qwen3ForCausalLM)), transformer_task="text-generation")
        return self.with_modules(body, LogitScore(true_token_id=70, false_token_id=80), **named)

    def activated(self, activation: Any) -> Path:
        folder = self.folder.with_name("activated")
        CrossEncoder(str(self.bert()), activation_fn=activation).save_pretrained(str(folder))
        return folder

    def prompted(self) -> Path:
        prompts = {"prompts": {"query": "which earth is good for "}, "default_prompt_name": "query"}
        folder = self.folder.with_name("prompted")
        CrossEncoder(str(self.bert()), **prompts).save_pretrained(str(folder))
        return folder


@pytest.fixture
def make(tmp_path: Path, tiny_encoder: Path) -> Maker:
    return Maker(tmp_path / "model", tiny_encoder)


def edit(folder: Path, **changed: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


MODELS: dict[str, Callable[[Maker], Path]] = {
    "bert": lambda make: make.bert(),
    "saved in half precision": lambda make: make.bert(dtype=torch.bfloat16),
    "more positions than tokens": lambda make: make.roberta(),
    "a decoder": lambda make: make.gpt2(),
    "a decoder that knows no padding": lambda make: make.gpt2(pad=None),
    "padding on the left": lambda make: make.qwen(),
    "a dense head": lambda make: make.dense(),
    "logits of two words": lambda make: make.logit_score(),
    "a prompt of its own": lambda make: make.prompted(),
}


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_the_library(name: str, make: Maker) -> None:
    folder = MODELS[name](make)
    found = PretrainedCrossEncoder(model=str(folder), max_length=512).score(PAIRS, None, "float32")
    peer = CrossEncoder(str(folder), model_kwargs={"dtype": "float32"}, max_length=64, device="cpu")
    np.testing.assert_allclose(found, peer.predict(PAIRS, batch_size=1), atol=1e-5)
    assert np.ptp(found) > 1e-3


def test_where_the_activation_is_the_identity_a_score_is_the_sigmoid_of_what_the_library_gives(make: Maker) -> None:
    folder = make.activated(torch.nn.Identity())
    found = PretrainedCrossEncoder(model=str(folder)).score(PAIRS, None, "float32")
    raw = CrossEncoder(str(folder)).predict(PAIRS)
    assert raw.min() < 0  # logits
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-raw)), atol=1e-6)


def test_half_precision_is_the_spec_s_affair(make: Maker) -> None:
    assert load(make.bert(dtype=torch.float16), 64).dtype == torch.float32


REFUSED: dict[str, tuple[Callable[[Maker], Path], str]] = {
    "two outputs": (lambda make: make.bert(num_labels=2), r"it has 2 outputs \(num_labels\)"),
    "three outputs of a dense head": (lambda make: make.dense(3), r"it has 3 outputs \(num_labels\)"),
    "another activation": (lambda make: make.activated(torch.nn.Tanh()), "its output goes through Tanh"),
    "no head": (lambda make: make.bert(BertModel), r"the checkpoint lacks classifier\.bias and 1 more, which"),
    "no padding token": (lambda make: make.gpt2(pad_token=None), "cannot score pairs of texts: .*padding token"),
    "padding that also ends a text": (
        lambda make: make.gpt2(pad=None, pad_token="[SEP]"),
        "cannot score pairs of texts: .*padding token",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused(name: str, make: Maker) -> None:
    build, reason = REFUSED[name]
    folder = build(make)
    with pytest.raises(InputError, match=f"cross-encoder {folder}: {reason}") as caught:
        PretrainedCrossEncoder(model=str(folder)).score(PAIRS, None, "float32")
    assert "\n" not in str(caught.value)


def _without_tokenizer(folder: Path) -> None:
    for path in folder.glob("token*"):
        path.unlink()


def _fewer_embeddings(folder: Path) -> None:
    def cut(tensors: dict[str, torch.Tensor]) -> None:
        name = "bert.embeddings.word_embeddings.weight"
        tensors[name] = tensors[name][:30].clone()

    edit(folder, vocab_size=30)
    edit_tensors(folder, cut)


DAMAGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a layer more": (
        lambda folder: edit(folder, num_hidden_layers=3),
        r"lacks bert\.encoder\.layer\.2\.\S+ and 15 more, which would be drawn at random",
    ),
    "a layer less": (lambda folder: edit(folder, num_hidden_layers=1), r"has bert\.encoder\.layer\.1\.\S+ and 15 more"),
    "a tensor less": (
        lambda folder: edit_tensors(folder, lambda tensors: tensors.pop("bert.pooler.dense.bias")),
        r"lacks bert\.pooler\.dense\.bias, which",
    ),
    "a tensor more": (
        lambda folder: edit_tensors(folder, lambda tensors: tensors.update(gate=torch.zeros(2))),
        "has gate, which the model that config.json describes does not read",
    ),
    "another shape": (
        lambda folder: edit_tensors(folder, lambda tensors: tensors.update({"classifier.weight": torch.zeros(1, 8)})),
        r"cannot be loaded: .*classifier\.weight is \[1, 8\], not \[1, 32\]",
    ),
    "NaN": (
        lambda folder: edit_tensors(folder, lambda tensors: tensors["classifier.weight"][0, 3].fill_(float("nan"))),
        r"1 of \d+ tensors hold NaN or infinite numbers: \S*classifier\.weight",
    ),
    "infinity": (
        lambda folder: edit_tensors(folder, lambda tensors: tensors["classifier.bias"].fill_(float("inf"))),
        r"1 of \d+ tensors hold NaN or infinite numbers: \S*classifier\.bias",
    ),
    "no tokenizer": (_without_tokenizer, "has only special tokens"),
    "a tokenizer that does not load": (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be loaded: "),
    "a tokenizer of another model": (
        _fewer_embeddings,
        "its tokenizer has ids up to .* but the model has 30 embeddings",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_folder_is_refused_by_what_is_wrong(name: str, make: Maker) -> None:
    damage, reason = DAMAGED[name]
    folder = make.bert()
    damage(folder)
    with pytest.raises(InputError, match=f"cross-encoder {folder}: .*{reason}") as caught:
        PretrainedCrossEncoder(model=str(folder)).score(PAIRS, None, "float32")
    assert "\n" not in str(caught.value)


class TestNewHeads:
    def test_what_follows_the_body_may_be_new_and_comes_from_the_seed(self, make: Maker) -> None:
        folder = make.bert(BertForMaskedLM)  # a head of pretraining, no pooler
        heads = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            model = load(folder, 64, new_head=True).model
            heads.append(torch.cat([model.classifier.weight, model.bert.pooler.dense.weight]))
        assert torch.equal(heads[0], heads[1])
        assert not torch.equal(heads[0], heads[2])

    @pytest.mark.parametrize("layers", [1, 3])
    def test_the_body_must_be_whole(self, make: Maker, layers: int) -> None:
        folder = make.bert(BertModel)
        edit(folder, num_hidden_layers=layers)
        with pytest.raises(InputError, match=r"encoder\.layer\.\d"):
            load(folder, 64, new_head=True)

    def test_a_head_of_two_outputs_is_not_replaced(self, make: Maker) -> None:
        with pytest.raises(InputError, match=r"classifier\.bias is \[2\], not \[1\] and 1 more"):
            load(make.bert(num_labels=2), 64, new_head=True)
