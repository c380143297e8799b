"""An encoder as it was published, beside one that a training alters or cuts short."""

from __future__ import annotations

import math

from negbench.encoders import files
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side

_NO_LIMIT = 10**6
"""From so many tokens on, a tokenizer's ``model_max_length`` says that there is no limit."""


def as_published(spec: EncoderSpec) -> EncoderSpec:
    """Return the encoder with its own layers, weights, pooling, prompts and similarity."""
    return EncoderSpec(model=spec.model, revision=spec.revision, attention=spec.attention)


def is_altered(spec: EncoderSpec, max_length: dict[Side, int]) -> bool:
    """Return whether an encoder whose texts are cut at ``max_length`` tokens gives other vectors than as published."""
    plain = as_published(spec)
    alike = spec.model_copy(update={"similarity": None})
    if alike != plain or files.similarity_of(spec) != files.similarity_of(plain):
        return True
    own = tokens_of(spec)
    return own is not None and min(max_length.values()) < own


def tokens_of(spec: EncoderSpec) -> float | None:
    """Return how many tokens of a text a model reads as published, by its files; None where they do not say.

    Static embeddings have no limit: infinity.
    """
    modules = files.read_json(spec, "modules.json", [])
    kinds = {str(module.get("type", "")).rpartition(".")[2]: str(module.get("path", "")) for module in modules}
    if "StaticEmbedding" in kinds:
        return math.inf
    folder = kinds.get("Transformer", "")
    names = {
        "sentence_bert_config.json": "max_seq_length",
        "tokenizer_config.json": "model_max_length",
        "config.json": "max_position_embeddings",
    }
    found = [files.read_json(spec, f"{folder}/{name}".lstrip("/"), {}).get(key) for name, key in names.items()]
    known = [int(limit) for limit in found if isinstance(limit, int | float) and 0 < limit < _NO_LIMIT]
    return min(known) if known else None
