from __future__ import annotations

import math

import numpy as np
import pytest

from negbench.evaluation.geometry import alignment, neighbour_gap, uniformity, unit
from negbench.types import Qrels


def directions(count: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32))


def test_alignment_and_uniformity_are_their_definitions() -> None:
    q, d = directions(30, 0), directions(30, 1)
    assert alignment(q, d) == pytest.approx(
        np.mean([np.linalg.norm(a - b) ** 2 for a, b in zip(q, d, strict=True)]), rel=1e-5
    )
    pairs = [np.exp(-2 * np.linalg.norm(d[a] - d[b]) ** 2) for a in range(30) for b in range(a)]
    assert uniformity(d) == pytest.approx(math.log(np.mean(pairs)), rel=1e-4)


def test_the_ends_of_both_scales() -> None:
    q = directions(5, 0)
    assert alignment(q, q) == 0
    assert alignment(q, -q) == pytest.approx(4, rel=1e-5)
    assert uniformity(np.repeat(q[:1], 9, axis=0)) == pytest.approx(0, abs=1e-5)
    assert uniformity(directions(400, 2)) < uniformity(unit(directions(400, 2) + 2))
    assert math.isnan(alignment(q[:0], q[:0]))
    assert math.isnan(uniformity(q[:1]))


def test_the_gap_is_to_the_nearest_document_that_is_not_labelled() -> None:
    documents = directions(60, 3)
    documents[7] = unit((documents[4] + 0.01)[None])[0]  # the nearest to 4, but labelled for query 0
    queries = directions(2, 4)
    known = Qrels.of([(0, 4, 1), (0, 7, 1), (1, 9, 1)])
    rows, positives = known.queries, known.documents
    expected = []
    for row, positive in zip(rows.tolist(), positives.tolist(), strict=True):
        labelled = set(known.documents[known.queries == row].tolist())
        others = [at for at in range(60) if at not in labelled]
        nearest = max(others, key=lambda at: float(documents[at] @ documents[positive]))
        expected.append(float(queries[row] @ (documents[positive] - documents[nearest])))
    found = neighbour_gap(queries[rows], rows, positives, documents.astype(np.float32), known)
    assert found == pytest.approx(np.mean(expected), abs=1e-6)
    everything = Qrels.of([(0, at, 1) for at in range(60)])
    assert math.isnan(
        neighbour_gap(queries[:1], everything.queries[:1], everything.documents[:1], documents, everything)
    )


def test_vectors_of_length_zero_stay() -> None:
    assert unit(np.zeros((1, 3), np.float16)).tolist() == [[0, 0, 0]]
    np.testing.assert_allclose(np.linalg.norm(unit(5 * directions(4, 0)), axis=1), 1, rtol=1e-6)
