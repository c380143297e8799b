"""Whether an encoder compares as a method's constants expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from negbench.encoders import weights
from negbench.encoders.files import similarity_of
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.methods import Method


def check(method: Method, encoder: EncoderSpec) -> None:
    """Raise InputError where a method's constants are for raw dot products and the encoder's scores are cosines.

    At a temperature of 1 a softmax over cosines is nearly flat: a positive at 1 among 127 negatives at 0 gets 2 %.
    """
    wanted = {method.similarity, *(phase.method.similarity for phase in method.phases)}
    if "dot" not in wanted:
        return
    if _normalises(encoder):
        why = "makes vectors of length 1, whose dot products are cosines; give one without a Normalize module"
    elif similarity_of(encoder) != "dot":
        why = "compares by cosines; give it similarity: dot"
    else:
        return
    raise InputError(
        f"method {method.spelling}: its source's constants are for raw dot products, and encoder {encoder.spelling} "
        f"{why}, or leave out as=faithful"
    )


def _normalises(encoder: EncoderSpec) -> bool:
    """Tell whether the encoder's files have a module that gives all vectors length 1."""
    return any(str(module["type"]).endswith(".Normalize") for module in _read(encoder, "modules.json") or [])


def _read(encoder: EncoderSpec, name: str) -> Any:
    """Return what a JSON file of the encoder's folder holds; None where it has none, or no folder here."""
    place = weights.locate(encoder.model)
    path = place / name if isinstance(place, Path) else None
    return None if path is None or not path.is_file() else json.loads(path.read_text(encoding="utf-8"))
