"""Encoders by language and size, for those who do not have one in mind."""

from __future__ import annotations

from typing import Any

SIZES = ("small", "base", "large")

_MODELS = {
    "en": "BAAI/bge-{size}-en-v1.5",
    "zh": "thenlper/gte-{size}-zh",
    "fr": "OrdalieTech/Solon-embeddings-{size}-0.1",
}
_OTHER = "intfloat/multilingual-e5-{size}"


def encoder_for(language: str, size: str) -> dict[str, Any]:
    """Return the hub id, and the prompts that the model asks for, of an encoder for a two-letter ``language``.

    The choice is RAGatouille's: BGE for English, GTE for Chinese, Solon for French (which has no small one: base
    stands in), multilingual E5 for all others. ValueError where the size is none of small, base and large.
    """
    if size not in SIZES:
        raise ValueError(f"size: expected one of {', '.join(SIZES)}, found {size!r}")
    if not (isinstance(language, str) and len(language) == 2 and language.isalpha()):
        raise ValueError(f"language: expected two letters, as in en or fr, found {language!r}")
    name = language.lower()
    if name == "fr" and size == "small":
        size = "base"
    parameters = {"model": _MODELS.get(name, _OTHER).format(size=size)}
    if name not in _MODELS:
        parameters |= {"query_prompt": "query: ", "document_prompt": "passage: "}
    return parameters
