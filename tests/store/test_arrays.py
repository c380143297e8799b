"""Records of arrays in the store: bit for bit, mapped or read, and never an object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from pools import candidate_pool

from negbench.store import Stage, Store, load_arrays, save_arrays
from negbench.types import CandidatePool, Negatives


def pool(excluded: np.ndarray | None) -> CandidatePool:
    draw = np.random.default_rng(0)
    return candidate_pool(
        [[1, np.nan, np.inf, -0.0]] * 3,
        documents=draw.integers(0, 9, (3, 4)),
        known=draw.random((3, 4)) > 0.5,
        query_keys=np.array([0, 1, 2**64 - 1], np.uint64),
        document_keys=np.full((3, 4), 2**63, np.uint64),
        excluded=excluded,
        recall=0.1 + 0.2,
    )


@pytest.mark.parametrize("excluded", [None, np.full((3, 4), 1, np.bool_)])
def test_arrays_come_back_bit_for_bit(tmp_path: Path, excluded: np.ndarray | None) -> None:
    made = pool(excluded)
    save_arrays(made, tmp_path)
    found = load_arrays(CandidatePool, tmp_path)
    for name in CandidatePool.__dataclass_fields__:
        before, after = getattr(made, name), getattr(found, name)
        if isinstance(before, np.ndarray):
            assert (after.dtype, after.shape, after.tobytes()) == (before.dtype, before.shape, before.tobytes()), name
        else:
            assert after == before, name


def test_mapped_arrays_are_those_of_the_files(tmp_path: Path) -> None:
    """Also empty ones; and nobody writes to the artifact by writing to them."""
    save_arrays(pool(None), tmp_path)
    read, mapped = (load_arrays(CandidatePool, tmp_path, mapped=it) for it in (False, True))
    tables = 0
    for name in CandidatePool.__dataclass_fields__:
        one, other = getattr(read, name), getattr(mapped, name)
        if not isinstance(one, np.ndarray):
            assert one == other, name
            continue
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes()), name
        assert one.flags.writeable
        assert not other.flags.writeable
        tables += 1
    assert tables >= 8
    np.save(tmp_path / "queries.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="object"):
        load_arrays(CandidatePool, tmp_path, mapped=True)


def test_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    """An array of objects would be a pickle, and a pickle runs code."""
    odd = Negatives(**{name: np.array([{"a": 1}], dtype=object) for name in Negatives.__dataclass_fields__})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(odd, tmp_path)
    save_arrays(pool(None), tmp_path)
    np.save(tmp_path / "queries.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        load_arrays(CandidatePool, tmp_path)


def test_a_stage_s_arrays_are_loaded_by_it(tmp_path: Path) -> None:
    @dataclass(frozen=True, eq=False)
    class Pool(Stage):
        kind: ClassVar[str] = "pool"

        def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
            save_arrays(pool(None), out)
            return {}

    store = Store(tmp_path)
    store.ensure(Pool())
    assert store.load(CandidatePool, Pool()).query_keys.tolist() == [0, 1, 2**64 - 1]
