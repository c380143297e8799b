"""Load an encoder's weights and alter them as its spec says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.encoders import weights
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.noise import Noise

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import nn


def build(spec: EncoderSpec, seed: int) -> SentenceTransformer:
    """Return the starting encoder: loaded, layers dropped, top layers drawn afresh with ``seed``, prompts set.

    Only safetensors are read and no remote code is run. Raises InputError where the spec does not fit the model.
    """
    model = _load(spec)
    layers = _layers(model)
    if spec.keep_layers is not None:
        if spec.keep_layers > len(layers):
            raise InputError(f"encoder {spec.spelling}: keep_layers={spec.keep_layers}, it has {len(layers)} layers")
        del layers[spec.keep_layers :]
        _transformer(model).config.num_hidden_layers = spec.keep_layers
    if spec.reinit_layers > len(layers):
        raise InputError(f"encoder {spec.spelling}: reinit_layers={spec.reinit_layers}, it has {len(layers)} layers")
    if spec.reinit_layers:
        reinitialise(layers[len(layers) - spec.reinit_layers :], _transformer(model).config.initializer_range, seed)
    model.prompts = {
        "query": spec.query_prompt if spec.query_prompt is not None else model.prompts.get("query", ""),
        "document": spec.document_prompt if spec.document_prompt is not None else model.prompts.get("document", ""),
    }
    model.default_prompt_name = None
    return model


def load(folder: Path) -> SentenceTransformer:
    """Load an encoder that negbench saved."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), model_kwargs={"use_safetensors": True}, local_files_only=True)


def _load(spec: EncoderSpec) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    place = weights.locate(spec.model)
    if isinstance(place, Path):
        weights.verify_offline(place)
    # A hub model is read at the very commit that stands in its digest, even where a newer one has appeared.
    revision = None if isinstance(place, Path) else weights.commit(place, spec.revision)
    try:
        model = SentenceTransformer(str(place), revision=revision, model_kwargs={"use_safetensors": True})
    except Exception as error:  # each library that reads a part of the folder has errors of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"encoder {spec.spelling}: cannot be loaded: {reason}") from error
    if spec.pooling is not None:
        _replace_pooling(model, spec)
    return model


def _replace_pooling(model: SentenceTransformer, spec: EncoderSpec) -> None:
    """Change how token vectors are pooled, and nothing else: prompts, similarity and later layers stay."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    for name, module in model.named_children():
        if isinstance(module, Pooling):
            setattr(model, name, Pooling(module.embedding_dimension, spec.pooling, module.include_prompt))
            return
    raise InputError(f"encoder {spec.spelling}: the model has no pooling that pooling={spec.pooling} could replace")


def _transformer(model: SentenceTransformer) -> Any:
    return model[0].auto_model


def _layers(model: SentenceTransformer) -> nn.ModuleList:
    """Return the stack of transformer layers, whatever the architecture calls it."""
    from torch import nn

    transformer = _transformer(model)
    count = transformer.config.num_hidden_layers
    for module in transformer.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise InputError(
        f"{type(transformer).__name__} has no stack of {count} layers; keep_layers and reinit_layers need one"
    )


def reinitialise(layers: nn.ModuleList, std: float, seed: int) -> None:
    """Draw every linear weight of ``layers`` from N(0, std), set biases to 0 and layer norms to the identity.

    Written out by hand because transformers' own ``_init_weights`` skips parameters that were loaded.
    """
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(int(Noise(seed, "reinitialise").bits(0) >> 1))
    with torch.no_grad():
        for module in layers.modules():
            if isinstance(module, nn.Linear):
                module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * std)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.LayerNorm):
                module.weight.fill_(1.0)
                if module.bias is not None:
                    module.bias.zero_()
