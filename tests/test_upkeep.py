"""What a store holds, for whom, and what may be removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import negbench as api
from negbench.errors import InputError
from negbench.store import Stage, Store, upkeep, usage


@dataclass(frozen=True, eq=False)
class Letters(Stage):
    """As many letters as its name says."""

    kind: ClassVar[str] = "letters"
    name: str
    amount: int
    after: Stage | None = None

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        (out / "text").write_text(self.name[0] * self.amount)
        return {}


OLD, SHARED, NEW = Letters("old", 5_000), Letters("shared", 1_000), Letters("new", 9_000, Letters("shared", 1_000))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of three artifacts, made one after another; a grid uses the last two."""
    store = Store(tmp_path / "store")
    for second, stage in enumerate((OLD, SHARED, NEW)):
        record = store.ensure(stage) / "stage.json"
        os.utime(record, (1000 + second, 1000 + second))
    (tmp_path / "results").mkdir()
    with usage.recorded(store, "garden", tmp_path / "results", [SHARED, NEW]):
        pass
    return store


def names(found: list[upkeep.Artifact]) -> list[str]:
    text = {stage.key: stage.name for stage in (OLD, SHARED, NEW)}
    return [text[one.key] for one in found]


def test_artifacts_are_listed_with_the_grids_that_use_them(store: Store) -> None:
    found = upkeep.artifacts(store)
    assert names(found)[0] == "old"
    assert set(names(found)[1:]) == {"shared", "new"}
    assert [one.grids for one in found] == [(), ("garden",), ("garden",)]
    assert found[0].bytes == 5_000 + (store.path(OLD) / "stage.json").stat().st_size
    assert found[0].used == found[0].made == 1000
    assert found[1].used > found[1].made


def test_a_grid_whose_results_are_gone_uses_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "results").rmdir()
    assert {one.grids for one in upkeep.artifacts(store)} == {()}


def test_a_later_run_into_the_same_folder_replaces_the_use(store: Store, tmp_path: Path) -> None:
    with usage.recorded(store, "garden 2", tmp_path / "results", [OLD]):
        assert [one.running for one in upkeep.artifacts(store) if one.key == OLD.key] == [True]
    assert {one.key: one.grids for one in upkeep.artifacts(store)} == {
        OLD.key: ("garden 2",),
        SHARED.key: (),
        NEW.key: (),
    }
    assert not any(one.running for one in upkeep.artifacts(store))


def test_what_no_grid_uses_goes(store: Store) -> None:
    assert names(upkeep.removable(store)) == ["old"]
    assert upkeep.remove(store, upkeep.removable(store)) > 5_000
    assert not store.has(OLD)
    assert store.has(SHARED)
    assert store.has(NEW)
    assert not list((store.root / "drafts").iterdir())
    assert (store.ensure(OLD) / "text").read_text() == "o" * 5_000


def test_below_a_size_what_is_unused_goes_first_and_a_running_grid_keeps_all(store: Store, tmp_path: Path) -> None:
    assert names(upkeep.removable(store, 10**6)) == []
    assert names(upkeep.removable(store, 12_500)) == ["old"]
    assert names(upkeep.removable(store, 100))[0] == "old"
    assert set(names(upkeep.removable(store, 100))) == {"old", "shared", "new"}
    with usage.recorded(store, "garden", tmp_path / "results", [SHARED, NEW]):
        assert names(upkeep.removable(store, 100)) == ["old"]


def test_a_lease_of_a_dead_process_keeps_nothing(store: Store) -> None:
    (record,) = (store.root / "grids").glob("*.json")
    code = "import os, sys; from pathlib import Path; from negbench.store.leases import Lease; "
    code += "held = Lease(Path(sys.argv[1])).hold(); held.__enter__(); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, record.parent / f"{record.stem}.1.lease"], check=True)
    assert list(record.parent.glob("*.lease"))
    assert [use.running for use in usage.uses(store)] == [False]
    assert not list(record.parent.glob("*.lease"))


def test_damage_is_named_and_set_aside_with_what_rests_on_it(store: Store) -> None:
    (store.path(SHARED) / "text").write_text("t" * 1_000)
    found = upkeep.verify(store)
    assert found.damaged == {f"letters/{SHARED.key}": "text has other bytes than were written"}
    assert (found.sound, found.unchecked) == (2, 0)
    later = Store(store.root)
    assert [later.has(stage) for stage in (OLD, SHARED, NEW)] == [True, False, False]
    assert upkeep.left_over(store) > 10_000
    upkeep.remove(store, [])
    assert upkeep.left_over(store) == 0


def test_the_drafts_of_dead_processes_go_with_the_next_run(store: Store) -> None:
    """Also scratch folders; those of a living process stay."""
    dead, living = "0" * 32, "1" * 32
    for name in (dead, f"{dead}.abc", living, f"{living}.xyz"):
        (store.root / "drafts" / name).mkdir(parents=True)
        (store.root / "drafts" / name / "half").touch()
    with store.lease(living).hold():
        later = Store(store.root)
        later.ensure(Letters("one more", 1))
    assert sorted(path.name for path in (store.root / "drafts").iterdir()) == [living, f"{living}.xyz"]


class TestCommands:
    def test_prune_shows_first(self, store: Store, tmp_path: Path, negbench: Callable[..., Any]) -> None:
        shown = negbench("store", "prune", cwd=tmp_path, store=store.root)
        assert OLD.key[:10] in shown.out
        assert NEW.key[:10] not in shown.out
        assert "would be removed; add --yes" in shown.out
        assert store.has(OLD)
        negbench("store", "prune", "--yes", cwd=tmp_path, store=store.root)
        assert not store.has(OLD)

    def test_list_and_size_as_json(self, store: Store, tmp_path: Path, negbench: Callable[..., Any]) -> None:
        listed = json.loads(negbench("store", "list", "--json", cwd=tmp_path, store=store.root).out)
        assert listed[0]["key"] == OLD.key
        sizes = json.loads(negbench("store", "size", "--json", cwd=tmp_path, store=store.root).out)
        assert sizes["bytes"] == sum(one["bytes"] for one in listed)
        assert sizes["grids"] == {"garden": sum(one["bytes"] for one in listed if one["grids"])}
        assert sizes["unused"] == listed[0]["bytes"]

    def test_verify_ends_with_1_where_something_is_damaged(
        self, store: Store, tmp_path: Path, negbench: Callable[..., Any]
    ) -> None:
        assert negbench("store", "verify", cwd=tmp_path, store=store.root).code == 0
        (store.path(NEW) / "text").write_text("")
        said = negbench("store", "verify", cwd=tmp_path, store=store.root)
        assert said.code == 1
        assert f"letters/{NEW.key} is damaged: text has 0 bytes, and 9,000 were written" in said.out
        assert negbench("store", "verify", cwd=tmp_path, store=store.root).code == 0

    @pytest.mark.parametrize(("text", "limit"), [("1GB", 10**9), ("1.5 mb", 1_500_000), ("12", 12), (7, 7)])
    def test_sizes(self, text: str | int, limit: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int | None] = []
        monkeypatch.setattr(upkeep, "removable", lambda _, keep_under: asked.append(keep_under) or [])
        api.prune_store(text, store=store.root)
        assert asked == [limit]

    @pytest.mark.parametrize("text", ["much", "5XB", "-1", ""])
    def test_a_size_that_is_none(self, text: str, store: Store) -> None:
        with pytest.raises(InputError, match="expected a size such as 5GB"):
            api.prune_store(text, store=store.root)
