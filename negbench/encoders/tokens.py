"""Texts as a model reads them, tokenised once and kept without padding; cut into batches of like length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from negbench.errors import InputError
from negbench.types import Int32, Int64

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer

Side = Literal["query", "document"]
SIDES: tuple[Side, ...] = ("document", "query")
Limits = Mapping[Side, int | None]
"""The most tokens of a text that are read, by side; None for all."""

CHUNK_TOKENS = {"cpu": 4096, "cuda": 65536}
"""Tokens, padding included, that go through a model at once, by kind of device."""

_AT_ONCE = 1024
_ROUND = 8


@dataclass(frozen=True, slots=True)
class Tokens:
    """n tokenised texts: ``columns`` holds each input by name (``input_ids``, ``attention_mask``, ...), one text after
    another, text t from ``ends[t]`` to ``ends[t + 1]``; ``ends`` [n + 1].

    ``shared`` is what the model is told beside, the same for all texts: how long the prompt is, say, or which route a
    router takes. A model of static embeddings reads ``bags``: all tokens in a row, and where each text begins.
    """

    columns: dict[str, Int32]
    ends: Int64
    shared: dict[str, str | int] = field(default_factory=dict)
    bags: bool = False

    @property
    def lengths(self) -> Int64:
        """Return how many tokens each text has [n]."""
        return np.diff(self.ends)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def followed_by(self, others: Tokens) -> Tokens:
        """Return these texts and then ``others``, which the same model reads."""
        columns = {name: np.concatenate([column, others.columns[name]]) for name, column in self.columns.items()}
        ends = np.concatenate([self.ends, self.ends[-1] + others.ends[1:]])
        return replace(self, columns=columns, ends=ends)

    def chunks(self, texts: Int64, most: int) -> list[Int64]:
        """Cut ``texts`` (positions) into pieces of at most ``most`` tokens, each text counted as long as the longest of
        its piece, longest text first.

        Of texts of one length the first given comes first. A text longer than ``most`` is a piece of its own.
        """
        lengths = self.lengths[texts]
        order = np.argsort(-lengths, kind="stable")
        cuts, longest, held = [0], 0, 0
        for place, length in enumerate(lengths[order].tolist()):
            if held and (held + 1) * longest > most:
                cuts.append(place)
                held = 0
            longest = length if held == 0 else longest
            held += 1
        return [texts[piece] for piece in np.split(order, cuts[1:])] if len(texts) else []

    def padded(self, texts: Int64, model: SentenceTransformer | CrossEncoder) -> dict[str, Any]:
        """Return the model's inputs for ``texts`` (positions), int64 tensors [texts, length], and what all share.

        They are padded at the end for an encoder, so that no text's positions depend on its neighbours, and where its
        tokenizer wants it for a cross-encoder. The length is that of the longest text, rounded up where the model's
        limit allows: libraries prepare each shape of matrix that they have not seen, which takes as long as
        multiplying it. ``empty``, where there is a text without any token, bool [texts], marks those
        (``encode.vectors_of``). For ``bags``: ``input_ids`` [tokens] and ``offsets`` [texts].
        """
        import torch
        from sentence_transformers import CrossEncoder

        lengths = self.lengths[texts]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        taken = np.arange(starts[-1]) + np.repeat(self.ends[texts] - starts[:-1], lengths)
        if self.bags:
            ids, offsets = self.columns["input_ids"][taken].astype(np.int64), starts[:-1].copy()
            return {"input_ids": torch.from_numpy(ids), "offsets": torch.from_numpy(offsets), **self.shared}
        reader = model if "task" not in self.shared else readers(model)[cast(Side, self.shared["task"])]
        longest = max(1, int(lengths.max()))
        width = max(longest, int(min(-(-longest // _ROUND) * _ROUND, reader.max_seq_length or longest)))
        real = np.arange(width) < lengths[:, None]
        of_pairs = isinstance(model, CrossEncoder)
        if of_pairs and model.tokenizer.padding_side == "left":
            real = real[:, ::-1]
        padding = {"input_ids": "pad_token_id", "token_type_ids": "pad_token_type_id"}
        inputs: dict[str, Any] = dict(self.shared)
        for name, column in self.columns.items():
            fill = getattr(reader.tokenizer, padding[name], None) if name in padding else None
            table = np.full(real.shape, fill or 0, np.int64)
            table[real] = column[taken]
            inputs[name] = torch.from_numpy(table)
        if not of_pairs and not lengths.all():
            empty = torch.from_numpy(lengths == 0)
            inputs["attention_mask"][empty, 0] = 1  # attention over nothing would be NaN
            inputs["empty"] = empty
        return inputs


def readers(model: Any) -> dict[Side, Any]:
    """Return the module that reads the texts of each side: the model's first, or that of the side's route."""
    from sentence_transformers.base.modules import Router

    first = model[0]
    if not isinstance(first, Router):
        return {"query": first, "document": first}
    return {side: first.sub_modules[first._resolve_route(side, "text")][0] for side in ("query", "document")}


def limit_of(reader: Any, side: Side) -> int | None:
    """Return how many tokens of a side's text a module reads at most; None for no limit."""
    if _is_static(reader):
        cut = reader.tokenizer.truncation
        return None if cut is None else int(cut["max_length"])
    of_side = getattr(reader, f"{side}_length", None)  # what a Transformer may have beside its max_seq_length
    return getattr(reader, "max_seq_length", None) if of_side is None else int(of_side)


def set_limit(reader: Any, side: Side, limit: int | None) -> None:
    """Let a module read at most so many tokens of a side's text; of the other side's too, if it has no own limit."""
    if not _is_static(reader):
        name = "max_seq_length" if getattr(reader, f"{side}_length", None) is None else f"{side}_length"
        setattr(reader, name, limit)
    elif limit is None:
        reader.tokenizer.no_truncation()
    else:
        reader.tokenizer.enable_truncation(limit)


def limits_of(model: SentenceTransformer) -> Limits:
    """Return how many tokens of a text a model reads at most, by side."""
    return {side: limit_of(reader, side) for side, reader in readers(model).items()}


def set_limits(model: SentenceTransformer, limits: Limits) -> None:
    """Let a model read at most so many tokens of a text.

    A module with one limit for both sides, as one of static embeddings, gets the larger; ``tokenised`` cuts the others.
    """
    both = readers(model)
    shared = both["query"] is both["document"] and limits["query"] != limits["document"]
    for side, reader in both.items():
        if shared and hasattr(reader, f"{side}_length"):
            setattr(reader, f"{side}_length", limits[side])
        elif shared:
            set_limit(reader, side, None if None in limits.values() else max(it for it in limits.values() if it))
        else:
            set_limit(reader, side, limits[side])


def lower_limits(model: SentenceTransformer, most: Mapping[Side, int]) -> None:
    """Let a model read at most ``most`` tokens of a text, by side, and no more than it does already."""
    set_limits(model, {side: min(most[side], limit or most[side]) for side, limit in limits_of(model).items()})


def _is_static(reader: Any) -> bool:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    return isinstance(reader, StaticEmbedding)


def tokenised(model: SentenceTransformer, texts: Sequence[str], side: Side, max_length: int | None = None) -> Tokens:
    """Tokenise ``texts`` with the side's prompt before each, cut at ``max_length`` tokens or the model's own limit."""
    from sentence_transformers.base.modules import Router

    prompt = model.prompts.get(side) or None
    static = _is_static(model[0])
    route = {"task": side} if any(isinstance(module, Router) for module in model) else {}

    def read(some: Sequence[str]) -> Mapping[str, Any]:
        if static:
            bags = _bags(model[0].tokenizer, [f"{prompt}{text}" for text in some] if prompt else list(some))
            return {**bags, **route}
        inputs: Mapping[str, Any] = model.preprocess(list(some), prompt=prompt, task=side)
        return {**inputs, **route}  # the first module tells the route only where it is the router

    if max_length is None:
        return _read(read, texts)
    reader = readers(model)[side]
    own = limit_of(reader, side)
    try:
        set_limit(reader, side, min(max_length, own or max_length))
        return _read(read, texts)
    finally:
        set_limit(reader, side, own)


def _bags(tokenizer: Any, texts: list[str]) -> dict[str, Int64]:
    """Return what a module of static embeddings reads: the tokens of all texts in a row, and where each text begins.

    The module itself would look for the place of each token in its text, and the model at each text for what else it
    might be: together that takes longer than reading it.
    """
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    tokens = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
    return {"input_ids": tokens, "offsets": np.cumsum(lengths) - lengths}


def tokenised_pairs(model: CrossEncoder, pairs: Sequence[tuple[str, str]], prompt: str | None = None) -> Tokens:
    """Tokenise pairs of texts with ``prompt`` before each, each pair cut at the model's limit."""
    return _read(lambda some: model.preprocess([list(pair) for pair in some], prompt=prompt), pairs)


def _read(preprocess: Callable[[Any], Mapping[str, Any]], texts: Sequence[Any]) -> Tokens:
    parts: dict[str, list[Int32]] = {}
    lengths: list[Int64] = [np.zeros(1, np.int64)]
    shared: dict[str, str | int] = {}
    bags = False
    for start in range(0, len(texts), _AT_ONCE):
        inputs = preprocess(texts[start : start + _AT_ONCE])
        if "query_expansion_positions" in inputs:
            raise InputError(
                "the encoder fills queries up with expansion tokens, which is not supported; give another encoder"
            )
        shared = {name: value for name, value in inputs.items() if isinstance(value, str | int)}
        if bags := "offsets" in inputs:
            ids = np.asarray(inputs["input_ids"]).astype(np.int32)
            lengths.append(np.diff(np.append(np.asarray(inputs["offsets"]), len(ids))))
            parts.setdefault("input_ids", []).append(ids)
            continue
        real = inputs["attention_mask"].bool()  # padding may stand on either side
        lengths.append(real.sum(1).numpy())
        for name, value in inputs.items():
            if getattr(value, "shape", None) == real.shape:
                parts.setdefault(name, []).append(value[real].int().numpy())
    columns = {name: np.concatenate(part) for name, part in parts.items()}
    return Tokens(columns, np.cumsum(np.concatenate(lengths)), shared, bags)


def batches(tokens: Tokens, model: SentenceTransformer | CrossEncoder) -> Iterator[tuple[Int64, dict[str, Any]]]:
    """Yield all texts in pieces of like length, as (positions, inputs on the model's device)."""
    device = model.device
    most = CHUNK_TOKENS["cpu" if device.type == "cpu" and not tokens.bags else "cuda"]  # bags are summed, not kept
    for texts in tokens.chunks(np.arange(len(tokens)), most):
        inputs = tokens.padded(texts, model)
        yield texts, {name: it.to(device) if hasattr(it, "to") else it for name, it in inputs.items()}
