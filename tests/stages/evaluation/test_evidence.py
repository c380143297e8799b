"""What estimators are told: the judge's and the held-out pass's part of a grid, end to end on a made help centre."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from negbench.config.grid import read
from negbench.errors import InputError
from negbench.plan.trials import Trial, trials
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.stages.inputs import read_collection
from negbench.store import Store, ancestors, load_arrays
from negbench.types import Negatives

GRID = """
name: estimated
collection: "helpdesk(articles=150, queries=40, dev=4, test=4)"
encoder: "{encoder}"
methods: [in-batch, bm25, "rank-band(low=2, high=12)"]
judge: "bi-encoder(model={encoder}, max_length=32)"
held_out: 0.5
negatives: 3
train: {{max_length: 32, batch_size: 8}}
"""


@pytest.fixture
def counted(tmp_path: Path, tiny_encoder: Path) -> tuple[Store, dict[str, Trial]]:
    """The grid's counts, without any training."""
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.format(encoder=tiny_encoder))
    found = {trial.method: trial for trial in trials(read(path))}
    store = Store(tmp_path / "store")
    for method in ("in-batch", "bm25", "rank-band"):
        for stage in (stage for count in found[method].counts for stage in ancestors(count)):
            store.ensure(stage)
    return store, found


def test_every_estimator_says_what_it_can(counted: tuple[Store, dict[str, Trial]]) -> None:
    store, found = counted

    def rates(method: str) -> dict[str, dict[str, object]]:
        return read_rates(found[method].counts, store.path)

    assert set(rates("in-batch")) == {"exact/in-batch"}
    for method in ("bm25", "rank-band"):
        assert {"exact", "held-out", "held-out/natural", "propensity", "judge/index", "mixture"} <= set(rates(method))
        assert rates(method)["judge/index"]["low"] is None
        assert "not identified" in str(rates(method)["propensity"]["note"])


def test_the_held_out_pass_counts_hidden_labels_alone(counted: tuple[Store, dict[str, Trial]]) -> None:
    store, found = counted
    (count,) = (it for it in found["bm25"].estimates if it.estimator.name == "held-out")
    assert count.held_out is not None
    full = read_collection(store.path(count.sequence.collection)).qrels["train"]
    thinned = read_collection(store.path(count.held_out.pool.collection)).qrels["train"]
    drawn = load_arrays(Negatives, store.path(count.held_out))
    shown = set(zip(thinned.queries.tolist(), thinned.documents.tolist(), strict=True))
    labels = set(zip(full.queries.tolist(), full.documents.tolist(), strict=True))
    rows = {query: sum(query == other for other, _ in labels) for query in drawn.queries.tolist()}
    hits = total = 0
    for query, documents in zip(drawn.queries.tolist(), drawn.documents.tolist(), strict=True):
        hits += rows[query] * sum((query, it) in labels - shown for it in documents)
        total += rows[query] * sum(it >= 0 for it in documents)
    rates = read_rates([count], store.path)
    assert 0 < hits < total
    assert rates["held-out"]["rate"] == pytest.approx(hits / total)


def test_the_judge_s_index_is_the_mean_of_its_scores_over_distinct_pairs(
    counted: tuple[Store, dict[str, Trial]],
) -> None:
    store, found = counted
    (count,) = (it for it in found["rank-band"].estimates if it.estimator.name == "judge")
    assert count.judging is not None
    drawn = load_arrays(Negatives, store.path(count.judging.negatives))
    scores = np.load(store.path(count.judging) / "scores.npy")
    qrels = read_collection(store.path(count.sequence.collection)).qrels["train"]
    weights = np.array([(qrels.queries == query).sum() for query in drawn.queries])
    rates = read_rates([count], store.path)
    wanted = (weights[:, None] * scores).sum() / (weights.sum() * scores.shape[1])
    assert rates["judge/index"]["rate"] == pytest.approx(wanted, rel=1e-5)


def test_a_bi_encoder_judges_from_vectors_that_all_trials_share_and_is_not_charged_to_methods(
    counted: tuple[Store, dict[str, Trial]],
) -> None:
    store, found = counted
    stages = [
        it.judging for method in ("bm25", "rank-band") for it in found[method].estimates if it.judging is not None
    ]
    assert len({stage.key for judging in stages for stage in judging.vectors or ()}) == 2  # documents and queries
    judging = stages[0]
    drawn = load_arrays(Negatives, store.path(judging.negatives))
    collection = read_collection(store.path(judging.negatives.pool.collection))
    passages = collection.passages()
    pairs = [
        (collection.queries[query], passages[document])
        for query, documents in zip(drawn.queries.tolist(), drawn.documents.tolist(), strict=True)
        for document in documents
    ]
    scores = np.load(store.path(judging) / "scores.npy")
    alone = judging.judge.score(pairs, None, judging.precision).reshape(scores.shape)
    np.testing.assert_allclose(scores, alone, atol=1e-4)  # stored vectors have half precision
    charged = {stage.key for stage in found["bm25"].costed_stages}
    assert not charged & {stage.key for stage in (judging, *(judging.vectors or ()))}


def test_a_judge_may_not_be_the_teacher(tmp_path: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "grid.yaml"
    text = GRID.replace("bm25,", 'bm25, "denoised(teacher=bi-encoder(model={encoder}))",')
    path.write_text(text.format(encoder=tiny_encoder))
    with pytest.raises(InputError, match="cannot judge how many are false"):
        trials(read(path))


def test_a_judge_is_not_trained_here(tmp_path: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(
        GRID.replace('"bi-encoder(model={encoder}, max_length=32)"', "trained-cross-encoder").format(
            encoder=tiny_encoder
        )
    )
    with pytest.raises(InputError, match="a judge must be a given model"):
        read(path)
