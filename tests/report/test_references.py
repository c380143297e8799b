"""Which references rank significantly better than a trained row, from differences by hand."""

from __future__ import annotations

import numpy as np
import pytest

from negbench.report.references import Reference, References
from negbench.report.rows import differences


def beside(**better: bool) -> References:
    values = {"untouched": 0.268, "bm25-search": 0.2237, "start": 0.101}
    found = [Reference(name, {"nDCG@10": value}, better.get(name[:4], False)) for name, value in values.items()]
    return References(measure="nDCG@10", split="test", quality=0.1045, found=tuple(found))


@pytest.mark.parametrize(
    ("better", "said"),
    [
        ({}, ""),
        (
            {"bm25": True},
            "0.1045 on test, significantly less than BM25 as the search engine (0.2237): use BM25 as the search engine",
        ),
        (
            {"bm25": True, "unto": True},
            "0.1045 on test, significantly less than the untouched model (0.2680) and BM25 as the search engine "
            "(0.2237): use the untouched model",
        ),
    ],
)
def test_the_best_of_the_better_ones_is_to_be_used(better: dict[str, bool], said: str) -> None:
    assert beside(**better).sentence == said


@pytest.mark.parametrize(
    ("own", "other", "wanted"),
    [
        ({0: 5.0, 1: 7.0}, {1: 4.0, 2: 1.0}, [3.0]),
        ({None: 5.0}, {1: 4.0, 2: 1.0}, [1.0, 4.0]),
        ({0: 5.0, 1: 7.0}, {None: 4.0}, [1.0, 3.0]),
        ({None: 5.0}, {None: 4.0}, [1.0]),
    ],
)
def test_differences_are_paired_by_seed(
    own: dict[int | None, float], other: dict[int | None, float], wanted: list[float]
) -> None:
    """Each value stands for that of both queries."""
    found = differences(*({seed: np.full(2, value) for seed, value in it.items()} for it in (own, other)))
    assert found is not None
    assert found.tolist() == [[value] * 2 for value in wanted]


def test_values_without_a_shared_seed_have_no_differences() -> None:
    assert differences({0: np.ones(2)}, {1: np.ones(2)}) is None
