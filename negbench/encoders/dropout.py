"""Dropout whose masks are cheap on a CPU.

torch draws a mask on a CPU number by number; for attention that takes longer than everything else together. Here a mask
is cut from a stream of random bytes, sixteen bits a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, dtype, nn


def keep_mask(shape: Sequence[int], share: float, kind: dtype) -> Tensor:
    """Return a tensor that is 0 with probability ``share`` and 1 / (1 - share) elsewhere.

    The share is rounded to a multiple of 2^-16. The stream is seeded by torch's generator.
    """
    import torch

    seed = int(torch.randint(2**62, ()))
    count = int(np.prod(shape))
    drawn = np.frombuffer(np.random.Generator(np.random.SFC64(seed)).bytes(2 * count), np.int16)
    threshold = round(share * 2**16) - 2**15
    kept = torch.from_numpy(drawn.copy()).ge(threshold) if threshold < 2**15 else torch.zeros(count, dtype=torch.bool)
    return kept.to(kind).mul_(2**16 / max(1, 2**15 - threshold)).reshape(tuple(shape))


@contextmanager
def fast_dropout(model: nn.Module) -> Iterator[None]:
    """Let the dropout layers of a model on a CPU draw cheap masks for a while."""
    import torch

    changed: list[Any] = []
    for module in model.modules():
        if type(module) is torch.nn.Dropout and next(model.parameters()).device.type == "cpu":
            module.__class__ = _layer()
            changed.append(module)
    try:
        yield
    finally:
        for module in changed:
            module.__class__ = torch.nn.Dropout


@cache
def _layer() -> Any:
    import torch

    class FastDropout(torch.nn.Dropout):
        """Dropout with the mask of ``keep_mask``, which is drawn faster than torch's."""

        def forward(self, input: Tensor) -> Tensor:
            if not self.training or self.p == 0:
                return input
            return input * keep_mask(input.shape, self.p, input.dtype)

    return FastDropout
