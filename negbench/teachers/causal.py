"""Causal language models through transformers, loaded whole and in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from negbench.encoders import weights
from negbench.teachers.checkpoint import load_checked, require_finite, require_vocabulary


def load(name: str, who: str) -> tuple[Any, Any]:
    """Return the tokenizer and the model, of a hub id or a folder with safetensors weights.

    Raises InputError, which begins with ``who``, where the model cannot be loaded whole (``load_checked``).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = weights.locate(name)
    revision = None if isinstance(place, Path) else weights.commit(place, None)

    def made() -> tuple[Any, Any]:
        named = {"revision": revision, "use_safetensors": True, "dtype": torch.float32}
        tokenizer = AutoTokenizer.from_pretrained(str(place), revision=revision)
        return tokenizer, AutoModelForCausalLM.from_pretrained(str(place), **named)

    tokenizer, model = load_checked(who, made)
    require_finite(model, who)
    require_vocabulary(tokenizer, model, who)
    return tokenizer, model
