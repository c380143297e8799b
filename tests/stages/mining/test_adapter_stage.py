"""The adapter of a method's candidates: by which vectors, and where there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from negbench.config.grid import read
from negbench.plan.trials import trials
from negbench.stages.inputs import read_collection, read_vectors
from negbench.stages.mining.pool_features import FitAdapter
from negbench.store import Store, ancestors, load_arrays
from negbench.training import adapter
from negbench.training.teacher import fold_of
from negbench.types import CandidatePool

GRID = """
name: adapted
collection: {collection}
encoder: {encoder}
methods: ["{method}"]
negatives: 2
train: {{batch_size: 8, max_length: 32, precision: float32}}
"""


def test_it_reads_the_vectors_that_find_candidates(tmp_path: Path, tiny_collection: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.format(collection=tiny_collection, encoder=tiny_encoder, method="rrra(depth=12)"))
    stages = [stage for trial in trials(read(path)) if trial.training for stage in ancestors(trial.training.mined)]
    (stage,) = {stage.key: stage for stage in stages if isinstance(stage, FitAdapter)}.values()
    store = Store(tmp_path / "store")
    store.ensure(stage)
    pool = load_arrays(CandidatePool, store.path(stage.pool))
    collection = read_collection(store.path(stage.pool.collection))
    queries, documents = read_vectors(store.path(stage.queries)), read_vectors(store.path(stage.documents))
    rows, ranks = np.nonzero(pool.documents >= 0)
    products = (queries[rows] * documents[pool.documents[rows, ranks]]).sum(axis=1)
    np.testing.assert_allclose(products, pool.scores[rows, ranks], atol=1e-5)  # so rows belong together
    fold = fold_of([collection.queries[row] for row in pool.queries], 2)
    assert 0 < fold.sum() < len(fold)
    found = stage.read(store.path(stage), pool).candidates
    np.testing.assert_array_equal(found, adapter.relevance(pool, queries, documents, fold))
    assert 0 < np.nanmin(found) < np.nanmax(found) < 1


def test_candidates_found_without_vectors_are_refused(
    tmp_path: Path, tiny_collection: Path, tiny_encoder: Path, negbench: Callable[..., Any]
) -> None:
    text = GRID.format(collection=tiny_collection, encoder=tiny_encoder, method="rrra(candidates=bm25)")
    (tmp_path / "grid.yaml").write_text(text)
    done = negbench("plan", "grid.yaml", cwd=tmp_path)
    assert done.code == 2
    assert "bm25 finds candidates without the vectors that an adapter reads; give candidates=dense" in done.err
    assert len(done.err.strip().splitlines()) == 1
