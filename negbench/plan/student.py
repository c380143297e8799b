"""Check, before any work, that an encoder has what a method's losses and the recipe want of it."""

from __future__ import annotations

from negbench.encoders.modules import dimensions_of, has_transformer
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.methods import Method
from negbench.training.recipe import Recipe


def check_dimensions(method: Method, encoder: EncoderSpec) -> None:
    """Raise InputError where a loss takes as many leading dimensions as the encoder's vectors have, or more."""
    wanted = max(phase.method.loss.leading_dimensions for phase in method.trained_phases)
    if wanted and (width := dimensions_of(encoder)) is not None and wanted >= width:
        raise InputError(
            f"method {method.spelling}: its loss takes the first {wanted} dimensions of vectors, and those of encoder "
            f"{encoder.spelling} have {width}; give matryoshka smaller dimensions"
        )


def check_adapters(recipe: Recipe | None, encoder: EncoderSpec) -> None:
    """Raise InputError where adapters are to be trained in an encoder that has no transformer."""
    if recipe is not None and recipe.lora is not None and not has_transformer(encoder):
        raise InputError(
            f"train.lora: encoder {encoder.spelling} has no transformer that could have adapters; take lora out"
        )
