"""A training without the token embeddings that none of its texts reads.

An optimizer passes over every row of a table of token embeddings at every step, whatever the batch holds: 30,522 rows
in BERT, 250,002 in XLM-R, of which a small collection reads a tenth. The others have gradient 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from negbench.encoders.tokens import Side, Tokens, readers
from negbench.training.recipe import Recipe
from negbench.types import Bool

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_AT_ONCE = 2**24
"""Token ids that are looked at in one step, for which numpy makes a copy of them."""

Table = nn.Embedding | nn.EmbeddingBag

_ROW_BY_ROW = ("adamw_torch_fused", "adamw_torch", "adagrad", "rmsprop", "sgd")
"""Optimizers that leave a row alone whose gradient is 0; adafactor has sums over whole columns."""


@contextmanager
def only_used_tokens(
    model: SentenceTransformer, tokens: Mapping[Side, Tokens] | None, recipe: Recipe
) -> Iterator[None]:
    """Let a model have the embeddings of ``tokens``, by side, alone for a while; nothing else may be read meanwhile.

    The weights come out as without, up to the rounding of the gradient's norm. Where the recipe moves rows without a
    gradient, by weight decay say, and where there are no ``tokens``, tables stay whole. ``whole_tables`` puts them back
    in between.
    """
    cut: list[_UsedRows] = []
    if tokens is not None and recipe.optimizer in _ROW_BY_ROW and not recipe.weight_decay:
        for table, used in _tables(model, tokens):
            cut.append(_UsedRows(table, used))
            _exchange(model, table, cut[-1])
    try:
        yield
    finally:
        for rows in cut:
            _exchange(model, rows, rows.merged())


@contextmanager
def whole_tables(model: SentenceTransformer) -> Iterator[None]:
    """Let a model have the embeddings of all tokens for a while, those of ``only_used_tokens`` as they stand."""
    cut = [module for module in model.modules() if isinstance(module, _UsedRows)]
    for rows in cut:
        _exchange(model, rows, rows.merged())
    try:
        yield
    finally:
        for rows in cut:
            _exchange(model, rows.whole, rows)


class _UsedRows(nn.Module):
    """The rows ``used`` of a table ``whole``, found by the numbers that they have there.

    The table is held in a tuple, so that its weights are none of the model's.
    """

    used: Tensor
    row_of: Tensor

    def __init__(self, whole: Table, used: Tensor) -> None:
        super().__init__()
        self.held = (whole,)
        row_of = torch.full((whole.num_embeddings,), len(used), device=used.device)  # one too many: an IndexError
        row_of[used] = torch.arange(len(used), device=used.device)
        self.register_buffer("used", used, persistent=False)
        self.register_buffer("row_of", row_of, persistent=False)
        weight = whole.weight.detach()[used]
        self.rows: Table
        if isinstance(whole, nn.EmbeddingBag):
            self.rows = nn.EmbeddingBag(len(used), whole.embedding_dim, mode=whole.mode, _weight=weight)
        else:
            padding = None if whole.padding_idx is None else int(row_of[whole.padding_idx])
            self.rows = nn.Embedding(len(used), whole.embedding_dim, padding, _weight=weight)
        self.train(whole.training)

    @property
    def whole(self) -> Table:
        """The table with the embeddings of all tokens, not those in training (``merged``)."""
        return self.held[0]

    def forward(self, ids: Tensor, *rest: Any) -> Any:
        """Return what the table gives for token ids."""
        return self.rows(self.row_of[ids], *rest)

    def merged(self) -> Table:
        """Return the table with these rows in it."""
        now, table = self.rows.weight.detach(), self.whole.weight
        table.data = table.data.to(now.device, now.dtype)
        table.data[self.used] = now
        return self.whole


def _tables(model: SentenceTransformer, tokens: Mapping[Side, Tokens]) -> list[tuple[Table, Tensor]]:
    """Return the token tables that are trained, plain ones, each with its rows that the texts read, ascending.

    A table whose weights another module shares, as in T5, is left as it is.
    """
    both = readers(model)
    shared = Counter(id(weight) for module in model.modules() for weight in module._parameters.values())
    read: dict[Table, Bool] = {}
    for side, texts in tokens.items():
        transformer, tokenizer = getattr(both[side], "auto_model", None), both[side].tokenizer
        table: Any = getattr(both[side], "embedding", None)
        if transformer is not None:
            table = transformer.get_input_embeddings()
        if type(table) not in (nn.Embedding, nn.EmbeddingBag) or not table.weight.requires_grad:
            continue
        if table.max_norm is not None or table.sparse or table.scale_grad_by_freq or shared[id(table.weight)] > 1:
            continue
        rows = read.setdefault(table, np.zeros(table.num_embeddings, np.bool_))
        padding = [table.padding_idx, getattr(tokenizer, "pad_token_id", None), 0]  # 0 where there is none
        rows[[it for it in padding if it is not None]] = True
        ids = texts.columns["input_ids"]
        for first in range(0, len(ids), _AT_ONCE):
            rows[ids[first : first + _AT_ONCE]] = True
    return [(table, torch.from_numpy(np.flatnonzero(rows)).to(table.weight.device)) for table, rows in read.items()]


def _exchange(model: nn.Module, before: nn.Module, after: nn.Module) -> None:
    """Put a module in the place, or the places, of another one."""
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if child is before:
                setattr(module, name, after)
