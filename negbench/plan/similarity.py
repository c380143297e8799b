"""Whether an encoder compares as a method's constants expect."""

from __future__ import annotations

import json
from pathlib import Path

from negbench.encoders import weights
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.methods import Method


def check(method: Method, encoder: EncoderSpec) -> None:
    """Raise InputError where a method's constants are for raw dot products and the encoder compares by cosines.

    At a temperature of 1 a softmax over cosines is nearly flat: a positive at 1 among 127 negatives at 0 gets 2 %.
    """
    wanted = {method.similarity, *(phase.method.similarity for phase in method.phases)}
    if "dot" in wanted and similarity_of(encoder) != "dot":
        raise InputError(
            f"method {method.spelling}: its source's constants are for raw dot products, and encoder "
            f"{encoder.spelling} compares by cosines; give an encoder that compares by dot product, or leave out "
            "as=faithful"
        )


def similarity_of(encoder: EncoderSpec) -> str:
    """Return how the encoder's own files say that vectors are compared; ``cosine`` where they do not say."""
    place = weights.locate(encoder.model)
    settings = place / "config_sentence_transformers.json" if isinstance(place, Path) else None
    if settings is None or not settings.is_file():
        return "cosine"
    return str(json.loads(settings.read_text(encoding="utf-8")).get("similarity_fn_name") or "cosine")
