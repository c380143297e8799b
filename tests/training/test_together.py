"""What processes do for one another, with a matrix for an encoder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from negbench.errors import InputError
from negbench.training import processes
from negbench.training.processes import ProcessGroup, started

LENGTHS = (3, 2)
"""Of the chunks: one less than there are processes."""


def work(process_group: ProcessGroup, folder: Path) -> dict[str, Any]:
    """Encode two chunks with two of three matrices, all vectors weighing on one another; return what came of it."""
    torch.manual_seed(0)
    weights = torch.nn.ParameterList(torch.randn(4, 4) for _ in range(3))
    chunks = [{"input": torch.randn(length, 4)} for length in LENGTHS]
    encoded: list[int] = []

    def encode(chunk: dict[str, torch.Tensor]) -> torch.Tensor:
        encoded.append(len(chunk["input"]))
        return torch.tanh(chunk["input"] @ weights[encoded[-1] - 2])

    vectors = torch.cat(process_group.encoded(chunks, encode, 4))
    (vectors @ vectors.T).softmax(1).square().sum().backward()
    process_group.sum_gradients(weights)
    told = process_group.from_first(
        make=lambda: f"rows from {process_group.rank}",
        write=lambda line, place: (place / "line").write_text(line) and None,
        read=lambda place: (place / "line").read_text(),
        folder=folder / "told",
    )
    grads = [weight.grad for weight in weights]
    return {"vectors": vectors.detach(), "gradients": grads, "encoded": encoded, "told": told}


def help_with(process_group: ProcessGroup, folder: Path) -> None:
    found = work(process_group, folder)
    assert found["told"] == "rows from 0"
    assert "LOCAL_RANK" not in os.environ
    text = repr((found["encoded"], [None if it is None else it.tolist() for it in found["gradients"]]))
    (folder / f"{process_group.rank}.txt").write_text(text)


def test_the_gradients_are_those_of_one_process(tmp_path: Path) -> None:
    """The third process has nothing to encode, and one of the matrices is not used by any."""
    alone = work(ProcessGroup(), tmp_path)
    threads = torch.get_num_threads()
    with started(3, tmp_path, help_with) as process_group:
        assert (process_group.rank, process_group.size) == (0, 3)
        assert torch.get_num_threads() == max(1, threads // 3)
        found = work(process_group, tmp_path)
        assert not (tmp_path / "told").exists()
    assert torch.get_num_threads() == threads
    assert not torch.distributed.is_initialized()
    assert alone["encoded"] == list(LENGTHS)
    assert found["encoded"] == [3]
    torch.testing.assert_close(found["vectors"], alone["vectors"])
    *used, unused = found["gradients"]
    for mine, wanted in zip(used, alone["gradients"], strict=False):
        torch.testing.assert_close(mine, wanted)
    assert unused is None
    same = [it.tolist() for it in used]
    for rank, encoded in ((1, [2]), (2, [])):
        assert (tmp_path / f"{rank}.txt").read_text() == repr((encoded, [*same, None]))


def test_gradients_go_together_by_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "BUCKET", 6)
    sizes = [(4, torch.float32), (1, torch.float32), (9, torch.float32), (1, torch.float32), (2, torch.bfloat16)]
    gradients = [torch.zeros(size, dtype=kind) for size, kind in sizes]
    buckets = [[len(gradient) for gradient in bucket] for bucket in processes._buckets(gradients)]
    assert buckets == [[4, 1, 9], [1], [2]]
    assert list(processes._buckets([])) == []


def fail(process_group: ProcessGroup, folder: Path) -> None:
    if process_group.rank == 2:
        raise ValueError(f"no water in {process_group.rank}")
    work(process_group, folder)


def test_what_another_process_fails_of_is_said(tmp_path: Path) -> None:
    """Not what the others say when it is gone."""
    with (
        pytest.raises(RuntimeError, match=r"^process 3 of 3 failed: ValueError: no water in 2$"),
        started(3, tmp_path, fail) as process_group,
    ):
        work(process_group, tmp_path)


def test_what_the_first_fails_of_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^no light$"), started(2, tmp_path, fail):
        raise RuntimeError("no light")


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with (
        pytest.raises(InputError, match=r"^train\.processes is 3, but 2 GPUs are here, and each takes one; ask for fe"),
        started(3, tmp_path, fail),
    ):
        raise AssertionError


def test_each_draws_masks_of_its_own() -> None:
    seeds = {ProcessGroup(rank, 4).seed(seed) for rank in range(4) for seed in range(3)}
    assert len(seeds) == 12
    assert [ProcessGroup(0, 4).seed(seed) for seed in range(3)] == [0, 1, 2]
    assert max(seeds) < 2**32  # numpy's limit


@pytest.mark.parametrize(
    ("visible", "names"), [("3, 1", ["3", "1"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"]), (None, ["0", "1"])]
)
def test_each_process_gets_a_gpu_of_those_that_are_visible(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, names: list[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert processes._devices(2) == names
