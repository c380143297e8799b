"""``auto`` follows the machine; torch is not asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from negbench.encoders import precision


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """Forget what was found of the machine, before and after."""
    asked = (precision.has_native_bfloat16, precision.ask_gpu, precision.torch_is_built_for_cuda, precision._nvidia_smi)
    for found in asked:
        found.cache_clear()
    yield
    for found in asked:
        found.cache_clear()


@pytest.mark.parametrize(
    ("capability", "flags", "wanted"),
    [
        (None, {"avx2"}, "float32"),
        (None, {"avx2", "avx512f"}, "float32"),
        (None, set(), "float32"),
        (None, {"avx512_bf16"}, "bfloat16"),
        (None, {"amx_bf16", "amx_tile"}, "bfloat16"),
        ("7.5", {"amx_bf16"}, "float32"),  # the GPU is what computes
        ("8.0", set(), "bfloat16"),
        ("9.0", {"avx2"}, "bfloat16"),
        ("12.0", {"avx2"}, "bfloat16"),
        ("ERR!", {"amx_bf16"}, "float32"),
    ],
)
def test_auto(monkeypatch: pytest.MonkeyPatch, capability: str | None, flags: set[str], wanted: str) -> None:
    monkeypatch.setattr(precision, "ask_gpu", lambda field: capability if field == "compute_cap" else None)
    monkeypatch.setattr(precision, "torch_is_built_for_cuda", lambda: True)
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset(flags))
    try:
        assert precision.resolve("auto") == wanted
    finally:
        monkeypatch.undo()


def test_what_is_said_outright_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda: pytest.fail("the machine was asked"))
    for name in ("float32", "bfloat16"):
        assert precision.resolve(name) == name
    monkeypatch.undo()


def test_anything_else_is_refused() -> None:
    with pytest.raises(ValueError, match="expected auto, float32 or bfloat16, found 'float16'"):
        precision.resolve("float16")


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_gpu_is_none(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert precision.ask_gpu("name") is None


GPUS = {"GPU-aaaa-1": "7.5", "GPU-bbbb-2": "9.0", "GPU-bbcc-3": "[N/A]"}
SLICES = """\
GPU 0: NVIDIA A100 (UUID: GPU-aaaa-1)
  MIG 1g.5gb Device 0: (UUID: MIG-1111-a)
GPU 1: NVIDIA H200 (UUID: GPU-bbbb-2)
  MIG 1g.18gb Device 0: (UUID: MIG-2222-b)
  MIG 1g.18gb Device 1: (UUID: MIG-3333-c)
""".splitlines()


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for nvidia-smi on a machine with three GPUs and a torch that uses them, beside a CPU with AMX."""

    def told(*arguments: str) -> list[str]:
        if arguments == ("-L",):
            return SLICES
        field = arguments[0].rpartition(",")[2]
        return [
            f"{index}, {uuid}, {capability if field == 'compute_cap' else uuid}"
            for index, (uuid, capability) in enumerate(GPUS.items())
        ]

    monkeypatch.setattr(precision, "_nvidia_smi", told)
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset({"amx_bf16"}))
    monkeypatch.setattr(precision, "torch_is_built_for_cuda", lambda: True)


@pytest.mark.parametrize(
    ("visible", "capability"),
    [
        (None, "7.5"),
        ("0", "7.5"),
        ("1", "9.0"),
        (" 1 ,0", "9.0"),
        ("GPU-bbbb-2", "9.0"),
        ("GPU-bbb", "9.0"),  # CUDA takes the beginning of a UUID
        ("MIG-GPU-bbbb-2/1/0", "9.0"),
        ("MIG-3333-c", "9.0"),
        ("MIG-1111-a", "7.5"),
        ("2", None),
        ("7", None),
        ("MIG-none", None),
    ],
)
def test_the_first_visible_gpu_is_asked(
    three_gpus: None, monkeypatch: pytest.MonkeyPatch, visible: str | None, capability: str | None
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert precision.ask_gpu("compute_cap") == capability


@pytest.mark.parametrize(
    ("visible", "wanted"),
    [("0", "float32"), ("1", "bfloat16"), ("2", "float32"), ("", "bfloat16")],
)
def test_auto_follows_the_visible_gpu(
    three_gpus: None, monkeypatch: pytest.MonkeyPatch, visible: str, wanted: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert precision.resolve("auto") == wanted


def test_a_torch_without_cuda_computes_on_the_cpu_whatever_gpu_is_there(
    three_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(precision, "torch_is_built_for_cuda", lambda: False)
    assert precision.resolve("auto") == "float32"


def test_what_torch_was_built_for_is_read_from_its_files() -> None:
    import torch

    assert precision.torch_is_built_for_cuda() == (torch.version.cuda is not None)


@pytest.mark.parametrize(
    ("line", "cuda"),
    [
        ("cuda: Optional[str] = None", False),
        ("cuda: Optional[str] = '12.8'", True),
        ('cuda = "11.8"', True),
        ("cuda = None", False),
        ("rocm: Optional[str] = '6.4'", False),
    ],
)
def test_versions_as_torch_writes_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, cuda: bool) -> None:
    (tmp_path / "version.py").write_text(f"__version__ = '3.0'\n{line}\nhip: Optional[str] = None\n")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(precision, "PathFinder", SimpleNamespace(find_spec=lambda name: spec))
    assert precision.torch_is_built_for_cuda() is cuda
