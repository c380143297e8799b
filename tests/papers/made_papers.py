"""Papers written on the spot: their files, and samples whose means and variances are known in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from negbench.papers.samples import Sample
from negbench.types import Float64

PAPER = """\
title: How gardens grow
authors: Mint and Basil
year: 2020
arxiv: "2001.00001"
reported:
  table-1: {place: Table 1, data: Garden, metric: nDCG@10, values: {bm25: 0.5}}
"""
STATEMENT = "{{says: {says!r}, answers: table-1, differs: nothing, fair: true}}"


def write_paper(folder: Path, statements: dict[str, str], more: str = "", paper: str = PAPER) -> Path:
    """Write a paper whose statements are fair and differ in nothing; ``more`` are further keys of ``expect.yaml``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "paper.yaml").write_text(paper)
    said = "".join(f"  {name}: {STATEMENT.format(says=says)}\n" for name, says in statements.items())
    (folder / "expect.yaml").write_text(f"{more}statements:\n{said}")
    return folder


def additive(mean: float, of_seeds: Sequence[float], of_queries: Sequence[float]) -> Float64:
    """Return values [S, Q]: the mean, plus an effect of each seed and of each query, which both add up to 0."""
    seeds, queries = np.array(of_seeds), np.array(of_queries)
    assert abs(seeds.sum()) < 1e-12
    assert abs(queries.sum()) < 1e-12
    return np.asarray(mean + seeds[:, None] + queries[None, :], np.float64)


def sample(values: Float64, seeded: bool = True) -> Sample:
    """Return the sample of ``values`` [S, Q] over queries g/0, g/1, ..."""
    queries = tuple(f"g/{at}" for at in range(values.shape[1]))
    return Sample(values, queries, tuple(range(len(values))) if seeded else None)
