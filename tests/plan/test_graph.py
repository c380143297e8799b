from __future__ import annotations

import json
from pathlib import Path

import pytest

from negbench.config.grid import read
from negbench.plan.graph import costs, planned
from negbench.plan.trials import Trial, trials
from negbench.store import Stage, Store


@pytest.fixture
def found(tmp_path: Path) -> list[Trial]:
    """A plan over the generated collection and an encoder that is never loaded."""
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/model.safetensors").write_bytes(b"weights")
    grid = {
        "name": "g",
        "collection": "helpdesk",
        "encoder": str(tmp_path / "encoder"),
        "methods": ["in-batch", "bm25", "simans", "rank-band"],
        "seeds": [0, 1],
    }
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    return trials(read(tmp_path / "grid.yaml"))


def distinct(found: list[Trial]) -> list[Stage]:
    return list({stage.key: stage for trial in found for stage in trial.stages}.values())


def costed_stages(found: list[Trial]) -> list[Stage]:
    return list({stage.key: stage for trial in found for stage in trial.costed_stages}.values())


def made(store: Store, stage: Stage, cost: dict[str, float]) -> None:
    """Put a stage's record into the store, as if it had run."""
    store.path(stage).mkdir(parents=True)
    (store.path(stage) / "stage.json").write_text(json.dumps({"key": stage.key, "cost": cost}))


def test_a_plan_holds_each_stage_once_with_its_users(found: list[Trial], tmp_path: Path) -> None:
    plan = planned(found, Store(tmp_path / "store"))
    assert len(plan) == len(distinct(found)) < sum(len(trial.stages) for trial in found)
    seen: set[str] = set()
    for item in plan:
        assert {parent.key for parent in item.stage.inputs} <= seen
        seen.add(item.stage.key)
        assert item.users == sum(item.stage in trial.stages for trial in found)
        assert not item.stored
    users = {item.stage.kind: item.users for item in plan if item.stage.kind in ("collection", "encoder")}
    assert users == {"collection": len(found), "encoder": len(found) - 1}  # BM25 search needs no encoder


def test_what_is_stored_is_told(found: list[Trial], tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    some = distinct(found)[::3]
    for stage in some:
        made(store, stage, {"seconds": 1.0})
    assert {item.stage for item in planned(found, store) if item.stored} == set(some)


def test_costs_alone_and_added(found: list[Trial], tmp_path: Path) -> None:
    """Each stage takes a power of two, so a sum says which stages are in it."""
    store = Store(tmp_path / "store")
    seconds = {stage.key: float(2**at) for at, stage in enumerate(distinct(found))}
    for stage in distinct(found):
        amounts = {"documents_encoded": 10.0, "recall": 1.0, "searches": 3.0, "peak_mib": seconds[stage.key]}
        made(store, stage, {"seconds": seconds[stage.key], **amounts})
    for trial in found:
        others = {stage.key for other in found if other is not trial for stage in other.costed_stages}
        mine = {stage.key for stage in trial.costed_stages}
        kinds = {stage.kind for stage in trial.costed_stages}
        by_kind = {
            kind: sum(seconds[stage.key] for stage in trial.costed_stages if stage.kind == kind) for kind in kinds
        }
        assert costs(trial, found, store) == {
            **{f"seconds/{kind}": total for kind, total in by_kind.items()},
            "peak_mib": max(seconds[key] for key in mine),
            "seconds": sum(seconds[key] for key in mine),
            "marginal_seconds": sum(seconds[key] for key in mine - others),
            "documents_encoded": 10 * len(mine),  # recall and searches do not add up
        }
    alone = costs(found[-1], [found[-1]], store)
    assert alone["marginal_seconds"] == alone["seconds"]


def test_marginal_costs_of_disjoint_stages_and_the_shared_ones_make_the_whole(
    found: list[Trial], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    for stage in distinct(found):
        made(store, stage, {"seconds": 1.0})
    counted = costed_stages(found)
    shared = sum(sum(stage in trial.costed_stages for trial in found) > 1 for stage in counted)
    assert sum(costs(trial, found, store)["marginal_seconds"] for trial in found) + shared == len(counted)


def test_measuring_a_method_takes_no_cost_from_another(found: list[Trial], tmp_path: Path) -> None:
    """The start's vectors are what SimANS mines with, and what BM25's negatives are measured by."""
    store = Store(tmp_path / "store")
    for stage in distinct(found):
        made(store, stage, {"seconds": 1.0})
    some = [trial for trial in found if trial.seed == 0 and trial.method in ("bm25", "simans")]
    bm25, simans = some
    measured = [stage for stage in simans.costed_stages if stage in bm25.stages and stage not in bm25.costed_stages]
    assert [stage.kind for stage in measured] == ["embeddings", "embeddings"]
    own = [stage for stage in simans.costed_stages if stage not in bm25.costed_stages]
    assert costs(simans, some, store)["marginal_seconds"] == len(own)
