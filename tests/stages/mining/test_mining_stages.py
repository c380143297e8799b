from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parrot import Parrot

from negbench.collections import storage
from negbench.collections.helpdesk import Helpdesk
from negbench.errors import InputError
from negbench.filters import Filter
from negbench.filters.rank_band import RankBand
from negbench.repair import Repair
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.pool import build
from negbench.samplers.top import Top
from negbench.samplers.uniform import Uniform
from negbench.stages.inputs import LoadCollection
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.mining.pool import BuildPool, TrainTeacher
from negbench.stages.mining.pool_features import ScorePool
from negbench.stages.mining.repair import RepairNegatives, truth_of
from negbench.store import load_arrays
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.training.teacher import fold_of
from negbench.types import CandidatePool, Negatives


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A stored collection and the pool built from it by the stage."""
    source = Helpdesk(articles=150, queries=30, dev=5, test=5)
    collection = source.load()
    spec = LoadCollection(source, source.fingerprint())
    pool = BuildPool(collection=spec, retriever=BM25(depth=20), split="train", seed=None, documents=None, queries=None)
    folders = {stage: tmp_path_factory.mktemp(stage.kind) for stage in (spec, pool)}
    storage.save(collection, folders[spec])
    cost = pool.run(folders.__getitem__, folders[pool])
    return {"collection": collection, "pool": pool, "folders": folders, "cost": cost}


def test_the_pool_stage_stores_the_pool(stages: dict[str, Any]) -> None:
    collection, stage = stages["collection"], stages["pool"]
    stored = load_arrays(CandidatePool, stages["folders"][stage])
    made = build(BM25(depth=20), collection, collection.split_queries("train"), "train", 0)
    for field in fields(stored):
        np.testing.assert_array_equal(getattr(stored, field.name), getattr(made, field.name))
    assert stages["cost"] == {"searches": 30, "recall": 1.0}


def test_a_teacher_is_asked_once_about_each_candidate_and_positive(stages: dict[str, Any], tmp_path: Path) -> None:
    collection, pool = stages["collection"], load_arrays(CandidatePool, stages["folders"][stages["pool"]])
    teacher = Parrot.model_construct(log=[])
    cost = ScorePool(pool=stages["pool"], teacher=teacher, fingerprint="", depth=8, copies=(), precision="float32").run(
        stages["folders"].__getitem__, tmp_path
    )
    scores = np.load(tmp_path / "candidates.npy")
    asked = pool.available() & (np.arange(20) < 8)
    assert pool.known[:, :8].any()
    assert (~np.isnan(scores) == asked).all()
    passages = collection.passages()
    expected = []
    right = pairs = 0.0
    for query, row in enumerate(pool.queries):
        candidates = [passages[document] for document in pool.documents[query][asked[query]]]
        positives = [passages[document] for document in pool.positives[query] if document >= 0]
        expected += [(collection.queries[row], passage) for passage in candidates + positives]
        right += sum((len(p) > len(c)) + 0.5 * (len(p) == len(c)) for p in positives for c in candidates)
        pairs += len(positives) * len(candidates)
    assert teacher.log == [(None, expected)]
    of_candidates = [
        len(collection.queries[pool.queries[query]]) * 1000 + len(passages[pool.documents[query, rank]])
        for query, rank in zip(*np.nonzero(asked), strict=True)
    ]
    assert scores[asked].tolist() == of_candidates
    assert cost["teacher_calls"] == len(expected)
    of_positives = np.load(tmp_path / "positives.npy")
    assert (~np.isnan(of_positives) == (pool.positives >= 0)).all()
    assert cost["teacher_auc"] == pytest.approx(right / pairs)


def test_each_query_is_scored_by_the_copy_that_did_not_see_it(stages: dict[str, Any], tmp_path: Path) -> None:
    copies = tuple(TrainTeacher(stages["pool"], TrainedCrossEncoder(folds=3), "", n, "float32") for n in range(3))
    folders = {**stages["folders"], **{copy: Path(f"copy{n}") for n, copy in enumerate(copies)}}
    teacher = Parrot.model_construct(log=[])
    ScorePool(pool=stages["pool"], teacher=teacher, fingerprint="", depth=20, copies=copies, precision="float32").run(
        folders.__getitem__, tmp_path
    )
    assert [folder for folder, _ in teacher.log] == [Path(f"copy{n}/model") for n in range(3)]
    for n, (_, pairs) in enumerate(teacher.log):
        texts = [query for query, _ in pairs]
        assert texts
        assert set(fold_of(texts, 3).tolist()) == {n}
    pool = load_arrays(CandidatePool, folders[stages["pool"]])
    assert (~np.isnan(np.load(tmp_path / "candidates.npy")) == pool.available()).all()


def test_the_draw_stage_gives_scores_to_filters_and_counts(stages: dict[str, Any], tmp_path: Path) -> None:
    folders, pool = dict(stages["folders"]), load_arrays(CandidatePool, stages["folders"][stages["pool"]])
    scoring = ScorePool(
        pool=stages["pool"],
        teacher=Parrot.model_construct(log=[]),
        fingerprint="",
        depth=20,
        copies=(),
        precision="float32",
    )
    folders[scoring] = tmp_path / "scores"
    folders[scoring].mkdir()
    teacher_scores = np.where(pool.available(), np.random.default_rng(0).uniform(size=pool.scores.shape), np.nan)
    np.save(folders[scoring] / "candidates.npy", teacher_scores.astype(np.float32))
    np.save(folders[scoring] / "positives.npy", pool.positive_scores)
    rule = Filter.model_validate("denoise(threshold=0.15, depth=20)")
    out = tmp_path / "draw"
    out.mkdir()
    cost = DrawNegatives(
        pool=stages["pool"], labels=(), filters=(rule,), sampler=Top(), features=(scoring,), fill="corpus", k=4, seed=0
    ).run(folders.__getitem__, out)
    found = load_arrays(Negatives, out)
    drawn = found.ranks >= 0
    passed = np.take_along_axis(teacher_scores, np.maximum(found.ranks, 0), axis=1)
    assert (passed[drawn] < 0.15).all()
    expected = np.minimum(4, (teacher_scores < 0.15).sum(axis=1)).sum()
    assert 0 < expected < drawn.size
    nothing = {"written": 0, "promoted": 0, "distrusted": 0}
    assert cost == {"drawn": expected, "filled": drawn.size - expected, **nothing}


@pytest.mark.parametrize(("divisor", "noted"), [(10, False), (20, True)])
def test_a_band_that_is_empty_is_told_and_filled(
    stages: dict[str, Any], tmp_path: Path, divisor: int, noted: bool
) -> None:
    """150 documents: a tenth of them ends the band at rank 15, a twentieth before its beginning."""
    rule = RankBand(low=10, high=110, divisor=divisor)
    draw = DrawNegatives(
        pool=stages["pool"], labels=(), filters=(rule,), sampler=Top(), features=(), fill="corpus", k=2, seed=0
    )
    cost = draw.run(stages["folders"].__getitem__, tmp_path)
    notes = tmp_path / "notes.json"
    assert notes.exists() == noted
    assert (cost["drawn"] == 0) == noted
    assert cost["filled"] > 0 or not noted
    if noted:
        said = "rank-band(divisor=20) keeps no rank of 150 documents: it begins at 10 and ends at 7; all of its"
        assert said in notes.read_text()


@pytest.mark.parametrize("spelling", ["replaced", "relabelled", "injected(rate=0.2)"])
def test_the_repair_stage_repairs_what_was_drawn_past_the_same_filters(
    stages: dict[str, Any], tmp_path: Path, spelling: str
) -> None:
    folders, collection = dict(stages["folders"]), stages["collection"]
    band = RankBand(low=2, high=15)
    draw = DrawNegatives(
        pool=stages["pool"], labels=(), filters=(band,), sampler=Uniform(), features=(), fill="corpus", k=4, seed=0
    )
    folders[draw] = tmp_path / "draw"
    folders[draw].mkdir()
    draw.run(folders.__getitem__, folders[draw])
    stage = RepairNegatives(draw, Repair.model_validate(spelling))
    assert {stages["pool"], draw, stages["pool"].collection} <= set(stage.inputs)
    out = tmp_path / "repaired"
    out.mkdir()
    cost = stage.run(folders.__getitem__, out)
    before, after = load_arrays(Negatives, folders[draw]), load_arrays(Negatives, out)
    truth = collection.truth["train"]
    was, is_ = (truth.contains(it.queries[:, None], it.documents) for it in (before, after))
    assert was.any()
    assert (before.documents != after.documents).sum() == cost["exchanged"] > 0
    assert cost["false"] == is_.sum() == (round(0.2 * is_.size) if spelling.startswith("injected") else 0)
    assert cost["promoted"] == (was.sum() if spelling == "relabelled" else 0)
    ranks = after.ranks[(after.ranks >= 0) & ~is_]
    assert ((ranks >= 2) & (ranks < 15)).all()  # the band
    labelled = collection.qrels["train"].contains(after.queries[:, None], after.documents)
    assert not labelled.any()


def test_without_truth_there_is_no_repair(stages: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="collection helpdesk has no fuller judgments of train") as caught:
        truth_of(replace(stages["collection"], truth={}), "train")
    assert "\n" not in str(caught.value)


def test_empty_slots_are_not_counted_as_filled(stages: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "draw"
    out.mkdir()
    cost = DrawNegatives(
        pool=stages["pool"], labels=(), filters=(), sampler=Top(), features=(), fill="corpus", k=150, seed=0
    ).run(stages["folders"].__getitem__, out)
    found = load_arrays(Negatives, out)
    assert (found.documents == -1).any()
    assert cost["drawn"] + cost["filled"] == (found.documents >= 0).sum()
