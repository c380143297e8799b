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


def check_recipe(recipe: Recipe | None, encoder: EncoderSpec) -> None:
    """Raise InputError where the recipe asks of a transformer what an encoder without one cannot do."""
    if recipe is None:
        return
    asked = {
        "lora": ("that could have adapters", recipe.lora is not None),
        "gradient_checkpointing": ("whose activations could be computed again", recipe.gradient_checkpointing),
        "dtype": ("whose weights could be narrower", recipe.dtype != "float32"),
    }
    for key, (purpose, is_on) in asked.items():
        if is_on and not has_transformer(encoder):
            raise InputError(f"train.{key}: encoder {encoder.spelling} has no transformer {purpose}; take {key} out")
