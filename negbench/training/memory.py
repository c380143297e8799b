"""What saves memory in training: activations that are computed again, and weights in bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from negbench.encoders.adapters import transformers_of
from negbench.encoders.precision import narrow, widen
from negbench.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@contextmanager
def checkpointed(model: SentenceTransformer, on: bool) -> Iterator[None]:
    """Keep only each layer's input for the backward pass, which computes the rest again (Chen et al. 2016, 1604.06174).

    The gradients are the same: dropout masks are drawn anew from the same random states. Raises InputError for an
    encoder that cannot do so.
    """
    transformers = transformers_of(model) if on else []
    if on and not (transformers and all(it.supports_gradient_checkpointing for it in transformers)):
        what = type(transformers[0]).__name__ if transformers else "an encoder without a transformer"
        raise InputError(f"train.gradient_checkpointing: {what} cannot do it; take it out")
    for transformer in transformers:
        transformer.activation_checkpointing_enable({"use_reentrant": False})
    try:
        yield
    finally:
        for transformer in transformers:
            transformer.activation_checkpointing_disable()


@contextmanager
def narrow_weights(model: SentenceTransformer, on: bool) -> Iterator[None]:
    """Let the transformers of a model have bfloat16 weights for a while; they end as float32 of the same values."""
    if not on:
        yield
        return
    if not transformers_of(model):
        raise InputError("train.dtype: the encoder has no transformer, and the rest stays float32; take dtype out")
    narrow(model)
    try:
        yield
    finally:
        widen(model)
