from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from negbench.evaluation.gradient import Batch, on_false_negatives, pull
from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.registry import registered
from negbench.requirements import (
    AverageTargets,
    CacheTargets,
    GeneratedPairs,
    GuideTargets,
    LexicalTargets,
    PairNoise,
    PairTarget,
    TeacherMatch,
    TeacherTargets,
)
from negbench.types import Qrels

TRUTH = Qrels.of([(q, d, 1) for q in range(6) for d in range(20) if (3 * q + d) % 5 == 0])


def batches(seed: int, count: int = 4, rows: int = 5, documents: int = 9) -> Iterator[Batch]:
    """Scores of random vectors; a row has a target, sometimes another positive, and some negatives of its own."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        target = random.integers(0, documents, rows)
        relevant = random.random((rows, documents)) < 0.1
        relevant[np.arange(rows), target] = True
        own = ~relevant & (random.random((rows, documents)) < 0.35)
        scores = random.uniform(-1, 1, (rows, documents)).astype(np.float32)
        beside, targets, guide = random.random((3, rows, documents)).astype(np.float32)
        pairs: dict[type[PairTarget], torch.Tensor] = {}
        for kind in (TeacherTargets, LexicalTargets, AverageTargets, CacheTargets, TeacherMatch, PairNoise):
            pairs[kind] = torch.from_numpy(targets)
        yield Batch(
            random.integers(0, 6, rows).astype(np.int32),
            np.sort(random.choice(20, documents, replace=False)).astype(np.int32),
            ScoredBatch(
                scores=torch.from_numpy(scores),
                positive_column=torch.from_numpy(target),
                known_mask=torch.from_numpy(relevant),
                mined_mask=torch.from_numpy(own),
                positive_similarity=torch.from_numpy(beside),
                query_similarity=torch.from_numpy(random.uniform(-1, 1, (rows, rows)).astype(np.float32)),
                targets={
                    **pairs,
                    GuideTargets: torch.from_numpy(guide),
                    GeneratedPairs: torch.from_numpy((targets > 0.5).astype(np.float32)),
                },
                query_vectors=torch.from_numpy(random.standard_normal((rows, 16)).astype(np.float32)),
                document_vectors=torch.from_numpy(random.standard_normal((documents, 16)).astype(np.float32)),
            ),
            torch.from_numpy(random.choice([0.5, 1.0], rows).astype(np.float32)),
        )


def softmax_pull(batch: Batch, temperature: float) -> Any:
    """InfoNCE's gradient in closed form: p / temperature for a negative, (1 - p) / temperature for the target."""
    scored, weights = batch.scored, batch.weights.numpy().astype(np.float64)
    found = np.zeros(tuple(scored.scores.shape))
    for row, target in enumerate(scored.positive_column.tolist()):
        there = ~scored.known_mask[row].numpy()
        there[target] = True
        powers = np.where(there, np.exp(scored.scores[row].numpy().astype(np.float64) / temperature), 0)
        found[row] = powers / powers.sum()
        found[row, target] = 1 - found[row, target]
        found[row] *= weights[row] / weights.sum() / temperature
    return found


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_infonce_pushes_by_the_softmax(temperature: float) -> None:
    for batch in batches(0):
        found = pull(InfoNCE(temperature=temperature), batch)
        np.testing.assert_allclose(found, softmax_pull(batch, temperature), rtol=1e-4, atol=1e-6)


def test_the_shares_are_those_of_a_sum_one_by_one() -> None:
    loss = InfoNCE()
    relevant = set(zip(TRUTH.queries.tolist(), TRUTH.documents.tolist(), strict=True))
    wanted: dict[str, list[float]] = {"mined": [0.0] * 4, "in-batch": [0.0] * 4}
    pairs: dict[str, list[tuple[int, int]]] = {"mined": [], "in-batch": []}
    for batch in batches(1):
        pulled = softmax_pull(batch, loss.temperature)
        for row, column in np.ndindex(pulled.shape):
            if batch.scored.known_mask[row, column]:
                continue
            kind = "mined" if batch.scored.mined_mask[row, column] else "in-batch"
            pair = int(batch.queries[row]), int(batch.documents[column])
            pairs[kind].append(pair)
            false, weight = pair in relevant, float(batch.weights[row])
            for at, value in enumerate((pulled[row, column], weight)):
                wanted[kind][2 * at] += value * false
                wanted[kind][2 * at + 1] += value
    found = on_false_negatives(loss, batches(1), TRUTH)
    assert set(found) == {"mined", "in-batch"}
    for kind, share in found.items():
        false_pull, all_pull, false, everything = wanted[kind]
        rate, low, high = share.interval()
        assert rate == pytest.approx(false_pull / all_pull, rel=1e-4)
        assert low <= rate <= high
        assert share.reference == pytest.approx(false / everything)
        units = len(set(pairs[kind])) if kind == "mined" else len(pairs[kind])
        assert share.clusters[1].sum() == pytest.approx(units)


@pytest.mark.parametrize("kind", registered("loss").values(), ids=list(registered("loss")))
def test_every_loss_can_be_weighed(kind: type[Loss]) -> None:
    loss = kind()
    for batch in batches(2):
        if loss.stops_gradient:  # and moves in a difference
            continue
        scores = batch.scored.scores.double()
        step, found = 1e-3, pull(loss, batch)
        for row, column in ((0, 0), (1, 4), (4, 8)):
            values = []
            for sign in (1, -1):
                moved = scores.clone()
                moved[row, column] += sign * step
                values.append(float(loss.mean(replace(batch.scored, scores=moved), batch.weights.double())))
            assert found[row, column] == pytest.approx(abs(values[0] - values[1]) / (2 * step), rel=1e-2, abs=1e-5)
    shares = on_false_negatives(loss, batches(2), TRUTH)
    assert all(0 <= share.interval()[0] <= 1 for share in shares.values())


def test_a_kind_that_nothing_falls_on_is_left_out() -> None:
    def without_own() -> Iterator[Batch]:
        for batch in batches(3):
            scored = batch.scored
            own = torch.zeros_like(scored.mined_mask)
            yield Batch(
                batch.queries,
                batch.documents,
                ScoredBatch(
                    scores=scored.scores,
                    positive_column=scored.positive_column,
                    known_mask=scored.known_mask,
                    mined_mask=own,
                ),
                batch.weights,
            )

    assert set(on_false_negatives(InfoNCE(), without_own(), TRUTH)) == {"in-batch"}
    assert on_false_negatives(InfoNCE(), iter(()), TRUTH) == {}
