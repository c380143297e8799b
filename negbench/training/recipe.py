"""How an encoder is trained, the same for every method of a grid."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from negbench.numbers import not_booleans
from negbench.training.lora import LoRA
from negbench.training.max_length import MaxLength

Schedule = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt", "constant", "constant_with_warmup"
]
"""Those of transformers' schedules that need no further parameter."""

Optimizer = Literal["adamw_torch_fused", "adamw_torch", "adafactor", "adagrad", "rmsprop", "sgd"]
"""Those of transformers' optimizers that need no further package."""


class Recipe(BaseModel):
    """The training recipe.

    A key that came later than others is left out where it is at its default, so that stored trainings are found.

    With ``gradient_cache`` memory holds what lies between texts and vectors of a part of the batch alone. Of several
    ``processes`` each has a GPU or a share of the CPU's threads, and each sees the whole batch's loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    _numbers = not_booleans

    epochs: int = Field(default=1, ge=1, le=1000, description="Passes over the training rows.")
    batch_size: int = Field(default=32, ge=2, description="Training rows per step.")
    learning_rate: float = Field(default=2e-5, gt=0, description="Peak learning rate.")
    warmup: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Share of the steps in which the learning rate rises; afterwards it follows the `schedule`.",
    )
    schedule: Schedule = Field(
        default="linear",
        exclude_if=lambda schedule: schedule == "linear",
        description=(
            "Course of the learning rate after the warm-up, by transformers' name; `constant` has no warm-up, and "
            "`linear` falls to 0."
        ),
    )
    optimizer: Optimizer = Field(
        default="adamw_torch_fused",
        exclude_if=lambda optimizer: optimizer == "adamw_torch_fused",
        description="Optimizer, by transformers' name.",
    )
    weight_decay: float = Field(default=0.0, ge=0, description="Weight decay of the optimizer.")
    max_grad_norm: float = Field(default=1.0, gt=0, description="Norm that gradients are clipped to.")
    max_length: MaxLength = Field(
        default=MaxLength(query=256, document=256),
        description=(
            "Tokens per text, in training and in encoding: a number, or one for each side as in `{query: 64, document: "
            "256}`."
        ),
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Arithmetic: `auto` is bfloat16 autocast where the machine has it.",
    )
    dropout: float | None = Field(
        default=0.0, ge=0, lt=1, description="Dropout probability that replaces the model's; null keeps the model's."
    )
    positives: Literal["each", "one"] = Field(
        default="each",
        description="Rows of an epoch: one for `each` labelled pair, or `one` a query with a positive drawn at random.",
    )
    queries: int | None = Field(
        default=None,
        ge=1,
        description="Number of training queries; a smaller number takes a subset of a larger one's. Null for all.",
    )
    gradient_cache: bool = Field(
        default=False,
        description="Encode each batch twice to save memory (GradCache, arXiv 2101.06983); the result is the same.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description=(
            "Number of processes that each encode a share of every batch; results differ by rounding and dropout masks."
        ),
    )
    lora: LoRA | None = Field(
        default=None,
        exclude_if=lambda lora: lora is None,
        description="Low-rank adapters (LoRA, arXiv 2106.09685) that are trained, not the weights; null for none.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        exclude_if=lambda on: not on,
        description="Compute activations again in the backward pass to save memory; the result is the same.",
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32",
        exclude_if=lambda kind: kind == "float32",
        description=(
            "Type of the transformer's weights in training; `bfloat16` takes half the memory and loses small steps."
        ),
    )
