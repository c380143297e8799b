"""Encoding is what sentence-transformers' ``encode_query`` and ``encode_document`` give, for models of any layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_models import LAYOUTS, Maker
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import AutoConfig, AutoModel

from negbench.encoders.encode import encode
from negbench.encoders.load import build, load
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import lower_limits, tokenised
from negbench.errors import InputError

TEXTS = [
    "how often must i water my basil",
    "cut old shoots of tulip in early spring with clean scissors just above a leaf " * 12,
    "frost",
    "soil water basil leaf",
]


@pytest.fixture
def make(tmp_path: Path, tiny_encoder: Path) -> Maker:
    return Maker(tmp_path / "made", tiny_encoder.parent / "bert")


def wanted(folder: Path, texts: list[str] = TEXTS, **settings: Any) -> list[np.ndarray[Any, Any]]:
    """Return what sentence-transformers gives for queries and for documents, each text by itself."""
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32}, **settings)
    found = [model.encode_query(texts, batch_size=1), model.encode_document(texts, batch_size=1)]
    if model.similarity_fn_name == "cosine":
        found = [vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12) for vectors in found]
    return found


def ours(model: SentenceTransformer, texts: list[str] = TEXTS) -> list[np.ndarray[Any, Any]]:
    return [encode(model, texts, "query", "float32"), encode(model, texts, "document", "float32")]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_what_sentence_transformers_gives(layout: str, make: Maker, tmp_path: Path) -> None:
    """As it is built, and as it is read again from where it was stored."""
    folder = LAYOUTS[layout](make)
    right = wanted(folder)
    built = build(EncoderSpec(model=str(folder)), 0)
    built.save_pretrained(str(tmp_path / "stored"), create_model_card=False)
    for model in (built, load(tmp_path / "stored")):
        assert {value.dtype for value in model.parameters()} == {torch.float32}
        for found, expected in zip(ours(model), right, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-4)
    assert abs(right[0] - right[1]).max() > 1e-3 or "prompt" not in layout or "default" in layout


@pytest.mark.parametrize("kind", ["gpt2", "qwen"])
def test_without_a_padding_token_texts_are_read_as_they_are_alone(kind: str, make: Maker) -> None:
    """Sentence-transformers refuses these, so transformers itself says what is right."""
    base = make.gpt2(pad_token=None) if kind == "gpt2" else make.qwen(pad_token=None)
    model = build(EncoderSpec(model=str(make.pooled("mean", base))), 0)
    transformer, tokenizer = model[0].auto_model, model.tokenizer
    short = [TEXTS[0], *TEXTS[2:]]
    with torch.no_grad():
        rows = [transformer(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0) for text in short]
    right = torch.nn.functional.normalize(torch.stack(rows), dim=-1)
    np.testing.assert_allclose(encode(model, short, "query", "float32"), right, atol=1e-5)


def test_positions_of_a_text_do_not_depend_on_its_neighbours(make: Maker) -> None:
    """Of a decoder that counts positions and pads on the left, where padding would shift them."""
    folder = make.pooled("mean", make.gpt2(padding_side="left"))
    for found, right in zip(ours(build(EncoderSpec(model=str(folder)), 0)), wanted(folder), strict=True):
        np.testing.assert_allclose(found, right, atol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "lasttoken", "max", "weightedmean"])
def test_a_text_without_any_token_has_no_direction(pooling: str, make: Maker) -> None:
    """A decoder's tokenizer may add nothing to an empty text; others keep their vectors."""
    from tokenizers import processors

    base = make.qwen()
    reader = Transformer(str(base))
    reader.tokenizer.backend_tokenizer.post_processor = processors.Sequence([])
    folder = make.of(reader, Pooling(32, pooling))
    model = build(EncoderSpec(model=str(folder)), 0)
    assert tokenised(model, [""], "query").lengths.tolist() == [0]
    alone, among = encode(model, [""], "query", "float32"), encode(model, ["", *TEXTS[2:]], "query", "float32")
    assert not alone.any()
    assert not among[0].any()
    np.testing.assert_allclose(among[1:], wanted(folder, TEXTS[2:])[0], atol=1e-4)


@pytest.mark.parametrize("name", ["document", "passage", "corpus"])
def test_the_prompt_of_documents_has_three_names(name: str, make: Maker) -> None:
    folder = make.pooled("mean", prompts={"query": "ask ", name: "soil ", "other": "frost "})
    right = wanted(make.pooled("mean", prompts={"query": "ask ", "document": "soil "}))
    for found, expected in zip(ours(build(EncoderSpec(model=str(folder)), 0)), right, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("own", [None, "dot", "cosine", "euclidean"])
def test_the_spec_says_how_vectors_are_compared(own: Any, similarity: Any, make: Maker, tmp_path: Path) -> None:
    """Whatever the model itself says; and it is stored so."""
    folder = make.pooled("mean", similarity_fn_name=own)
    right = wanted(folder, similarity_fn_name=similarity)
    model = build(EncoderSpec(model=str(folder), similarity=similarity), 0)
    model.save_pretrained(str(tmp_path / "stored"), create_model_card=False)
    for found, expected in zip(ours(load(tmp_path / "stored")), right, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_roberta_is_cut_where_its_positions_end(make: Maker) -> None:
    """It says 34 positions and can take 32 tokens; its tokenizer knows no limit."""
    folder = make.pooled("mean", make.roberta())
    model = build(EncoderSpec(model=str(folder)), 0)
    assert tokenised(model, TEXTS, "document").lengths.max() == 32
    assert tokenised(model, TEXTS, "document", 512).lengths.max() == 32
    cut = make.of(Transformer(str(make.roberta()), max_seq_length=32), Pooling(32, "mean"), Normalize())
    assert encode(build(EncoderSpec(model=str(cut)), 0), TEXTS, "query", "float32").shape == (4, 32)


def test_static_embeddings_are_cut_at_max_length(make: Maker) -> None:
    model = build(EncoderSpec(model=str(make.of(make.static()))), 0)
    first = " ".join(TEXTS[1].split()[:5])
    cut = encode(model, [TEXTS[1]], "query", "float32", max_length=5)
    np.testing.assert_allclose(cut, encode(model, [first], "query", "float32"), atol=1e-6)
    assert tokenised(model, TEXTS, "query").lengths.max() > 100  # the cut was for once
    lower_limits(model, {"query": 5, "document": 5})
    assert tokenised(model, TEXTS, "query").lengths.max() == 5


def test_static_embeddings_read_the_tokens_that_the_model_reads(make: Maker) -> None:
    """A text that is an address of a picture is a text, too."""
    model = build(EncoderSpec(model=str(make.of(make.static())), query_prompt="find: "), 0)
    texts = [*TEXTS, "https://example.org/sun.png"]
    for side, prompt in (("query", "find: "), ("document", None)):
        expected = model.preprocess(texts, prompt=prompt)
        found = tokenised(model, texts, side)
        assert found.columns["input_ids"].tolist() == expected["input_ids"].tolist()
        assert found.ends[:-1].tolist() == expected["offsets"].tolist()


def test_the_limits_of_a_router_are_those_of_its_routes(make: Maker) -> None:
    model = build(EncoderSpec(model=str(LAYOUTS["router"](make))), 0)
    lengths = [tokenised(model, TEXTS, side, most).lengths.max() for side, most in (("query", 40), ("document", 40))]
    assert lengths == [40, 16]
    assert [tokenised(model, TEXTS, side).lengths.max() for side in ("query", "document")] == [128, 16]


@pytest.mark.parametrize("kind", ["qwen", "modernbert", "gemma"])
def test_the_lower_layers_of_models_that_name_the_kind_of_each(kind: str, make: Maker, tmp_path: Path) -> None:
    """They are what transformers reads of the same files with fewer layers, also after they were stored."""
    base = getattr(make, kind)()
    config = AutoConfig.from_pretrained(base)
    fewer = AutoModel.from_pretrained(base, num_hidden_layers=1, layer_types=config.layer_types[:1]).eval()
    model = build(EncoderSpec(model=str(make.pooled("mean", base)), keep_layers=1), 0)
    model.save_pretrained(str(tmp_path / "stored"), create_model_card=False)
    with torch.no_grad():
        hidden = fewer(**model.tokenizer(TEXTS[0], return_tensors="pt")).last_hidden_state[0].mean(0)
    right = torch.nn.functional.normalize(hidden, dim=-1)[None]
    for it in (model, load(tmp_path / "stored")):
        np.testing.assert_allclose(encode(it, TEXTS[:1], "query", "float32"), right, atol=1e-5)


@pytest.mark.parametrize("altered", [{"keep_layers": 1}, {"reinit_layers": 1}])
def test_static_embeddings_have_no_layers(altered: dict[str, Any], make: Maker) -> None:
    with pytest.raises(InputError, match="its first module is StaticEmbedding; keep_layers and reinit_layers need a"):
        build(EncoderSpec(model=str(make.of(make.static())), **altered), 0)
