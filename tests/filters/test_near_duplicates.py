from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import candidate_pool

from negbench.filters.near_duplicates import WithoutNearDuplicates
from negbench.types import CandidatePool


def grouped(groups: list[list[int]], positive_groups: list[list[int]]) -> CandidatePool:
    """A pool whose candidates and positives belong to these groups, -1 where a list is over."""
    table, positives = np.array(groups, np.int32), np.array(positive_groups, np.int32)
    return candidate_pool(
        np.where(table >= 0, 1.0, np.nan),
        positives=np.where(positives >= 0, 1000, -1),
        positive_scores=np.where(positives >= 0, 1.0, np.nan),
        groups=table,
        positive_groups=positives,
    )


def kept(pool: CandidatePool) -> list[list[int]]:
    left = pool.without(WithoutNearDuplicates().reject(pool)).available()
    return [np.flatnonzero(row).tolist() for row in left]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]]]:
    count, depth, width = draw(st.integers(1, 3)), draw(st.integers(0, 8)), draw(st.integers(0, 3))

    def lists(size: int) -> list[list[int]]:
        rows = [draw(st.lists(st.integers(0, 5), max_size=size)) for _ in range(count)]
        return [row + [-1] * (size - len(row)) for row in rows]

    return lists(depth), lists(width)


@given(cases())
def test_one_of_each_text_is_kept_and_none_of_a_positive_s(case: tuple[list[list[int]], list[list[int]]]) -> None:
    expected = []
    for groups, positives in zip(*case, strict=True):
        said, row = {group for group in positives if group >= 0}, []
        for rank, group in enumerate(groups):
            if group >= 0 and group not in said:
                row.append(rank)
                said.add(group)
        expected.append(row)
    assert kept(grouped(*case)) == expected


@pytest.mark.parametrize("rank", [0, 2, 4])
def test_a_near_duplicate_of_a_positive_goes_at_any_rank(rank: int) -> None:
    groups = [9 if at == rank else at for at in range(5)]
    assert kept(grouped([groups], [[-1, 9]])) == [[at for at in range(5) if at != rank]]
