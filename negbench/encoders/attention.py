"""Attention for a CPU in bfloat16: one text after another, so that its scores stay in the cache.

torch's fused attention recomputes the scores in its backward pass, text by text and block by block, with matrices so
small that bfloat16 units idle: on a CPU it takes three times as long as the forward pass. Here the softmax is kept and
each text's matrices are multiplied whole; padding is never looked at.
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
    """Tell whether the module takes other attention functions, and does nothing that this one leaves out."""
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
    spans = _spans(query, attention_mask)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return attention(query, key, value, spans, scale, dropout).transpose(1, 2), None


def _spans(query: Tensor, mask: Tensor | None) -> list[tuple[int, int]]:
    """Return where each text begins and ends: padding stands on one side."""
    batch, length = query.shape[0], query.shape[2]
    if mask is None:
        return [(0, length)] * batch
    counts = mask.sum(-1).tolist()
    starts = mask.int().argmax(-1).tolist()
    return [(start, start + count) for start, count in zip(starts, counts, strict=True)]


def attention(
    query: Tensor, key: Tensor, value: Tensor, spans: list[tuple[int, int]], scale: float, dropout: float
) -> Tensor:
    """Return softmax(scale Q K^T) V for each text and head, [B, H, L, D]; rows outside of a text's span are 0."""
    return _function().apply(query, key, value, spans, scale, dropout)  # type: ignore[no-any-return]


@cache
def _function() -> Any:
    import torch

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, q: Tensor, k: Tensor, v: Tensor, spans: list[tuple[int, int]], scale: float, dropout: float
        ) -> Tensor:
            q = q * scale
            padded = any(span != (0, q.shape[2]) for span in spans)
            out = torch.zeros_like(q) if padded else torch.empty_like(q)
            keep = any(ctx.needs_input_grad)
            saved: list[Tensor] = []
            for b, (i, j) in enumerate(spans):
                weights = torch.softmax(q[b, :, i:j] @ k[b, :, i:j].transpose(-1, -2), -1)
                mask = keep_mask(weights.shape, dropout, weights.dtype) if dropout else None
                dropped = weights if mask is None else weights * mask
                out[b, :, i:j] = dropped @ v[b, :, i:j]
                if keep:
                    saved += [weights] if mask is None else [weights, mask]
            if keep:
                ctx.save_for_backward(q, k, v, out, *saved)
                ctx.spans, ctx.scale, ctx.padded, ctx.each = spans, scale, padded, 2 if dropout else 1
            return out

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            (grad,) = gradients
            q, k, v, out, *saved = ctx.saved_tensors
            new = torch.zeros_like if ctx.padded else torch.empty_like
            dq, dk, dv = new(q), new(k), new(v)
            # sum over keys of softmax x its gradient, through the output: dO . O
            inner = (grad * out).sum(-1, keepdim=True)
            for b, (i, j) in enumerate(ctx.spans):
                weights, g = saved[ctx.each * b], grad[b, :, i:j]
                mask = saved[ctx.each * b + 1] if ctx.each == 2 else None
                dropped = weights if mask is None else weights * mask
                dv[b, :, i:j] = dropped.transpose(-1, -2) @ g
                scores = g @ v[b, :, i:j].transpose(-1, -2)
                if mask is not None:
                    scores.mul_(mask)
                scores.sub_(inner[b, :, i:j]).mul_(weights)
                dq[b, :, i:j] = scores @ k[b, :, i:j]
                dk[b, :, i:j] = scores.transpose(-1, -2) @ q[b, :, i:j]  # q carries the scale
            return dq.mul_(ctx.scale), dk, dv, None, None, None

    return Attention
