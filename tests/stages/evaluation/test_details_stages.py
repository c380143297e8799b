"""What is told beside the rate, from a grid that is run as far as needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench.config.grid import read
from negbench.errors import InputError
from negbench.evaluation.shares import Share
from negbench.plan.trials import Trial, trials
from negbench.stages.evaluation import breakdown_files
from negbench.stages.evaluation.added_positives import AddedPositives
from negbench.stages.evaluation.breakdown import FilterQuality
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.stages.evaluation.gradient import WeighFalseNegatives, scored
from negbench.stages.inputs import read_collection, read_vectors
from negbench.store import Store, load_arrays
from negbench.types import Negatives

METHODS: list[Any] = ["in-batch", {"bm25": {"filters": ["rank-band(low=1, high=30)", "margin(margin=0.2)"]}}, "random"]


def plan(folder: Path, encoder: Path, collection: str, **keys: Any) -> dict[str, Trial]:
    """A training that moves nothing: at every step the encoder is the start."""
    train = {"batch_size": 8, "learning_rate": 1e-12, "max_length": 64, "precision": "float32"}
    grid = {"name": "g", "collection": collection, "encoder": {"model": str(encoder)}, "methods": METHODS}
    (folder / "grid.yaml").write_text(json.dumps({**grid, "negatives": 3, "train": train, **keys}))
    return {trial.method: trial for trial in trials(read(folder / "grid.yaml"))}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Store, dict[str, Trial]]:
    folder = tmp_path_factory.mktemp("details")
    found = plan(folder, tiny_encoder, "helpdesk(articles=100, queries=24, dev=6, test=6)", gradient=True)
    store = Store(folder / "store")
    for trial in found.values():
        for stage in (*trial.breakdowns, *trial.counts):
            store.ensure(stage)
    return store, found


def told(store: Store, trial: Trial) -> dict[str, dict[str, Share]]:
    found: dict[str, dict[str, Share]] = {}
    for stage in trial.breakdowns:
        found |= breakdown_files.read(store.path(stage))
    return found


def test_the_replayed_batches_are_those_of_the_training(made: tuple[Store, dict[str, Trial]]) -> None:
    store, found = made
    for method in ("in-batch", "bm25", "random"):
        (stage,) = [stage for stage in found[method].breakdowns if isinstance(stage, WeighFalseNegatives)]
        training = stage.training
        collection = read_collection(store.path(training.collection))
        data, batches = training.replay(store.path, collection)
        asked = collection.split_queries("train")
        vectors = [read_vectors(store.path(embed)) for embed in stage.start]
        seen = [scored(data, batch, asked, *vectors) for batch in batches]
        losses = [float(training.loss.mean(batch.scored, batch.weights)) for batch in seen]
        curve = json.loads((store.path(training) / "curves.json").read_text())["loss"]
        assert [value for _, value in curve] == pytest.approx(losses, rel=1e-3)


def test_the_parts_add_up_to_the_rate(made: tuple[Store, dict[str, Trial]]) -> None:
    store, found = made
    for method in ("bm25", "random"):
        rates = read_rates(found[method].counts, store.path)
        shares = told(store, found[method])
        for group in ("rank", "gap", "epoch"):
            whole = sum(share.interval()[0] * share.reference for share in shares[group].values())
            assert whole == pytest.approx(rates["exact"]["rate"])
        gradient = shares["gradient"]
        assert gradient["mined, start"].reference == pytest.approx(rates["exact"]["rate"])
        assert gradient["in-batch, trained"].reference == pytest.approx(rates["exact/in-batch"]["rate"])
        start, trained = (gradient[f"mined, {encoder}"].interval() for encoder in ("start", "trained"))
        assert start == pytest.approx(trained, rel=1e-3)
    assert set(told(store, found["random"])["rank"]) == {"random"}
    assert set(told(store, found["in-batch"])["gradient"]) == {"in-batch, start", "in-batch, trained"}


def test_filters_are_judged_once_for_all_that_draw_past_them(
    made: tuple[Store, dict[str, Trial]], tmp_path: Path, tiny_encoder: Path
) -> None:
    store, found = made
    shares = told(store, found["bm25"])
    assert list(shares["recall"]) == ["1. rank-band(low=1, high=30)", "2. margin(margin=0.2)", "altogether"]
    assert 0 < shares["recall"]["altogether"].interval()[0] <= 1
    assert not any(isinstance(stage, FilterQuality) for stage in found["random"].breakdowns)
    size = "helpdesk(articles=100, queries=24, dev=6, test=6)"
    seeds = [plan(tmp_path, tiny_encoder, size, seeds=[seed], negatives=seed) for seed in (1, 2)]
    keys = {stage.key for one in seeds for stage in one["bm25"].breakdowns if isinstance(stage, FilterQuality)}
    assert len(keys) == 1


def test_added_positives_are_those_that_are_trained_on(tmp_path: Path, tiny_encoder: Path) -> None:
    """Counted from the draw that the training reads; draws of other samplers share the stage."""
    promote = f"promote(depth=20, threshold=0.5, most=3, teacher=bi-encoder(model={tiny_encoder}))"
    methods = [{"bm25": {"labels": [promote]}}, {"naive": {"candidates": "bm25", "labels": [promote]}}, "random"]
    found = plan(tmp_path, tiny_encoder, "helpdesk(articles=100, queries=24, dev=6, test=6)", methods=methods)
    stages = {name: [it for it in trial.breakdowns if isinstance(it, AddedPositives)] for name, trial in found.items()}
    assert not stages["random"]
    ((stage,), (other,)) = stages["bm25"], stages["naive"]
    assert stage.key == other.key
    store = Store(tmp_path / "store")
    shares = breakdown_files.read(store.ensure(stage))
    assert list(shares["added-precision"]) == list(shares["added-recall"]) == ["promote"]
    negatives = found["bm25"].negatives
    assert negatives is not None
    drawn = load_arrays(Negatives, store.ensure(negatives))
    truth = read_collection(store.path(stage.draw.pool.collection)).truth["train"]
    relevant = {(query, document) for query, document, grade in truth.triples() if grade >= 1}
    added = [(query, it) for query, row in zip(drawn.queries, drawn.promoted, strict=True) for it in row if it >= 0]
    right = sum(pair in relevant for pair in added)
    assert 0 < right < len(added)
    assert shares["added-precision"]["promote"].clusters.sum(axis=1).tolist() == [right, len(added)]


def test_the_gradient_is_told_where_it_is_asked_for(tmp_path: Path, tiny_encoder: Path) -> None:
    found = plan(tmp_path, tiny_encoder, "helpdesk")
    assert [[stage.kind for stage in trial.breakdowns] for trial in found.values()] == [
        [], [], [], [], ["where", "denoising"], ["where"],
    ]  # fmt: skip
    priced = {stage.kind for trial in found.values() for stage in trial.costed_stages}
    assert not priced & {"where", "denoising"}


def test_without_truth_nothing_is_told(tmp_path: Path, tiny_encoder: Path, tiny_collection: Path) -> None:
    store = Store(tmp_path / "store")
    (where, filters, gradient) = plan(tmp_path, tiny_encoder, str(tiny_collection), gradient=True)["bm25"].breakdowns
    for stage in (where, filters):
        assert breakdown_files.read(store.ensure(stage)) == {}
    assert np.isfinite(store.cost(where)["seconds"])
    with pytest.raises(InputError, match="gradient: collection garden has no fuller judgments of train"):
        store.ensure(gradient)
