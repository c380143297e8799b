"""Attention for a CPU against torch's own, values and gradients; dropout masks against their distribution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from torch.nn.functional import scaled_dot_product_attention

from negbench.encoders.attention import NAME, attention, fast_attention
from negbench.encoders.dropout import fast_dropout, keep_mask

TEXTS = ["cut old shoots of tulip in early spring with clean scissors", "basil", "where does mint get enough sun"]


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    left=st.booleans(),
    scale=st.floats(0.1, 2.0),
    seed=st.integers(0, 100),
)
def test_values_and_gradients_are_those_of_torch(lengths: list[int], left: bool, scale: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths)
    real = torch.zeros(len(lengths), width, dtype=torch.bool)
    for row, n in enumerate(lengths):
        real[row, slice(width - n, width) if left else slice(0, n)] = True
    shape = (len(lengths), 2, width, 3)
    inputs = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(4)]
    grad = inputs.pop()
    mine, theirs = ([x.clone().requires_grad_() for x in inputs] for _ in range(2))
    out = attention(mine[0], mine[1], mine[2], None if real.all() else real, scale, 0.0)
    wanted = scaled_dot_product_attention(*theirs, attn_mask=real[:, None, None, :], scale=scale)
    torch.testing.assert_close(out, wanted)
    out.backward(grad)
    wanted.backward(grad)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_with_dropout_the_gradient_belongs_to_the_masks_that_were_drawn() -> None:
    """The numerical derivative, with the masks drawn alike each time."""
    q, k, v = (torch.randn(2, 2, 5, 3, dtype=torch.float64, requires_grad=True) for _ in range(3))

    real = torch.ones(2, 5, dtype=torch.bool)
    real[1, 4] = False

    def redrawn(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            return attention(q, k, v, real, 0.6, 0.4)

    assert torch.autograd.gradcheck(redrawn, (q, k, v))
    assert not torch.equal(redrawn(q, k, v), attention(q, k, v, real, 0.6, 0.0))


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_model_gives_the_same_with_it(tiny_encoder: Path, side: str) -> None:
    """Called as transformers calls it, and taken out again. In float32, where the two can be compared."""
    model = SentenceTransformer(str(tiny_encoder))
    model.tokenizer.padding_side = side
    wanted = model.encode(TEXTS)
    own = model[0].auto_model.config._attn_implementation
    with fast_attention(model, bfloat16=True):
        assert model[0].auto_model.config._attn_implementation == NAME
        found = model.encode(TEXTS)
    assert model[0].auto_model.config._attn_implementation == own
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    with fast_attention(model, bfloat16=False):
        assert model[0].auto_model.config._attn_implementation == own


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_masks_have_their_share_of_zeros_and_mean_one(share: float) -> None:
    torch.manual_seed(0)
    mask = keep_mask((400, 500), share, torch.float32)
    zeros = float((mask == 0).float().mean())
    assert abs(zeros - share) < 5 * (share * (1 - share) / mask.numel()) ** 0.5 + 2**-16
    if share < 1:
        np.testing.assert_allclose(mask[mask > 0].unique().numpy(), [1 / (1 - share)], rtol=1e-4)
    assert share in (0.0, 1.0) or not torch.equal(mask, keep_mask((400, 500), share, torch.float32))


def test_dropout_layers_follow_the_seed_and_are_put_back() -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout(0.3))
    x = torch.ones(1000, 1)
    with fast_dropout(layer):
        found = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            found.append(layer[1](x))
        assert torch.equal(found[0], found[1])
        assert not torch.equal(found[0], found[2])
        assert torch.equal(layer.eval()[1](x), x)
    assert type(layer[1]) is torch.nn.Dropout
