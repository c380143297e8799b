"""What the modules of an encoder are, by its files and before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from negbench.encoders import weights
from negbench.encoders.files import read_json
from negbench.encoders.precision import Precision
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side

_WITHOUT_TRANSFORMER = frozenset(
    {"StaticEmbedding", "WordEmbeddings", "WordWeights", "Pooling", "Dense", "Normalize", "LayerNorm", "Dropout"}
)
"""Modules of sentence-transformers that are no transformer and hold none."""
_SAME_WIDTH = frozenset({"Normalize", "LayerNorm", "Dropout", "WordWeights"})


def has_transformer(spec: EncoderSpec, side: Side | None = None) -> bool:
    """Tell whether there may be a transformer in the encoder; a model without a list of modules is one itself.

    With ``side``, of a router's modules only those that read texts of that side count.
    """
    kinds: set[str] = set()
    for module in read_json(spec, "modules.json", []):
        kinds |= _routed(spec, str(module.get("path", "")), side) if _kind(module) == "Router" else {_kind(module)}
    return not kinds or not kinds <= _WITHOUT_TRANSFORMER


def _routed(spec: EncoderSpec, path: str, side: Side | None) -> set[str]:
    """Return the kinds of modules that a router sends texts of ``side``, or any text, through."""
    config = read_json(spec, f"{path}/router_config.json".lstrip("/"), {})
    types, routes = config.get("types"), config.get("structure")
    if not isinstance(types, dict) or not isinstance(routes, dict):
        return {"Router"}
    named = routes.get(side, types) if side is not None else types
    return {str(types.get(name, "")).rpartition(".")[2] for name in named}


def precision_of_vectors(spec: EncoderSpec, side: Side, precision: Precision) -> Precision:
    """Return the precision of the vectors of one side: float32 without a transformer, in which alone bfloat16 is used.

    Vectors of bfloat16 are stored in float16, and rounding whole ones would only move scores.
    """
    return precision if has_transformer(spec, side) else "float32"


def dimensions_of(spec: EncoderSpec) -> int | None:
    """Return the number of dimensions of the encoder's vectors; None where its files do not tell."""
    modules = read_json(spec, "modules.json", [])
    width: int | None = None if modules else _number(read_json(spec, "config.json", {}), "hidden_size")
    for module in modules:
        if (kind := _kind(module)) not in _SAME_WIDTH:
            width = _width(spec, kind, str(module.get("path", "")), width)
    cut = _number(read_json(spec, "config_sentence_transformers.json", {}), "truncate_dim")
    return width if width is None or cut is None else min(width, cut)


def _width(spec: EncoderSpec, kind: str, path: str, before: int | None) -> int | None:
    """Return how wide the vectors are that a module gives, where those that it gets are ``before`` wide."""
    if kind == "StaticEmbedding":
        return _table_width(spec, path)
    config = read_json(spec, f"{path}/config.json".lstrip("/"), {})
    if kind == "Transformer":
        return _number(config, "hidden_size")
    if kind == "Dense":
        return _number(config, "out_features")
    if kind == "Pooling":
        modes = [name for name, chosen in config.items() if name.startswith("pooling_mode_") and chosen is True]
        several = len(modes) > 1 or not isinstance(config.get("pooling_mode", ""), str)
        return None if several else before
    return None


def _table_width(spec: EncoderSpec, path: str) -> int | None:
    """Return how wide a table of token vectors is, by the head of its file; None for a model that is not here."""
    from safetensors import safe_open

    place = weights.locate(spec.model)
    file = place / path / "model.safetensors" if isinstance(place, Path) else None
    if file is None or not file.is_file():
        return None
    with safe_open(file, framework="np") as tensors:
        shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118 (no mapping)
    return int(shapes[0][1]) if len(shapes) == 1 and len(shapes[0]) == 2 else None


def _kind(module: dict[str, Any]) -> str:
    return str(module.get("type", "")).rpartition(".")[2]


def _number(config: dict[str, Any], name: str) -> int | None:
    value = config.get(name)
    return value if isinstance(value, int) else None
