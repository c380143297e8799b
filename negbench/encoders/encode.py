"""Encode texts at an explicit precision. The only place where a model's ``encode`` is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np

from negbench.encoders.attention import fast_attention
from negbench.encoders.precision import Precision, narrowed
from negbench.types import Float32

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Side = Literal["query", "document"]


def encode(
    model: SentenceTransformer,
    texts: Sequence[str],
    side: Side,
    precision: Precision,
    max_length: int | None = None,
) -> Float32:
    """Return embeddings [texts, dimension], float32, so that their dot product is the model's similarity.

    Rows of a cosine model are normalised. ``max_length`` in tokens, special ones included, caps the model's own.
    In bfloat16 a copy of the model is used whose transformer has bfloat16 weights; pooling and all that follows
    stay float32. The side's prompt is put before each text.
    """
    restore_forward(model)
    if not texts:
        return np.zeros((0, model.get_embedding_dimension() or 0), np.float32)
    prompt = model.prompts.get(side, "")
    reader = narrowed(model) if precision == "bfloat16" else model
    with capped(reader, max_length), fast_attention(reader, precision == "bfloat16"):
        rows = reader.encode(
            [prompt + text for text in texts],
            prompt="",
            batch_size=16 if model.device.type == "cpu" else 256,
            normalize_embeddings=model.similarity_fn_name == "cosine",
            convert_to_numpy=False,
            convert_to_tensor=True,
            show_progress_bar=False,
        )
    return rows.float().cpu().numpy()  # type: ignore[no-any-return]


def restore_forward(model: SentenceTransformer) -> None:
    """Undo accelerate's mixed-precision wrapper, which a trainer leaves on the model it has trained."""
    from accelerate.utils import extract_model_from_parallel

    extract_model_from_parallel(model, keep_fp32_wrapper=False)
    for module in model.modules():
        module.__dict__.pop("_original_forward", None)


@contextmanager
def capped(model: SentenceTransformer, max_length: int | None) -> Iterator[None]:
    """Let ``model`` read at most ``max_length`` tokens a text for a while; None leaves its own limit."""
    own = model.max_seq_length
    if max_length is not None:
        model.max_seq_length = min(max_length, own or max_length)
    try:
        yield
    finally:
        if max_length is not None:
            model.max_seq_length = own


def count_tokens(model: SentenceTransformer, texts: Sequence[str], side: Side, max_length: int | None = None) -> int:
    """Return how many tokens ``encode`` reads of ``texts``, prompts included, padding apart."""
    if not texts:
        return 0
    limit = min(max_length or 10**9, model.max_seq_length or 10**9)
    prompt = model.prompts.get(side, "")
    ids = model.tokenizer([prompt + text for text in texts], truncation=True, max_length=limit)["input_ids"]
    return sum(len(row) for row in ids)
