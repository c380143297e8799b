"""Choose the arithmetic by looking at the machine, without importing torch; narrow a model to it."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from torch import nn

Precision = Literal["float32", "bfloat16"]
Model = TypeVar("Model", bound="nn.Module")


def resolve(precision: str) -> Precision:
    """Turn ``auto`` into ``bfloat16`` where the device multiplies it natively, else ``float32``."""
    if precision == "auto":
        return "bfloat16" if has_native_bfloat16() else "float32"
    if precision in ("float32", "bfloat16"):
        return precision  # type: ignore[return-value]
    raise ValueError(f"expected auto, float32 or bfloat16, found {precision!r}")


@cache
def has_native_bfloat16() -> bool:
    """Tell whether the GPU (compute capability 8.0 or more) or, without one, the CPU has bfloat16 units."""
    capability = _gpu_capability()
    if capability is not None:
        return capability >= 8.0
    flags = cpu_flags()
    return "amx_bf16" in flags or "avx512_bf16" in flags


def _gpu_capability() -> float | None:
    answer = ask_gpu("compute_cap")
    return None if answer is None else float(answer)


@cache
def ask_gpu(field: str) -> str | None:
    """Return what nvidia-smi says of the first visible GPU, e.g. its ``name``; None where there is none."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    if visible in ("", "-1") or not Path("/dev/nvidiactl").exists() or not shutil.which("nvidia-smi"):
        return None
    query = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    lines = found.stdout.splitlines()
    return lines[0].strip() if found.returncode == 0 and lines else None


@cache
def cpu_flags() -> frozenset[str]:
    """Return the CPU's feature flags as Linux lists them; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return frozenset(line.partition(":")[2].split())


def narrowed(model: Model) -> Model:
    """Return a copy whose transformers have bfloat16 weights and hand on float32.

    Heads, pooling and all that follows stay float32: a score of eight bits would tie with its neighbours.
    """
    from transformers import PreTrainedModel

    copied = copy.deepcopy(model)
    for base in {id(m.base_model): m.base_model for m in copied.modules() if isinstance(m, PreTrainedModel)}.values():
        base.bfloat16()
        base.forward = _widened(base.forward)  # not a hook: sentence-transformers calls forward itself
    return copied


def _widened(forward: Callable[..., Any]) -> Callable[..., Any]:
    import torch

    @wraps(forward)
    def widened(*inputs: Any, **named: Any) -> Any:
        output = forward(*inputs, **named)
        for name, value in output.items():
            if isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16:
                output[name] = value.float()
        return output

    return widened
