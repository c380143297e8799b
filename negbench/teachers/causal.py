"""Causal language models through transformers, loaded whole and in float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.encoders import weights
from negbench.encoders.precision import Precision
from negbench.errors import InputError
from negbench.teachers.checkpoint import load_checked, require_finite, require_vocabulary

if TYPE_CHECKING:
    from torch import Tensor


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


def placed(model: Any, precision: Precision) -> Any:
    """Return the model on the GPU where there is one, in ``precision``, for inference."""
    import torch

    if precision == "bfloat16":
        model = model.to(torch.bfloat16)
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def check_room(prompts: Sequence[Sequence[int]], room: int | None, who: str) -> None:
    """Raise InputError, which begins with ``who``, where a prompt is longer than ``room``, the model's positions."""
    longest = max(map(len, prompts), default=0)
    if room is not None and longest > room:
        raise InputError(
            f"{who}: a prompt has {longest} tokens without its passage, but the model reads at most {room}; give one "
            "that reads more"
        )


def batches(prompts: Sequence[Sequence[int]], size: int, device: Any) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Yield the indices of up to ``size`` prompts, the longest first, and what a model reads of them, on ``device``.

    ``input_ids``, ``attention_mask`` and ``position_ids`` are [n, tokens], int64, padded on the left: all prompts end
    in the last column.
    """
    import torch

    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    for first in range(0, len(order), size):
        some = order[first : first + size]
        width = max(len(prompts[index]) for index in some)
        ids = torch.zeros(len(some), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, index in enumerate(some):
            ids[row, width - len(prompts[index]) :] = torch.tensor(prompts[index])
            mask[row, width - len(prompts[index]) :] = 1
        ids, mask = ids.to(device), mask.to(device)
        places = (mask.cumsum(1) - 1).clamp(min=0)
        yield some, {"input_ids": ids, "attention_mask": mask, "position_ids": places}
