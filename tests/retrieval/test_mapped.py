"""Vectors in a file: what a search has read is given back, and its memory has a bound."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench.errors import InputError
from negbench.retrieval import blocks, dense
from negbench.retrieval.blocks import pair_scores, refuse_overflow
from negbench.retrieval.dense import exact
from negbench.retrieval.mapped import release
from negbench.retrieval.topk import Best

WIDTH, BLOCK = 64, 2**20


def _whole(count: int, seed: int) -> np.ndarray:
    """Whole numbers make products exact in any order of summation, and many of them tie."""
    return np.random.default_rng(seed).integers(-2, 3, (count, WIDTH)).astype(np.float32)


def _resident(path: Path) -> int:
    """Return the bytes of a mapped file that are in this process's memory, as Linux counts them."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0] and not line.split()[0].endswith(":"):
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    """160,000 vectors, 41 MB."""
    np.save(tmp_path / "vectors.npy", _whole(160_000, 0))
    return np.load(tmp_path / "vectors.npy", mmap_mode="r")  # type: ignore[no-any-return]


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux does")
def test_a_search_keeps_no_more_of_a_file_than_a_block(
    mapped: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, queries, seen = tmp_path / "vectors.npy", _whole(30, 1), []
    offer = Best.offer

    def watched(self: Any, *given: Any) -> None:
        if given[1] % 40_960 == 0:  # of the documents' blocks every fortieth
            seen.append(_resident(path))
        offer(self, *given)

    monkeypatch.setattr(Best, "offer", watched)
    monkeypatch.setattr(blocks, "_LARGE_MAP", 2**20)
    np.asarray(mapped).sum()
    assert _resident(path) >= mapped.nbytes
    refuse_overflow(queries, mapped, BLOCK)
    assert _resident(path) <= 2**22
    rows, scores = exact(queries, mapped, 10, BLOCK)
    assert len(seen) > 2
    assert max(seen) <= 2**23, "more than a block, and what Linux maps around it"
    positives = np.arange(0, 160_000, 160, dtype=np.int32).reshape(1, -1).repeat(30, axis=0)
    pair_scores(queries, mapped, positives, BLOCK)
    assert _resident(path) <= 2**22
    held = exact(queries, np.array(mapped), 10, BLOCK)
    np.testing.assert_array_equal(rows, held[0])
    np.testing.assert_array_equal(scores, held[1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_was_released_is_read_again(dtype: type, tmp_path: Path) -> None:
    wanted = _whole(3_000, 2).astype(dtype)
    np.save(tmp_path / "v.npy", wanted)
    found = np.load(tmp_path / "v.npy", mmap_mode="r")
    for first, last in ((0, None), (1, 2_999), (2_999, 5_000), (7, 7), (3_000, 4_000)):
        release(found, first, last)
        np.testing.assert_array_equal(found, wanted)


def test_nothing_that_was_written_is_lost(tmp_path: Path) -> None:
    """Only a map that nobody can write to is given back."""
    np.save(tmp_path / "v.npy", _whole(3_000, 2))
    private = np.load(tmp_path / "v.npy", mmap_mode="c")
    private[5] = 7
    for other in (private, private[3:], np.array(private)):
        release(other)
    assert (private[5] == 7).all()


def test_queries_that_do_not_fit_are_searched_for_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, documents = _whole(50, 3), np.tile(_whole(400, 4), (3, 1))
    wanted = exact(queries, documents, 20)
    passes: list[int] = []
    in_blocks = blocks.in_blocks
    monkeypatch.setattr(
        dense,
        "in_blocks",
        lambda *given: passes.append(len(given[0])) or in_blocks(*given),  # type: ignore[func-returns-value]
    )
    monkeypatch.setenv("NEGBENCH_SEARCH_GB", str(12 * (64 * 46 + 8 * WIDTH) / 1e9))
    found = exact(queries, documents, 20)
    assert passes == [12, 12, 12, 12, 2]
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])


@pytest.mark.parametrize("asked", ["much", "0", "-1", "nan", "inf"])
def test_memory_that_is_no_amount_is_refused(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGBENCH_SEARCH_GB", asked)
    with pytest.raises(InputError, match="NEGBENCH_SEARCH_GB: expected a number of GB above 0"):
        exact(_whole(2, 0), _whole(2, 1), 1)
