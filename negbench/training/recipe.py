"""How an encoder is trained, the same for every method of a grid."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from negbench.numbers import not_booleans


def _later(default: Any, **bounds: Any) -> Any:
    """Return a field that came later: where it is at its default it is not dumped, so what was stored stays valid."""
    return Field(default=default, exclude_if=lambda value: value == default, **bounds)


class Recipe(BaseModel):
    """The training recipe.

    epochs: passes over the training rows. batch_size: rows a step. learning_rate: peak of AdamW's. warmup: share of
    the steps in which it rises; it falls linearly to 0 afterwards. weight_decay: AdamW's. max_grad_norm: gradients
    are clipped to this norm. max_length: tokens a text, in training and in encoding. precision: ``auto`` is bfloat16
    autocast where the machine has it, weights stay float32. dropout: replaces the model's; null keeps it.
    positives: ``each`` makes a row of every labelled pair; ``one`` draws one positive a query and epoch. queries:
    train with so many of the training queries; those of a smaller number are among those of a larger; null takes all.
    gradient_cache: encode each batch twice, to hold in memory what lies between texts and vectors of a part of it only
    (GradCache, arXiv 2101.06983); the result is the same. processes: so many encode a share of each batch, with a GPU
    each or a share of the CPU's threads, and each sees the whole batch's loss; the result is the same but for rounding
    and for dropout's masks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    _numbers = not_booleans

    epochs: int = Field(default=1, ge=1, le=1000)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=2e-5, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_length: int = Field(default=256, ge=8)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    dropout: float | None = Field(default=0.0, ge=0, lt=1)
    positives: Literal["each", "one"] = "each"
    queries: int | None = Field(default=None, ge=1)
    gradient_cache: bool = _later(False)
    processes: int = _later(1, ge=1, le=64)
