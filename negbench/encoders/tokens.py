"""Texts as a model reads them, tokenised once and kept without padding; cut into batches of like length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from negbench.types import Int32, Int64

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from torch import Tensor

Side = Literal["query", "document"]

CHUNK_TOKENS = {"cpu": 4096, "cuda": 65536}
"""Tokens, padding included, that go through a model in one piece: what keeps each kind of device busy."""

_AT_ONCE = 1024
_ROUND = 8


@dataclass(frozen=True, slots=True)
class Tokens:
    """n tokenised texts: ``columns`` holds each input by name (``input_ids``, ``attention_mask``, ...), one text after
    another, text t from ``ends[t]`` to ``ends[t + 1]``; ``ends`` [n + 1].
    """

    columns: dict[str, Int32]
    ends: Int64

    @property
    def lengths(self) -> Int64:
        """Return how many tokens each text has [n]."""
        return np.diff(self.ends)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def followed_by(self, others: Tokens) -> Tokens:
        """Return these texts and then ``others``, which the same model reads."""
        columns = {name: np.concatenate([column, others.columns[name]]) for name, column in self.columns.items()}
        return Tokens(columns, np.concatenate([self.ends, self.ends[-1] + others.ends[1:]]))

    def chunks(self, texts: Int64, most: int) -> list[Int64]:
        """Cut ``texts`` (positions) into pieces of at most ``most`` tokens, each text counted as long as the longest of
        its piece, longest text first.

        Of texts of one length the first given comes first. A text longer than ``most`` is a piece of its own.
        """
        lengths = self.lengths[texts]
        order = np.argsort(-lengths, kind="stable")
        cuts, longest, held = [0], 0, 0
        for at, length in enumerate(lengths[order].tolist()):
            if held and (held + 1) * longest > most:
                cuts.append(at)
                held = 0
            longest = length if held == 0 else longest
            held += 1
        return [texts[piece] for piece in np.split(order, cuts[1:])] if len(texts) else []

    def padded(self, texts: Int64, model: SentenceTransformer | CrossEncoder) -> dict[str, Tensor]:
        """Return the inputs of ``texts`` (positions), padded by the model's tokenizer, [texts, length] each.

        The length is that of the longest text, rounded up where the model's limit allows: libraries prepare each shape
        of matrix that they have not seen, which takes as long as multiplying it.
        """
        spans = [slice(self.ends[text], self.ends[text + 1]) for text in texts]
        columns = {name: [column[span].tolist() for span in spans] for name, column in self.columns.items()}
        longest = max(span.stop - span.start for span in spans)
        length = max(longest, min(-(-longest // _ROUND) * _ROUND, model.max_seq_length or longest))
        return dict(model.tokenizer.pad(columns, padding="max_length", max_length=int(length), return_tensors="pt"))


def tokenised(model: SentenceTransformer, texts: Sequence[str], side: Side, max_length: int | None = None) -> Tokens:
    """Tokenise ``texts`` with the side's prompt before each, cut at ``max_length`` tokens or the model's own limit."""
    prompt = model.prompts.get(side, "")
    own = model.max_seq_length
    try:
        if max_length is not None:
            model.max_seq_length = min(max_length, own or max_length)
        return _read(lambda some: model.preprocess([prompt + text for text in some]), texts)
    finally:
        if max_length is not None:
            model.max_seq_length = own


def tokenised_pairs(model: CrossEncoder, pairs: Sequence[tuple[str, str]], prompt: str | None = None) -> Tokens:
    """Tokenise pairs of texts with ``prompt`` before each, each pair cut at the model's limit."""
    return _read(lambda some: model.preprocess([list(pair) for pair in some], prompt=prompt), pairs)


def _read(preprocess: Callable[[Any], Mapping[str, Any]], texts: Sequence[Any]) -> Tokens:
    parts: dict[str, list[Int32]] = {}
    lengths: list[Int64] = [np.zeros(1, np.int64)]
    for at in range(0, len(texts), _AT_ONCE):
        inputs = preprocess(texts[at : at + _AT_ONCE])
        real = inputs["attention_mask"].bool()  # padding may stand on either side
        lengths.append(real.sum(1).numpy())
        for name, value in inputs.items():
            if getattr(value, "shape", None) == real.shape:
                parts.setdefault(name, []).append(value[real].int().numpy())
    return Tokens({name: np.concatenate(part) for name, part in parts.items()}, np.cumsum(np.concatenate(lengths)))


def batches(tokens: Tokens, model: SentenceTransformer | CrossEncoder) -> Iterator[tuple[Int64, dict[str, Tensor]]]:
    """Yield all texts in pieces of like length, as (positions, inputs on the model's device)."""
    device = model.device
    for texts in tokens.chunks(np.arange(len(tokens)), CHUNK_TOKENS.get(device.type, CHUNK_TOKENS["cuda"])):
        yield texts, {name: value.to(device) for name, value in tokens.padded(texts, model).items()}
