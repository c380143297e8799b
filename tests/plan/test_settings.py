"""Keys of a grid that change what a trial rests on, or what is measured beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from planning import by, keys, plan

from negbench.methods import Method
from negbench.plan.trials import START
from negbench.stages.evaluation.quality import EvaluateEncoder, EvaluateRetriever
from negbench.stages.mining.repair import RepairNegatives
from negbench.stages.training.train import Train


def test_a_warm_up_comes_before_mining_and_is_shared(collection: Path, weights: Path) -> None:
    """It trains with in-batch negatives, once a seed, and is as ``train`` where it says nothing else."""
    recipe = {"precision": "float32", "epochs": 3, "batch_size": 8}
    found = plan(collection, weights, ["in-batch", "simans", "bm25"], train=recipe, warm_up={"epochs": 1})
    for seed in (0, 1):
        start, simans = by(found, START, seed), by(found, "simans", seed)
        assert simans.training is not None
        first = simans.training.encoder
        assert isinstance(first, Train)
        assert (first.negatives, first.recipe.epochs, first.recipe.batch_size) == (None, 1, 8)
        assert (simans.training.recipe.epochs, simans.training.seed, first.seed) == (3, seed, seed)
        assert isinstance(start.evaluation, EvaluateEncoder)
        assert start.evaluation.documents.encoder == first
        assert simans.negatives is not None
        assert simans.negatives.pool.documents is not None
        assert simans.negatives.pool.documents.encoder == first  # mined from where the warm-up ends
        for name in ("in-batch", "bm25"):
            trial = by(found, name, seed)
            assert trial.training is not None
            assert trial.training.encoder == first
    plain = by(plan(collection, weights, ["simans"]), "simans")
    assert not keys(plain, "training", "pool") & keys(by(found, "simans"), "training", "pool")


def test_further_collections_are_measured_by_every_encoder_and_cost_the_method_nothing(
    collection: Path, weights: Path
) -> None:
    plain, more = (
        plan(collection, weights, ["bm25"], **keys_) for keys_ in ({}, {"evaluate_on": ["helpdesk(articles=100)"]})
    )
    for one, two in zip(plain, more, strict=True):
        assert one.costed_stages == two.costed_stages
        assert two.extra_evaluations.keys() - one.extra_evaluations.keys() == {"helpdesk(articles=100)"}
        elsewhere = two.extra_evaluations["helpdesk(articles=100)"]
        assert isinstance(elsewhere, EvaluateEncoder | EvaluateRetriever)
        assert elsewhere.split == "test"
        if isinstance(elsewhere, EvaluateEncoder) and two.training is not None:
            assert elsewhere.documents.encoder == two.training


def test_a_wide_control_reads_as_many_documents_in_as_many_steps(collection: Path, weights: Path) -> None:
    recipe = {"precision": "float32", "epochs": 2, "batch_size": 8}
    found = plan(collection, weights, ["in-batch", "in-batch-wide", "bm25"], train=recipe, negatives=3)
    trained = {name: by(found, name).training for name in ("in-batch", "in-batch-wide", "bm25")}
    recipes = {name: training.recipe for name, training in trained.items() if training is not None}
    assert (recipes["in-batch-wide"].batch_size, recipes["in-batch-wide"].epochs) == (8 * 4, 2 * 4)
    assert recipes["in-batch"] == recipes["bm25"]
    with pytest.raises(ValueError, match="equal_documents is for a method without mined negatives"):
        Method.model_validate({**dict(by(found, "bm25").settings.methods[2]), "equal_documents": True})


REPAIRS = [None, "replaced", "relabelled", "injected(rate=0.05)", "injected(rate=0.1)"]


def test_a_repair_changes_what_is_trained_with_and_nothing_before(collection: Path, weights: Path) -> None:
    plain = plan(collection, weights, ["in-batch", "bm25"])
    found = plan(collection, weights, ["in-batch", "bm25"], axes={"repair": REPAIRS})
    points = [found[at : at + len(plain)] for at in range(0, len(found), len(plain))]
    assert len(points) == len(REPAIRS)
    for before, null in zip(plain, points[0], strict=True):
        assert [stage.key for stage in before.stages] == [stage.key for stage in null.stages]
    for seed in (0, 1):
        control = {by(point, "in-batch", seed).evaluation.key for point in points}
        assert len(control) == 1  # it mines nothing, so there is nothing to repair: trained once
        repaired = [by(point, "bm25", seed) for point in points]
        assert len({trial.evaluation.key for trial in repaired}) == len(REPAIRS)
        assert len({trial.false_negatives.key for trial in repaired if trial.false_negatives}) == len(REPAIRS)
        for trial in repaired[1:]:
            assert isinstance(trial.negatives, RepairNegatives)
            assert trial.negatives.draw == repaired[0].negatives
            assert keys(trial, "pool", "negatives") == keys(repaired[0], "pool", "negatives")
            assert trial.training is not None
            assert repaired[0].training is not None
            assert trial.training.encoder == repaired[0].training.encoder
            assert trial.training.recipe == repaired[0].training.recipe


def test_the_size_of_the_training_set_is_an_axis_that_shares_the_pools(collection: Path, weights: Path) -> None:
    found = plan(collection, weights, ["bm25"], seeds=[0], axes={"train.queries": [2, None]})
    two, all_ = (trial for trial in found if trial.method == "bm25")
    assert two.negatives == all_.negatives
    assert two.training != all_.training
    assert two.false_negatives != all_.false_negatives
