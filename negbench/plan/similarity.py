"""Check that an encoder's similarity, cosine or dot product, is the one a method's constants are for."""

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
    """Raise InputError where a method's constants are for raw dot products and scores are cosines.

    Those of ``encoder``, which is trained, or of a model that finds the method's candidates.

    At a temperature of 1 a softmax over cosines is nearly flat: a positive at 1 among 127 negatives at 0 gets 2 %.
    """
    wanted = {method.similarity, *(phase.method.similarity for phase in method.trained_phases)}
    if "dot" not in wanted:
        return
    for one in (encoder, *method.miners):
        if why := _cosines(one):
            raise InputError(
                f"method {method.spelling}: its paper's constants are for raw dot products, and encoder {one.spelling} "
                f"{why}, or leave out as=faithful"
            )


def _cosines(encoder: EncoderSpec) -> str:
    """Return why the encoder's scores are cosines, and what to do; empty where they are not."""
    if _normalises(encoder):
        return "makes vectors of length 1, whose dot products are cosines; give one without a Normalize module"
    return "" if similarity_of(encoder) == "dot" else "compares by cosines; give it similarity: dot"


def _normalises(encoder: EncoderSpec) -> bool:
    """Tell whether the encoder's files have a module that gives all vectors length 1."""
    return any(str(module["type"]).endswith(".Normalize") for module in _read(encoder, "modules.json") or [])


def _read(encoder: EncoderSpec, name: str) -> Any:
    """Return what a JSON file of the encoder's folder holds; None where it has none, or no folder here."""
    place = weights.locate(encoder.model)
    path = place / name if isinstance(place, Path) else None
    return None if path is None or not path.is_file() else json.loads(path.read_text(encoding="utf-8"))
