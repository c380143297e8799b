"""A teacher's probabilities as the raw scores that distillation is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def log_odds(probabilities: Tensor) -> Tensor:
    """Return log(p / (1 - p)), which undoes a cross-encoder's sigmoid; NaN stays.

    Probabilities are kept a millionth away from 0 and 1, past which float32 tells too little.
    """
    return probabilities.clamp(1e-6, 1 - 1e-6).logit()
