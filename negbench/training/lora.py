"""Low-rank adaptation, LoRA: adapters are trained in place of an encoder's weights, and merged into them at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from negbench.encoders.adapters import merge_adapters, transformers_of
from negbench.errors import InputError
from negbench.numbers import not_booleans

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class LoRA(BaseModel):
    """Adapters of low rank beside linear layers: Hu et al. 2021, arXiv 2106.09685, by the package peft."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    _numbers = not_booleans

    rank: int = Field(default=16, ge=1, description="Rank of an adapter's two matrices.")
    alpha: int = Field(default=32, ge=1, description="Scale of what adapters add, times their rank.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout probability of an adapter's input.")
    targets: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Ends of the names of layers that get an adapter, as `[query, value]`; null for all linear layers.",
    )

    @model_validator(mode="after")
    def _is_installed(self) -> Self:
        if find_spec("peft") is None:
            raise ValueError("lora needs the package peft, which is not installed: pip install 'negbench[lora]'")
        return self


@contextmanager
def adapted(model: SentenceTransformer, lora: LoRA | None, seed: int) -> Iterator[None]:
    """Let adapters alone be trained for a while; afterwards they are merged, and the model is as it was built.

    Their first matrices are drawn with ``seed``, the second ones are 0. Raises InputError where the model has no such
    layers.
    """
    if lora is None:
        yield
        return
    import torch
    from peft import LoraConfig, get_peft_model

    transformers = transformers_of(model)
    if not transformers:
        raise InputError("train.lora: the encoder has no transformer that could have adapters; take lora out")
    trained = [value for value in model.parameters() if value.requires_grad]
    model.requires_grad_(False)
    targets = "all-linear" if lora.targets is None else [*lora.targets]
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for transformer in transformers:
                get_peft_model(transformer, config)  # puts them into the transformer itself
    except ValueError as error:
        raise InputError(f"train.lora.targets: {str(error).splitlines()[0][:200]}") from error
    try:
        yield
    finally:
        merge_adapters(model)
        for value in trained:
            value.requires_grad_(True)
