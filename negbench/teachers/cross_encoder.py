"""A cross-encoder checkpoint as the teacher, without training of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.attention import fast_attention
from negbench.encoders.precision import Precision, narrowed
from negbench.encoders.tokens import batches, tokenised_pairs
from negbench.errors import InputError
from negbench.teachers import Teacher
from negbench.teachers.checkpoint import first_line, load_checked, positions, require_finite, require_vocabulary
from negbench.types import Float32

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


_ACTIVATIONS = {"Identity", "Sigmoid"}
"""Activations of a model's output after which a sigmoid gives a probability; any other has a scale of its own."""

_PROBE = [("a question", "an answer"), ("another question", "an answer that has some more words")]


class PretrainedCrossEncoder(Teacher):
    """A cross-encoder by hub id or folder, used as it is; its output goes through a sigmoid.

    A score is what ``CrossEncoder.predict`` gives where the model's activation is the sigmoid, and the sigmoid of that
    where it is the identity; other activations are refused, and so are models with several outputs.
    """

    name: ClassVar[str] = "cross-encoder"
    version: ClassVar[int] = 2

    model: str = Field(
        default="cross-encoder/ms-marco-MiniLM-L6-v2", min_length=1, description="Cross-encoder: a hub id or folder."
    )
    max_length: int = Field(
        default=256, ge=8, description="Tokens of query and document together, at most as many as the model takes."
    )

    def check_usable(self) -> None:
        load(weights.locate(self.model), self.max_length)

    def fingerprint(self) -> str:
        return weights.fingerprint(self.model, None)

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        return predict(load(weights.locate(self.model), self.max_length), pairs, precision)


def load(place: Path | str, max_length: int, keep_layers: int | None = None, new_head: bool = False) -> CrossEncoder:
    """Load a cross-encoder with one output, in float32; safetensors only.

    With ``keep_layers`` only the lowest ones are read. With ``new_head`` a checkpoint without a head, or with one of
    pretraining, gets one from torch's random state. ``max_length`` caps what the model can take.

    Raises InputError, naming tensors, where the checkpoint does not fit or holds values that are not finite, where it
    has several outputs or another activation than identity and sigmoid, and where pairs can't be scored at all.
    """
    from sentence_transformers import CrossEncoder
    from transformers import AutoConfig

    who = f"cross-encoder {place}"
    if isinstance(place, Path):
        weights.verify_offline(place)
    # A hub model is read at the very commit that stands in its digest, even where a newer one has appeared.
    revision = None if isinstance(place, Path) else weights.commit(place, None)

    def made() -> CrossEncoder:
        if keep_layers is not None:
            count = AutoConfig.from_pretrained(str(place), revision=revision).num_hidden_layers
            if keep_layers > count:  # transformers would make up the missing ones at random
                raise InputError(f"{who}: keep_layers={keep_layers}, but it has {count} layers; give fewer")
        return CrossEncoder(
            str(place),
            revision=revision,
            num_labels=1 if new_head else None,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
            config_kwargs={} if keep_layers is None else {"num_hidden_layers": keep_layers},
        )

    model = load_checked(who, made, new_head, keep_layers)
    if model.num_labels != 1:
        raise InputError(
            f"{who}: it has {model.num_labels} outputs (num_labels); a score needs a model with one output: give "
            "another"
        )
    if type(model.activation_fn).__name__ not in _ACTIVATIONS:
        raise InputError(
            f"{who}: its output goes through {type(model.activation_fn).__name__}, which gives no probability of "
            "relevance; expected Sigmoid or Identity"
        )
    if model.model is None:
        raise InputError(f"{who}: it has no transformer that reads pairs of texts; give another model")
    require_finite(model, who)
    require_vocabulary(model.tokenizer, model.model, who)
    limits = [max_length, model.max_seq_length, positions(model)]
    model.max_seq_length = min(limit for limit in limits if limit is not None)
    try:
        _tell_padding(model)
        predict(model, _PROBE, "float32")
    except Exception as error:  # a missing padding token, a model of images: whatever keeps it from scoring two pairs
        raise InputError(f"{who}: cannot score pairs of texts: {first_line(error)}; give another model") from error
    return model


def _tell_padding(model: CrossEncoder) -> None:
    """Tell a decoder, which looks for the last token of a pair, what the tokenizer pads with, where it does not know.

    Not where pairs themselves may end in that token: it would look before it.
    """
    config, padding = model.model.config, model.tokenizer.pad_token_id
    if padding is None or getattr(config, "pad_token_id", None) is not None:
        return
    if padding not in tokenised_pairs(model, _PROBE).columns["input_ids"]:
        config.pad_token_id = padding


def predict(
    model: CrossEncoder, pairs: Sequence[tuple[str, str]], precision: Precision, log_odds: bool = False
) -> Float32:
    """Return the sigmoid of the model's output for each pair, float32; bfloat16 means the weights, all but the head.

    With ``log_odds`` the output itself. The model's own prompt, if it has one by default, stands before each pair.
    """
    import torch

    scores = np.zeros(len(pairs), np.float32)
    if not pairs:
        return scores
    reader = narrowed(model) if precision == "bfloat16" else model
    reader.eval()
    prompt = model.prompts.get(model.default_prompt_name or "")
    prepared = model.preprocess([list(pairs[0])], prompt=prompt)
    same = {name: value for name, value in prepared.items() if not isinstance(value, torch.Tensor)}
    tokens = tokenised_pairs(model, pairs, prompt)
    with fast_attention(reader, precision == "bfloat16"), torch.inference_mode():
        for rows, inputs in batches(tokens, reader):
            outputs = reader({**inputs, **same})["scores"].float()
            scores[rows] = (outputs if log_odds else torch.sigmoid(outputs)).flatten().cpu().numpy()
    return scores
