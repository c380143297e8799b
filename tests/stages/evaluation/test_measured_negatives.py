from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

import numpy as np
import pytest

from negbench.config.grid import read
from negbench.plan.trials import Trial, trials
from negbench.stages.evaluation.measured_negatives import MeasureNegatives
from negbench.stages.inputs import read_collection, read_vectors
from negbench.store import Store

HELPDESK = "helpdesk(articles=100, queries=24, dev=6, test=6)"


def plan(folder: Path, encoder: Path, methods: list[Any], collection: str = HELPDESK, **keys: Any) -> dict[str, Trial]:
    train = {"batch_size": 8, "max_length": 32, "precision": "float32", "epochs": 2, **keys.pop("train", {})}
    grid = {"name": "g", "collection": collection, "encoder": {"model": str(encoder)}, "methods": methods}
    (folder / "grid.yaml").write_text(json.dumps({**grid, "negatives": 3, "train": train, **keys}))
    return {trial.method: trial for trial in trials(read(folder / "grid.yaml"))}


def measure_of(trial: Trial) -> MeasureNegatives:
    stage = trial.extra_evaluations["negatives"]
    assert isinstance(stage, MeasureNegatives)
    return stage


def told(store: Store, stage: MeasureNegatives) -> dict[str, float]:
    return dict(json.loads((store.ensure(stage) / "metrics.json").read_text()))


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left.astype(np.float64), right.astype(np.float64)
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


@pytest.mark.parametrize("method", ["random", "bm25"])
def test_the_measures_are_those_of_every_negative_of_every_batch(
    method: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    """Pair by pair, in the order of the batches."""
    store, stage = Store(tmp_path / "store"), measure_of(plan(tmp_path, tiny_encoder, [method])[method])
    found = told(store, stage)
    sequence = stage.sequence
    collection = read_collection(store.path(sequence.collection))
    documents, queries = (read_vectors(store.path(embed)) for embed in (stage.documents, stage.queries))
    asked = collection.split_queries("train").tolist()
    data, batches = sequence.last.replay(store.path, collection)
    information, all_cosines, drawn = [], [], Counter[int]()
    for row in np.concatenate(batches).tolist():
        query = queries[asked.index(data.queries[row])]
        positive = cosine(query, documents[data.positives[row]])
        negatives = [cosine(query, documents[document]) for document in data.negatives[row].tolist()]
        drawn.update(data.negatives[row].tolist())
        all_cosines += negatives
        each = [harmonic_mean([max(it, 0), max(positive - it, 0)]) for it in negatives]
        information.append(math.log(4) * sum(each) / 3)
    assert found["eci"] == pytest.approx(np.mean(information), rel=1e-4)
    assert found["cosine"] == pytest.approx(np.mean(all_cosines), rel=1e-4)
    shares = [count / drawn.total() for count in drawn.values()]
    assert found["effective_documents"] == pytest.approx(1 / sum(share**2 for share in shares))


def test_neither_loss_nor_training_encoder_is_part_of_it(tmp_path: Path, tiny_encoder: Path) -> None:
    one = measure_of(plan(tmp_path, tiny_encoder, ["bm25"])["bm25"])
    other_loss = measure_of(plan(tmp_path, tiny_encoder, [{"bm25": {"loss": "additive-margin"}}])["bm25"])
    faster = measure_of(plan(tmp_path, tiny_encoder, ["bm25"], train={"batch_size": 4})["bm25"])
    assert one.key == other_loss.key != faster.key
    assert not any(stage.kind == "training" for stage in one.inputs)


def test_refreshed_negatives_depend_on_the_training(tmp_path: Path, tiny_encoder: Path) -> None:
    store = Store(tmp_path / "store")
    found = plan(tmp_path, tiny_encoder, [{"ance": {"refresh": "every(steps=2)"}}])
    stage = measure_of(found["ance"])
    assert any(it.kind == "training" for it in stage.inputs)
    assert set(told(store, stage)) == {"eci", "cosine", "effective_documents"}


def test_it_is_planned_for_mined_negatives_and_costs_the_method_nothing(tmp_path: Path, tiny_encoder: Path) -> None:
    found = plan(tmp_path, tiny_encoder, ["in-batch", "bm25"])
    assert [name for name, trial in found.items() if "negatives" in trial.extra_evaluations] == ["bm25"]
    assert not any(stage.kind == "measured-negatives" for stage in found["bm25"].costed_stages)
