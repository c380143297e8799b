"""A given cross-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.attention import fast_attention
from negbench.encoders.precision import Precision, narrowed
from negbench.encoders.tokens import batches, tokenised_pairs
from negbench.errors import InputError
from negbench.teachers import Teacher
from negbench.types import Float32

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class GivenCrossEncoder(Teacher):
    """A cross-encoder by hub id or folder, used as it is; its output goes through a sigmoid.

    model: hub id or folder. max_length: tokens of query and document together.
    """

    name: ClassVar[str] = "cross-encoder"

    model: str = Field(default="cross-encoder/ms-marco-MiniLM-L6-v2", min_length=1)
    max_length: int = Field(default=256, ge=8)

    def fingerprint(self) -> str:
        """Return the digest of the model's weights."""
        return weights.fingerprint(self.model, None)

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Score with the given model; there is no ``folder``."""
        return predict(load(weights.locate(self.model), self.max_length), pairs, precision)


def load(place: Path | str, max_length: int, keep_layers: int | None = None) -> CrossEncoder:
    """Load a cross-encoder with one output and, if so wished, only its lowest layers; safetensors only.

    Raises InputError where the model has fewer layers, or the offline weights are not the known ones.
    """
    from sentence_transformers import CrossEncoder
    from transformers import AutoConfig

    if isinstance(place, Path):
        weights.verify_offline(place)
    # A hub model is read at the very commit that stands in its digest, even where a newer one has appeared.
    revision = None if isinstance(place, Path) else weights.commit(place, None)
    if keep_layers is not None:
        count = AutoConfig.from_pretrained(str(place), revision=revision).num_hidden_layers
        if keep_layers > count:  # transformers would make up the missing ones at random
            raise InputError(f"teacher {place}: keep_layers={keep_layers}, it has {count} layers")
    return CrossEncoder(
        str(place),
        revision=revision,
        max_length=max_length,
        num_labels=1,
        model_kwargs={"use_safetensors": True},
        config_kwargs={} if keep_layers is None else {"num_hidden_layers": keep_layers},
    )


def predict(model: CrossEncoder, pairs: Sequence[tuple[str, str]], precision: Precision) -> Float32:
    """Return the sigmoid of the model's output for each pair, float32; bfloat16 means the weights, all but the head."""
    import torch

    scores = np.zeros(len(pairs), np.float32)
    reader = narrowed(model) if precision == "bfloat16" else model
    reader.eval()
    tokens = tokenised_pairs(model, pairs)
    with fast_attention(reader, precision == "bfloat16"), torch.inference_mode():
        for rows, inputs in batches(tokens, reader):
            scores[rows] = torch.sigmoid(reader(inputs)["scores"].float()).flatten().cpu().numpy()
    return scores
