"""Load an encoder's weights and alter them as its spec says."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from negbench.encoders import files, weights
from negbench.encoders.adapters import transformers_of
from negbench.encoders.checkpoint import embedded_tokens, not_finite, recorded, refuse_unfit
from negbench.encoders.encode import vectors_of
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side, limit_of, readers, set_limit, tokenised
from negbench.errors import InputError
from negbench.rng import CounterRNG

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor, nn

_ATTENTION = "attention.txt"
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""Names that models give the prompt of a document; sentence-transformers looks for these, in this order."""
_PROBES = ("a text", "another text, which has some more words than the first one has, so that the first one is padded")
_MOST_BY_PADDING = 1e-3
"""Largest difference, relative to the largest number of a vector, that the text beside it may make."""


def build(spec: EncoderSpec, seed: int) -> SentenceTransformer:
    """Return the starting encoder: loaded, layers dropped, top layers drawn afresh with ``seed``, prompts set.

    Its weights are float32, whatever its files hold. Only safetensors are read and no remote code is run. A tokenizer
    without a padding token pads with another of its special tokens, which are masked; a limit of tokens beyond the
    positions that there are is lowered. Raises InputError where the spec does not fit the model, where the files do
    not hold the model's weights and no others (``checkpoint.refuse_unfit``), and where the model cannot read a text.
    """
    model = _load(spec)
    if spec.keep_layers is not None or spec.reinit_layers:
        _alter_layers(model, spec, seed)
    documents = (model.prompts[name] for name in _DOCUMENT_PROMPTS if model.prompts.get(name))
    model.prompts = {
        "query": spec.query_prompt if spec.query_prompt is not None else model.prompts.get("query", ""),
        "document": spec.document_prompt if spec.document_prompt is not None else next(documents, ""),
    }
    model.default_prompt_name = None
    if spec.attention is not None:
        try:
            set_attention(model, spec.attention)
        except ValueError as error:
            raise InputError(
                f"encoder {spec.spelling}: attention={spec.attention}: {_reason(error)}; leave attention out"
            ) from error
    return model


def save(model: SentenceTransformer, folder: Path) -> None:
    """Save an encoder to a folder, and the attention that was chosen for it, which transformers does not."""
    model.save_pretrained(str(folder), create_model_card=False)
    if (attention := vars(model).get("attention")) is not None:
        (folder / _ATTENTION).write_text(attention + "\n")


def load(folder: Path) -> SentenceTransformer:
    """Load an encoder that ``save`` saved."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), model_kwargs=_weights_kwargs(), local_files_only=True).float()
    if broken := not_finite(model):
        raise InputError(f"encoder {folder}: {broken}")
    if (folder / _ATTENTION).is_file():
        set_attention(model, (folder / _ATTENTION).read_text().strip())
    return model


def set_attention(model: SentenceTransformer, attention: str) -> None:
    """Let the transformers of an encoder use an attention by its name; ValueError where one cannot."""
    transformers = transformers_of(model)
    if not transformers:
        raise ValueError("there is no transformer that has one; leave attention out")
    for transformer in transformers:
        transformer.set_attn_implementation(attention)
    for reader in readers(model).values():
        reader.unpad_inputs = False  # with flash attention, sentence-transformers would write texts in a row
    vars(model)["attention"] = attention


def _weights_kwargs() -> dict[str, Any]:
    import torch

    return {"use_safetensors": True, "dtype": torch.float32}


def _load(spec: EncoderSpec) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    place = weights.locate(spec.model)
    files.check(spec)
    if isinstance(place, Path):
        weights.verify_offline(place)
    # A hub model is read at the very commit that stands in its digest, even where a newer one has appeared.
    revision = None if isinstance(place, Path) else weights.commit(place, spec.revision)
    with recorded() as loaded:
        try:
            model = SentenceTransformer(str(place), revision=revision, model_kwargs=_weights_kwargs()).float()
        except Exception as error:  # each library that reads a part of the folder has errors of its own
            raise InputError(
                f"encoder {spec.spelling}: cannot be loaded: {_reason(error)}; check its files, or give another model"
            ) from error
    folder = files.snapshot(spec)
    if folder is not None and not isinstance(place, Path):
        files.check_folder(folder, spec.spelling)
    if broken := not_finite(model):
        raise InputError(f"encoder {spec.spelling}: {broken}")
    for checkpoint in loaded:  # shapes that do not fit leave no model that could read a text
        if checkpoint.misfits:
            refuse_unfit(checkpoint, folder, None, spec.spelling)
    if spec.pooling is not None:
        _replace_pooling(model, spec)
    model.similarity_fn_name = files.similarity_of(spec)
    try:
        sides = readers(model)
    except ValueError as error:  # of a router
        raise InputError(
            f"encoder {spec.spelling}: {_reason(error)}; check its files, or give another model"
        ) from error
    for side, reader in sides.items():
        _prepare_reader(reader, side, spec)
    output = _read_something(model, spec)
    for checkpoint in loaded:
        refuse_unfit(checkpoint, folder, output, spec.spelling)
    return model


def _prepare_reader(reader: Any, side: Side, spec: EncoderSpec) -> None:
    """Let a module that reads a side's texts pad, and cut them where its positions end."""
    own = limit_of(reader, side)
    if own is not None and (isinstance(own, bool) or not isinstance(own, int | float) or own < 1):
        raise InputError(
            f"encoder {spec.spelling}: its longest text (max_seq_length of sentence_bert_config.json) is to have "
            f"{own!r:.40} tokens; expected a whole number of at least 1"
        )
    limits = [count for count in (own, _positions(reader)) if count is not None and count < math.inf]
    if limits and min(limits) != own:
        set_limit(reader, side, min(limits))
    transformer, tokenizer = getattr(reader, "auto_model", None), getattr(reader, "tokenizer", None)
    if transformer is None or tokenizer is None:
        return
    if tokenizer.pad_token is None:
        others = (tokenizer.eos_token, tokenizer.unk_token, *tokenizer.all_special_tokens)
        tokenizer.pad_token = next((token for token in others if token), None)
        if tokenizer.pad_token is None:
            raise InputError(
                f"encoder {spec.spelling}: its tokenizer has no padding token, and no other special one; add one to "
                "its files"
            )
    rows = embedded_tokens(transformer)
    highest = max(tokenizer.get_vocab().values(), default=0)
    if rows is not None and highest >= rows:
        raise InputError(
            f"encoder {spec.spelling}: its tokenizer has a token of number {highest}, its weights {rows} tokens; "
            "give it the tokenizer that it was trained with"
        )


def _positions(reader: Any) -> int | None:
    """Return how many tokens fit into a module's table of positions; None where it has none, as with rotary ones."""
    from torch import nn

    room_left = []
    for name, module in reader.named_modules():
        last = name.rpartition(".")[2]
        if not isinstance(module, nn.Embedding) or not re.search("position|^wpe$", last) or "relative" in last:
            continue
        owner = reader.get_submodule(name.rpartition(".")[0])
        padding = getattr(owner, "padding_idx", None)  # RoBERTa and its kin count positions from there
        taken = padding + 1 if isinstance(padding, int) else getattr(module, "offset", 0)
        room_left.append(module.num_embeddings - taken)
    return min(room_left, default=None)


def _read_something(model: SentenceTransformer, spec: EncoderSpec) -> Tensor:
    """Return the vectors of a short text as query and as document, with their graph.

    Raises InputError where that fails, and where a longer text beside it changes them.
    """
    import torch

    model.eval()
    try:
        probes, differences = [], []
        for side in readers(model):
            tokens = tokenised(model, _PROBES, side)
            alone, beside = (
                vectors_of(model, _on_device(tokens.padded(rows, model), model))[:1]
                for rows in (np.array([0]), np.array([0, 1]))
            )
            probes.append(alone)
            differences.append(float((alone - beside).detach().abs().max() / alone.detach().abs().max().clamp(1e-6)))
    except InputError as error:
        raise InputError(f"encoder {spec.spelling}: {error}") from error
    except Exception as error:
        raise InputError(f"encoder {spec.spelling}: cannot encode a text: {_reason(error)}; check its files") from error
    query, document = (vectors.shape[1] for vectors in probes)
    if query != document:
        raise InputError(
            f"encoder {spec.spelling}: gives queries {query} dimensions and documents {document}; both must be the "
            "same: give another model"
        )
    if (said := model.get_embedding_dimension()) != query:
        raise InputError(
            f"encoder {spec.spelling}: gives vectors of {query} dimensions, and its files say {said}; correct the "
            "dimensions of its pooling"
        )
    if max(differences) > _MOST_BY_PADDING:
        raise InputError(
            f"encoder {spec.spelling}: the vector of a text depends on how long the texts beside it are, since padding "
            "is not masked; give another model"
        )
    return torch.cat(probes)


def _on_device(inputs: dict[str, Any], model: SentenceTransformer) -> dict[str, Any]:
    return {name: it.to(model.device) if hasattr(it, "to") else it for name, it in inputs.items()}


def _reason(error: Exception) -> str:
    """Return a library's error message in one line of at most 300 characters, else the error's type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{' '.join(lines)[:300]}" if lines else type(error).__name__


def _replace_pooling(model: SentenceTransformer, spec: EncoderSpec) -> None:
    """Change how token vectors are pooled, and nothing else: prompts, similarity and later layers stay."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    for name, module in model.named_children():
        if isinstance(module, Pooling):
            setattr(model, name, Pooling(module.embedding_dimension, spec.pooling, module.include_prompt))
            return
    raise InputError(
        f"encoder {spec.spelling}: the model has no pooling that pooling={spec.pooling} could replace; leave pooling "
        "out"
    )


def _alter_layers(model: SentenceTransformer, spec: EncoderSpec, seed: int) -> None:
    """Drop layers and draw layers afresh, as the spec says."""
    transformer = getattr(model[0], "auto_model", None)
    if transformer is None:
        raise InputError(
            f"encoder {spec.spelling}: its first module is {type(model[0]).__name__}; keep_layers and reinit_layers "
            "need a transformer: leave them out"
        )
    layers = _layers(transformer)
    if spec.keep_layers is not None:
        if spec.keep_layers > len(layers):
            raise InputError(
                f"encoder {spec.spelling}: keep_layers={spec.keep_layers}, but it has {len(layers)} layers; give fewer"
            )
        del layers[spec.keep_layers :]
        transformer.config.num_hidden_layers = spec.keep_layers
        for name in ("layer_types", "mlp_layer_types"):  # one for each layer, where an architecture mixes several
            if (kinds := getattr(transformer.config, name, None)) is not None:
                setattr(transformer.config, name, kinds[: spec.keep_layers])
    if spec.reinit_layers > len(layers):
        raise InputError(
            f"encoder {spec.spelling}: reinit_layers={spec.reinit_layers}, it has {len(layers)} layers; give fewer"
        )
    if spec.reinit_layers:
        reinitialise(layers[len(layers) - spec.reinit_layers :], transformer.config.initializer_range, seed)


def _layers(transformer: Any) -> nn.ModuleList:
    """Return the stack of transformer layers, whatever the architecture calls it."""
    from torch import nn

    count = transformer.config.num_hidden_layers
    for module in transformer.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise InputError(
        f"{type(transformer).__name__} has no stack of {count} layers; keep_layers and reinit_layers need one: leave "
        "them out"
    )


def reinitialise(layers: nn.ModuleList, std: float, seed: int) -> None:
    """Draw every linear weight of ``layers`` from N(0, std), set biases to 0 and layer norms to the identity.

    Written out by hand because transformers' own ``_init_weights`` skips parameters that were loaded.
    """
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(int(CounterRNG(seed, "reinitialise").bits(0) >> 1))
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
