"""Encoding against sentence-transformers' own ``encode`` and the tokenizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from negbench.encoders.encode import encode
from negbench.encoders.tokens import Tokens, tokenised

TEXTS = [
    "how often must i water my basil",
    "",
    "cut old shoots of tulip in early spring with clean scissors just above a leaf",
    "Frost! (and snow), 12 nights of it",
    "clover",
]


@pytest.fixture(scope="module")
def model(tiny_encoder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_encoder), prompts={"query": "ask ", "document": ""})


@pytest.fixture(scope="module")
def plain(tiny_encoder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_encoder))


@pytest.fixture(scope="module")
def dot_model(tiny_encoder: Path) -> SentenceTransformer:
    found = SentenceTransformer(str(tiny_encoder), similarity_fn_name="dot")
    del found[2]  # the normalisation
    return found


def test_float32_is_what_sentence_transformers_gives(model: SentenceTransformer, plain: SentenceTransformer) -> None:
    found = encode(model, TEXTS, "document", "float32")
    assert (found.shape, found.dtype) == ((len(TEXTS), 32), np.float32)
    np.testing.assert_allclose(found, plain.encode(TEXTS), atol=1e-6)


def test_the_prompt_of_the_side_is_read(model: SentenceTransformer, plain: SentenceTransformer) -> None:
    wanted = plain.encode(["ask " + text for text in TEXTS])
    np.testing.assert_allclose(encode(model, TEXTS, "query", "float32"), wanted, atol=1e-6)


def test_a_cosine_model_is_normalised_and_a_dot_model_is_not(
    model: SentenceTransformer, dot_model: SentenceTransformer, tiny_encoder: Path
) -> None:
    np.testing.assert_allclose(np.linalg.norm(encode(model, TEXTS, "query", "float32"), axis=1), 1, atol=1e-6)
    found = encode(dot_model, TEXTS, "document", "float32")
    np.testing.assert_allclose(found, dot_model.encode(TEXTS), atol=1e-6)
    assert np.linalg.norm(found, axis=1).min() > 2
    without = SentenceTransformer(str(tiny_encoder))
    del without[2]  # a cosine model that brings no normalisation of its own
    np.testing.assert_allclose(np.linalg.norm(encode(without, TEXTS, "query", "float32"), axis=1), 1, atol=1e-6)


def test_bfloat16_is_close_and_is_not_float32(model: SentenceTransformer) -> None:
    exact, fast = (encode(model, TEXTS, "query", precision) for precision in ("float32", "bfloat16"))
    assert fast.dtype == np.float32
    assert (exact * fast).sum(axis=1).min() > 0.999
    assert not np.array_equal(exact, fast)
    assert np.array_equal(exact, encode(model, TEXTS, "query", "float32"))  # and leaves no trace


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_order_and_company_have_no_say(model: SentenceTransformer, precision: str) -> None:
    many = TEXTS * 20
    backwards = encode(model, many[::-1], "document", precision)[::-1]  # type: ignore[arg-type]
    together = encode(model, many, "document", precision)  # type: ignore[arg-type]
    np.testing.assert_allclose(together, backwards, atol=1e-6 if precision == "float32" else 1e-2)


def test_a_long_text_is_cut_at_max_length(model: SentenceTransformer, plain: SentenceTransformer) -> None:
    words = TEXTS[2].split()  # each is one token
    found = encode(model, [TEXTS[2]], "document", "float32", max_length=8)
    np.testing.assert_allclose(found, plain.encode([" ".join(words[:6])]), atol=1e-6)
    whole = encode(model, [TEXTS[2]], "document", "float32")
    np.testing.assert_allclose(whole, plain.encode([TEXTS[2]]), atol=1e-6)  # the cut was for once
    assert np.array_equal(whole, encode(model, [TEXTS[2]], "document", "float32", max_length=4000))


def test_nothing_to_encode(model: SentenceTransformer) -> None:
    found = encode(model, [], "query", "float32")
    assert (found.shape, found.dtype) == ((0, 32), np.float32)


@pytest.mark.parametrize("max_length", [None, 6])
def test_tokens_are_counted_as_they_are_read(model: SentenceTransformer, max_length: int | None) -> None:
    for side, prompt in (("query", "ask "), ("document", "")):
        lengths = [len(model.tokenizer.tokenize(prompt + text)) + 2 for text in TEXTS]  # two special ones
        wanted = sum(min(length, max_length or 128) for length in lengths)
        assert tokenised(model, TEXTS, side, max_length).lengths.sum() == wanted  # type: ignore[arg-type]
    assert len(tokenised(model, [], "query")) == 0


@given(lengths=st.lists(st.integers(1, 20), max_size=30), most=st.integers(1, 60), data=st.data())
def test_chunks_hold_every_text_once_within_their_bound(lengths: list[int], most: int, data: st.DataObject) -> None:
    ends = np.cumsum([0, *lengths])
    tokens = Tokens({"input_ids": np.arange(ends[-1], dtype=np.int32)}, ends)
    some = data.draw(st.permutations(range(len(lengths))))[: data.draw(st.integers(0, len(lengths)))]
    chunks = [chunk.tolist() for chunk in tokens.chunks(np.array(some, np.int64), most)]
    flat = [text for chunk in chunks for text in chunk]
    assert sorted(flat) == sorted(some)
    assert flat == sorted(some, key=lambda text: -lengths[text])  # sorted is stable
    for at, chunk in enumerate(chunks):
        assert len(chunk) == 1 or lengths[chunk[0]] * len(chunk) <= most
        if at:  # and no chunk ends early
            assert (len(chunks[at - 1]) + 1) * lengths[chunks[at - 1][0]] > most


def test_tokens_are_those_of_the_tokenizer(model: SentenceTransformer) -> None:
    tokens = tokenised(model, TEXTS, "query")
    wanted = [model.tokenizer("ask " + text)["input_ids"] for text in TEXTS]
    found = [tokens.columns["input_ids"][tokens.ends[at] : tokens.ends[at + 1]].tolist() for at in range(len(TEXTS))]
    assert found == wanted
    padded = tokens.padded(np.array([3, 0]), model)
    again = model.tokenizer(
        ["ask " + TEXTS[3], "ask " + TEXTS[0]], padding=True, pad_to_multiple_of=8, return_tensors="pt"
    )
    assert tokens.padded(np.array([3, 0]), model)["input_ids"].shape[1] % 8 == 0
    assert padded.keys() == {*again, "modality", "prompt_length"}
    assert padded["prompt_length"] == 4  # [CLS] and a, ##s, ##k
    for name, value in again.items():
        assert padded[name].tolist() == value.tolist()
