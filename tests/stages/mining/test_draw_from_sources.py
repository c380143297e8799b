"""Negatives from several pools: drawn, located and counted as a brute-force reading of the rule says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_grids import plan
from pools import candidate_pool
from scipy.stats import chisquare

from negbench import mining
from negbench.errors import InputError
from negbench.evaluation.false_negatives.mixture import Mixture
from negbench.mining import Rules
from negbench.plan.trials import Trial
from negbench.samplers.top import Top
from negbench.samplers.uniform import Uniform
from negbench.stages.evaluation import breakdown_files, estimator_inputs
from negbench.stages.inputs import read_collection
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.mining.sources import DrawFromSources
from negbench.store import Store
from negbench.types import CandidatePool, Collection, Negatives

MARGIN = {"filters": ["margin(margin=0.02)"]}


def trial(folder: Path, encoder: Path, **changes: Any) -> Trial:
    method = {"candidates": ["bm25(share=0.6)", "dense(share=0.4)"], **changes}
    (found,) = plan(folder, encoder, [{"bm25": method}], negatives=5)
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("sources") / "store")


def made(store: Store, found: Trial) -> tuple[DrawFromSources, Negatives, Collection, list[CandidatePool]]:
    stage = found.negatives
    assert isinstance(stage, DrawFromSources)
    store.ensure(stage)
    pools = [store.load(CandidatePool, draw.pool) for draw in stage.draws]
    return stage, store.load(Negatives, stage), read_collection(store.path(stage.pool.collection)), pools


def passing(pool: CandidatePool, query: int, margin: float | None) -> list[int]:
    """Documents that a margin of the pool's own scores leaves, in order."""
    scores, known = pool.scores[query].tolist(), pool.known[query].tolist()
    positives = [score for score in pool.positive_scores[query].tolist() if score == score]
    limit = min(positives) - margin * abs(min(positives)) if positives and margin is not None else np.inf
    rows = zip(pool.documents[query].tolist(), scores, known, strict=True)
    return [row for row, score, is_known in rows if row >= 0 and not is_known and score <= limit]


@pytest.mark.parametrize("filters", [{}, MARGIN])
@pytest.mark.parametrize("fill", ["corpus", "drop"])
def test_each_source_gives_its_hardest_that_the_ones_before_did_not(
    filters: dict[str, Any], fill: str, store: Store, tiny_encoder: Path, tmp_path: Path
) -> None:
    stage, drawn, _, pools = made(store, trial(tmp_path, tiny_encoder, **filters, fill=fill))
    assert [draw.k for draw in stage.draws] == [3, 2]
    assert (drawn.epochs, drawn.width) == (3, 5)
    margin = 0.02 if filters else None
    short = 0
    for query in range(len(drawn.queries)):
        first, second = (passing(pool, query, margin) for pool in pools)
        for epoch in range(3):
            got = drawn.of_epoch(epoch)
            row, origins = got.documents[query].tolist(), got.origins[query].tolist()
            of_first = first[:3]
            if fill == "drop":
                of_second = [it for it in second if it not in of_first][:2]
                whole = len(of_first) == 3 and len(of_second) == 2
                short += not whole
                assert row == ([*of_first, *of_second] if whole else [-1] * 5)
                assert origins == [0] * 5
                continue
            of_second = [it for it in second if it not in row[:3]][:2]  # random fill of the first source counts
            assert row[: len(of_first)] == of_first
            assert row[3 : 3 + len(of_second)] == of_second
            assert origins == [int(n >= len(of_first)) for n in range(3)] + [int(n >= len(of_second)) for n in range(2)]
            short += sum(origins) > 0
        if fill == "corpus":
            assert len({*drawn.of_epoch(0).documents[query].tolist()}) == 5
    assert bool(short) == bool(filters)


def test_the_first_source_draws_what_it_draws_alone(store: Store, tiny_encoder: Path, tmp_path: Path) -> None:
    _, drawn, _, _ = made(store, trial(tmp_path, tiny_encoder, selection="uniform(depth=20)"))
    (alone,) = plan(tmp_path, tiny_encoder, ["bm25(selection=uniform(depth=20))"], negatives=3)
    assert isinstance(alone.negatives, DrawNegatives)
    store.ensure(alone.negatives)
    single = store.load(Negatives, alone.negatives)
    for epoch in range(3):
        assert (drawn.of_epoch(epoch).documents[:, :3] == single.of_epoch(epoch).documents).all()


def test_negatives_are_located_in_their_own_pools(store: Store, tiny_encoder: Path, tmp_path: Path) -> None:
    stage, drawn, _, pools = made(store, trial(tmp_path, tiny_encoder, **MARGIN))
    located = stage.located(store.path)
    assert located.sources is not None
    for query in range(len(drawn.queries)):
        for column in range(15):
            source = int(column % 5 >= 3)
            pool, document = pools[source], int(drawn.documents[query, column])
            if drawn.origins[query, column]:
                assert located.sources[query, column] == 2
                assert located.ranks[query, column] == -1
                continue
            rank = pool.documents[query].tolist().index(document)
            assert (located.ranks[query, column], located.sources[query, column]) == (rank, source)
            assert drawn.scores[query, column] == pool.scores[query, rank]
            scores = pool.scores[query][pool.documents[query] >= 0].astype(float)
            lowest = min([it for it in pool.positive_scores[query].tolist() if it == it], default=np.nan)
            assert located.positives[query, column] == pytest.approx(lowest, nan_ok=True)
            gap = (lowest - scores[rank]) / scores.std()
            assert located.gaps[query, column] == pytest.approx(gap, rel=0.05, nan_ok=True)


def test_rates_by_source_are_those_counted_by_hand(store: Store, tiny_encoder: Path, tmp_path: Path) -> None:
    found = trial(tmp_path, tiny_encoder, **MARGIN)
    _, drawn, collection, _ = made(store, found)
    (located,) = [it for it in found.breakdowns if it.kind == "where"]
    store.ensure(located)
    shares = breakdown_files.read(store.path(located))["source"]
    assert list(shares) == ["bm25", "dense", "filled"]
    labels = collection.qrels["train"].at_least(1)
    truth = collection.truth["train"].at_least(1)
    counts = {name: np.zeros(2) for name in shares}
    for query in labels.queries.tolist():  # a training row for each label
        at = drawn.queries.tolist().index(query)
        for column, document in enumerate(drawn.documents[at].tolist()):
            name = "filled" if drawn.origins[at, column] else ("bm25" if column % 5 < 3 else "dense")
            hit = bool(truth.contains(np.array([query]), np.array([document]))[0])
            counts[name] += [hit, 1]
    everything = sum(count[1] for count in counts.values())
    for name, share in shares.items():
        hits, total = share.clusters.sum(axis=1)
        assert hits / total == pytest.approx(counts[name][0] / counts[name][1])
        assert share.reference == pytest.approx(counts[name][1] / everything)


def test_no_estimator_gets_distances_of_several_pools_on_one_scale(
    store: Store, tiny_encoder: Path, tmp_path: Path
) -> None:
    found = trial(tmp_path, tiny_encoder, **MARGIN)
    stage, _, collection, _ = made(store, found)
    assert found.sequence is not None
    replay = found.sequence.replay(store.path, collection)
    seen = np.concatenate(replay.batches)
    plain = estimator_inputs.training_negatives(replay.data, seen, collection, "train")
    negatives = estimator_inputs.add(plain, store.path, stage, None, None)
    assert negatives.pairs is not None
    assert np.isfinite(negatives.pairs.scores).any()
    assert Mixture().estimate(negatives) == {}
    assert negatives.labelled is None  # labels have a rank in each pool


def test_a_teacher_s_scores_are_those_of_each_pool(store: Store, tiny_encoder: Path, tmp_path: Path) -> None:
    teacher = f"bi-encoder(model={tiny_encoder})"
    rule = f"margin(margin=0.001, teacher={teacher}, teacher_depth=30)"
    stage, drawn, _, pools = made(store, trial(tmp_path, tiny_encoder, filters=[rule]))
    scores = stage.teacher_scores(store.path, drawn)
    assert scores is not None
    tables = [np.load(store.path(draw.features[0]) / "candidates.npy") for draw in stage.draws]
    for query in range(len(drawn.queries)):
        for column in range(15):
            rank, source = int(drawn.ranks[query, column]), int(column % 5 >= 3)
            expected = tables[source][query, rank] if rank >= 0 else np.nan
            assert scores[query, column] == pytest.approx(expected, nan_ok=True)
    assert (drawn.ranks >= 0).mean() > 0.3
    assert len(pools) == 2


def test_too_few_negatives_for_all_sources_are_refused_at_plan(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dense gives none of 1 negatives a row; ask for more negatives"):
        plan(tmp_path, tiny_encoder, [{"bm25": {"candidates": ["bm25", "dense"], "negatives": 1}}])
    with pytest.raises(InputError, match=r"repair: .* draws from several retrievers"):
        plan(tmp_path, tiny_encoder, [{"bm25": {"candidates": ["bm25", "dense"]}}], repair="replaced")


def test_a_later_source_has_chances_of_its_own() -> None:
    """Five candidates stand in both pools: where the first draw took none of them, the second still takes any alike."""
    count = 4000
    first = candidate_pool(np.zeros((count, 10)), documents=np.tile(np.arange(10), (count, 1)))
    second = candidate_pool(np.zeros((count, 10)), documents=np.tile(np.arange(5, 15), (count, 1)))
    own = np.full(count, -1, np.int32)
    one = mining.mine(first, Rules(Uniform()), 3, 0, own, 20)
    other = mining.mine(second, Rules(Uniform()), 3, 0, own, 20, before=[one])
    both = np.concatenate([one.documents, other.documents], axis=1)
    assert all(len({*row}) == 6 for row in both.tolist())
    apart = (one.documents < 5).all(axis=1)
    taken = np.bincount(other.documents[apart].ravel(), minlength=15)[5:]
    assert apart.sum() > 200
    assert chisquare(taken).pvalue > 1e-3


def test_fills_of_a_later_source_are_none_of_an_earlier_one_s() -> None:
    pool = candidate_pool(np.zeros((50, 1)), documents=np.zeros((50, 1)), known=np.ones((50, 1)))
    own = np.full(50, -1, np.int32)
    one = mining.mine(pool, Rules(Top()), 3, 0, own, 7)
    other = mining.mine(pool, Rules(Top()), 3, 0, own, 7, before=[one])
    filled = np.sort(np.concatenate([one.documents, other.documents], axis=1), axis=1)
    assert (filled[:, :] >= 0).all()
    assert all(len({*row}) == 6 for row in filled.tolist())
