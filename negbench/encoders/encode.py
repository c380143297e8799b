"""Encode texts at an explicit precision."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench.encoders.adapters import merge_adapters
from negbench.encoders.attention import fast_attention
from negbench.encoders.precision import Precision, narrowed, widen
from negbench.encoders.tokens import Side, Tokens, batches, tokenised
from negbench.errors import InputError
from negbench.types import Float32

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor


def encode(
    model: SentenceTransformer,
    texts: Sequence[str],
    side: Side,
    precision: Precision,
    max_length: int | None = None,
) -> Float32:
    """Return embeddings [texts, dimension], float32, so that their dot product is the model's similarity.

    Rows of a cosine model are normalised; a text without any token has a vector of 0. Raises InputError where a
    vector has NaN or infinite numbers. ``max_length`` in tokens, special ones included, caps the model's own.
    In bfloat16 a copy of the model is used whose transformer has bfloat16 weights; pooling and all that follows
    stay float32. The side's prompt is put before each text.
    """
    return encode_tokens(model, tokenised(model, texts, side, max_length), precision)


def encode_tokens(model: SentenceTransformer, tokens: Tokens, precision: Precision) -> Float32:
    """Return the embeddings of tokenised texts, as ``encode`` does."""
    restore_forward(model)
    reader = narrowed(model) if precision == "bfloat16" else model
    reader.eval()
    with fast_attention(reader, precision == "bfloat16"):
        return encode_as_is(reader, tokens)


def encode_as_is(model: SentenceTransformer, tokens: Tokens) -> Float32:
    """Return embeddings by a model in whatever arithmetic it is; it may be in training, and is left as it was."""
    import torch

    rows = np.zeros((len(tokens), model.get_embedding_dimension() or 0), np.float32)
    training = model.training
    model.eval()
    with torch.inference_mode():
        for texts, inputs in batches(tokens, model):
            rows[texts] = compared(model, vectors_of(model, inputs)).cpu().numpy()
    model.train(training)
    broken = int((~np.isfinite(rows)).any(axis=1).sum())
    if broken:
        raise InputError(
            f"the encoder gives {broken} of {len(rows)} texts vectors of NaN or infinite numbers; look at its weights, "
            "or lower the learning rate of the training that made them"
        )
    return rows


def vectors_of(model: SentenceTransformer, inputs: Mapping[str, Any], call: Callable[..., Any] | None = None) -> Tensor:
    """Return the vectors [n, d], float32, of texts that are ready to be read (``Tokens.padded``).

    Cut to the model's ``truncate_dim``; 0 for a text without any token. ``call`` stands in for the model itself.
    """
    features = dict(inputs)  # a copy: the model writes into what it is given
    empty = features.pop("empty", None)
    vectors: Tensor = (call or model)(features)["sentence_embedding"].float()
    vectors = vectors if model.truncate_dim is None else vectors[:, : model.truncate_dim]
    return vectors if empty is None else vectors.masked_fill(empty[:, None], 0)


def compared(model: SentenceTransformer, vectors: Tensor) -> Tensor:
    """Return vectors [n, d] so that their dot product is the model's similarity, in search as in training."""
    import torch

    return torch.nn.functional.normalize(vectors, dim=-1) if model.similarity_fn_name == "cosine" else vectors


def frozen_copy(model: SentenceTransformer) -> SentenceTransformer:
    """Return a copy of a model that is being trained, without what its trainer has wrapped around it, fit to encode.

    In the copy adapters are merged, and all weights are float32. The model itself stays as it is, wrapped and in
    training.
    """
    copied = copy.deepcopy(model)
    restore_forward(copied)
    widen(copied)  # first, since its wrapper calls the model that was copied
    merge_adapters(copied)
    copied.eval()
    return copied


def restore_forward(model: SentenceTransformer) -> None:
    """Undo accelerate's mixed-precision wrapper, which a trainer leaves on the model it has trained."""
    from accelerate.utils import extract_model_from_parallel

    extract_model_from_parallel(model, keep_fp32_wrapper=False)
    for module in model.modules():
        module.__dict__.pop("_original_forward", None)
