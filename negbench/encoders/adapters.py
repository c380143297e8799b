"""Low-rank adapters inside an encoder (peft): whether there are any, and merging them into its weights."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def transformers_of(model: nn.Module) -> list[PreTrainedModel]:
    """Return the transformers inside ``model``, each once and without those that are a part of another."""
    from transformers import PreTrainedModel

    found: dict[str, PreTrainedModel] = {}
    for name, module in model.named_modules():
        if isinstance(module, PreTrainedModel) and not any(name.startswith(f"{outer}.") for outer in found):
            found[name] = module
    return [*found.values()]


def merge_adapters(model: nn.Module) -> None:
    """Add what adapters have learnt to the weights that they stand beside, in float32, and take them out.

    The vectors stay the same, up to rounding. A model without any is left as it is.
    """
    if "peft" not in sys.modules:
        return
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapters: list[tuple[str, Any]] = [it for it in model.named_modules() if isinstance(it[1], BaseTunerLayer)]
    for name, adapter in adapters:
        adapter.float()
        adapter.merge()
        model.set_submodule(name, adapter.get_base_layer())
    for transformer in transformers_of(model):
        transformer.__dict__.pop("peft_config", None)
