"""Attention for a CPU in bfloat16: one text after another, so that its scores stay in the cache.

torch's fused attention recomputes the scores in its backward pass, text by text and block by block, with matrices so
small that bfloat16 units idle: on a CPU it takes three times as long as the forward pass. Here the softmax is kept and
each text's matrices are multiplied whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from negbench.encoders.dropout import keep_mask

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "negbench_cpu"


@contextmanager
def fast_attention(model: nn.Module, bfloat16: bool) -> Iterator[None]:
    """Let every transformer inside ``model`` use this attention for a while, where it pays and fits.

    That is on a CPU, in bfloat16 (in float32 torch's own is as fast), for encoders that look both ways.
    """
    from transformers import PreTrainedModel

    changed: list[tuple[Any, str]] = []
    for module in model.modules():
        if isinstance(module, PreTrainedModel) and bfloat16 and _suits(module):
            changed.append((module, module.config._attn_implementation))
            _register()
            module.set_attn_implementation(NAME)
    try:
        yield
    finally:
        for module, own in changed:
            module.set_attn_implementation(own)


def _suits(module: Any) -> bool:
    """Return whether the module accepts other attention functions and needs nothing that this one lacks."""
    config = module.config
    heads = getattr(config, "num_attention_heads", None)
    return bool(
        module.device.type == "cpu"
        and config.model_type in ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert")
        and config._attn_implementation == "sdpa"
        and not getattr(config, "is_decoder", False)
        and getattr(config, "num_key_value_heads", heads) == heads
        and module._can_set_attn_implementation()
    )


@cache
def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import flash_attention_mask

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, flash_attention_mask)  # [B, L] as it is, or None without padding


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers asks: [B, H, L, D] each, ``attention_mask`` [B, L] or None; returns [B, L, H, D]."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return attention(query, key, value, attention_mask, scale, dropout).transpose(1, 2), None


def attention(query: Tensor, key: Tensor, value: Tensor, real: Tensor | None, scale: float, dropout: float) -> Tensor:
    """Return softmax(scale Q K^T) V for each text and head, [B, H, L, D].

    Nothing attends to a token where ``real`` [B, L] is False; None says that all are real.
    """
    return _function().apply(query, key, value, real, scale, dropout)  # type: ignore[no-any-return]


@cache
def _function() -> Any:
    import torch

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, q: Tensor, k: Tensor, v: Tensor, real: Tensor | None, scale: float, dropout: float
        ) -> Tensor:
            q = q * scale
            out = torch.empty_like(q)
            keep = any(ctx.needs_input_grad)
            saved: list[Tensor] = []
            length = q.shape[2]
            ends = [length] * len(q) if real is None else real.sum(1).tolist()
            at_end = real is None or bool((real[:, 1:] <= real[:, :-1]).all())
            for b in range(len(q)):
                scores = q[b] @ k[b].transpose(-1, -2)
                if ends[b] < length:
                    if at_end:
                        scores[:, :, ends[b] :] = float("-inf")
                    else:
                        assert real is not None
                        scores.masked_fill_(~real[b], float("-inf"))
                weights = torch.softmax(scores, -1)
                mask = keep_mask(weights.shape, dropout, weights.dtype) if dropout else None
                dropped = weights if mask is None else weights * mask
                out[b] = dropped @ v[b]
                if keep:
                    saved += [weights] if mask is None else [weights, mask]
            if keep:
                ctx.save_for_backward(q, k, v, out, *saved)
                ctx.scale, ctx.each = scale, 2 if dropout else 1
            return out

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            (grad,) = gradients
            q, k, v, out, *saved = ctx.saved_tensors
            dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
            # sum over keys of softmax x its gradient, through the output: dO . O
            inner = (grad * out).sum(-1, keepdim=True)
            for b in range(len(q)):
                weights = saved[ctx.each * b]
                mask = saved[ctx.each * b + 1] if ctx.each == 2 else None
                dropped = weights if mask is None else weights * mask
                dv[b] = dropped.transpose(-1, -2) @ grad[b]
                scores = grad[b] @ v[b].transpose(-1, -2)
                if mask is not None:
                    scores.mul_(mask)
                scores.sub_(inner[b]).mul_(weights)
                dq[b] = scores @ k[b]
                dk[b] = scores.transpose(-1, -2) @ q[b]  # q carries the scale
            return dq.mul_(ctx.scale), dk, dv, None, None, None

    return Attention
