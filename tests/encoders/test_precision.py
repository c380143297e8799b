"""``auto`` follows the machine; torch is not asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from negbench.encoders import precision


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """Forget what was found of the machine, before and after."""
    for found in (precision.has_native_bfloat16, precision.ask_gpu):
        found.cache_clear()
    yield
    for found in (precision.has_native_bfloat16, precision.ask_gpu):
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
    ],
)
def test_auto(monkeypatch: pytest.MonkeyPatch, capability: str | None, flags: set[str], wanted: str) -> None:
    monkeypatch.setattr(precision, "ask_gpu", lambda field: capability if field == "compute_cap" else None)
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
