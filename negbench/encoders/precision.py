"""Choose the arithmetic by looking at the machine, without importing torch; narrow a model to it."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache, wraps
from importlib.machinery import PathFinder
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
    """Return whether the GPU (compute capability 8.0 or more) or, without one for torch, the CPU has bfloat16 units."""
    capability = _gpu_capability() if torch_is_built_for_cuda() else None
    if capability is not None:
        return capability >= 8.0
    flags = cpu_flags()
    return "amx_bf16" in flags or "avx512_bf16" in flags


@cache
def torch_is_built_for_cuda() -> bool:
    """Return whether the installed torch can use NVIDIA's GPUs, from its ``version.py``: importing it takes seconds."""
    spec = PathFinder.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    text = Path(spec.origin).with_name("version.py").read_text()
    return re.search(r"^cuda\b[^=]*= *['\"]", text, re.MULTILINE) is not None


def _gpu_capability() -> float | None:
    """Return the GPU's compute capability, 0 where it does not say; None where there is no GPU."""
    answer = ask_gpu("compute_cap")
    if answer is None:
        return None if ask_gpu("uuid") is None else 0.0
    try:
        return float(answer)
    except ValueError:
        return 0.0


@cache
def ask_gpu(field: str) -> str | None:
    """Return what nvidia-smi says of the first GPU in CUDA_VISIBLE_DEVICES, e.g. its ``name``.

    None where there is no GPU, or it does not say (``[N/A]``). Numbers are taken as nvidia-smi counts, which is as CUDA
    counts where all GPUs are alike, or with CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if chosen in ("", "-1"):
        return None
    if chosen.startswith("MIG-"):
        chosen = _gpu_of_slice(chosen)
    for line in _nvidia_smi(f"--query-gpu=index,uuid,{field}", "--format=csv,noheader"):
        index, uuid, value = (part.strip() for part in line.split(",", 2))
        if index == chosen or (chosen.startswith("GPU-") and uuid.startswith(chosen)):
            return None if value.startswith("[") else value
    return None


def _gpu_of_slice(name: str) -> str:
    """Return the UUID of the GPU that a MIG slice is part of; ``name`` is as in CUDA_VISIBLE_DEVICES."""
    if name.startswith("MIG-GPU-"):  # drivers before 470 name the GPU: MIG-GPU-<UUID>/<instance>/<instance>
        return name.removeprefix("MIG-").split("/")[0]
    gpu = ""
    for line in _nvidia_smi("-L"):  # a line a GPU, each followed by those of its slices
        uuid = line.rpartition("UUID: ")[2].rstrip(")")
        if uuid.startswith("GPU-"):
            gpu = uuid
        elif uuid.startswith(name):
            return gpu
    return name


@cache
def _nvidia_smi(*arguments: str) -> list[str]:
    """Return the lines that nvidia-smi prints; none without it or a GPU."""
    if not Path("/dev/nvidiactl").exists() or not shutil.which("nvidia-smi"):
        return []
    process = subprocess.run(["nvidia-smi", *arguments], capture_output=True, text=True, check=False)
    return process.stdout.splitlines() if process.returncode == 0 else []


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
    copied = copy.deepcopy(model)
    narrow(copied)
    return copied


def narrow(model: nn.Module) -> None:
    """Make the weights of a model's transformers bfloat16, and let them hand on float32."""
    for base in _bases(model):
        base.bfloat16()
        base.forward = _widened(base.forward)  # not a hook: sentence-transformers calls forward itself


def widen(model: nn.Module) -> None:
    """Undo ``narrow``, where it was done; the weights keep the values that bfloat16 has for them."""
    for base in _bases(model):
        base.float()
        vars(base).pop("forward", None)


def _bases(model: nn.Module) -> list[Any]:
    from transformers import PreTrainedModel

    return [*{id(m.base_model): m.base_model for m in model.modules() if isinstance(m, PreTrainedModel)}.values()]


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
