"""Damaged files of every kind of artifact: seen, named, set aside, made again; the results stay what they were."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from made_runs import DAMAGES, KINDS, Finished, copied, damage, figures

from negbench.plan.damage import repeat_if_damaged
from negbench.store import Stage, Store, integrity


def artifact(store: Path, kind: str) -> Path:
    """Return the folder of one artifact of a kind: the first."""
    return sorted((store / kind).iterdir())[0]


def test_the_kinds_are_those_of_the_grid(finished: Finished) -> None:
    assert {folder.parent.name for folder in Store(finished.store).folders()} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_of_every_file_is_seen(kind: str, finished: Finished, tmp_path: Path) -> None:
    """Of these files, which are small, also by the cheap check."""
    whole = artifact(finished.store, kind)
    names = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file()]
    assert len(names) > 1
    for name in names:
        for how in DAMAGES:
            copy = tmp_path / how / str(name).replace("/", "-") / whole.name
            shutil.copytree(whole, copy)
            assert integrity.damage(copy, whole=True) is None
            damage(copy / name, how)
            if name.name == "stage.json" and how == "gone":
                continue  # an artifact without its record is not there
            for every_byte in (True, (whole / name).stat().st_size > 2 * integrity.END):
                seen = integrity.damage(copy, every_byte)
                assert seen is not None, f"{name} {how}"
                assert seen.startswith(f"{name} "), seen


def test_a_byte_in_the_middle_of_a_large_file_is_seen_by_the_whole_check(tmp_path: Path) -> None:
    folder = tmp_path / ("0" * 32)
    folder.mkdir()
    (folder / "vectors.npy").write_bytes(bytes(3 * integrity.END))
    record = {"key": folder.name, "cost": {"seconds": 1.0}, "files": integrity.describe(folder)}
    integrity.write_record(folder, record)
    damage(folder / "vectors.npy", "flipped")
    assert integrity.damage(folder) is None
    assert integrity.damage(folder, whole=True) == "vectors.npy has other bytes than were written"


@pytest.mark.slow
@pytest.mark.usefixtures("no_mlflow")
@pytest.mark.parametrize(
    ("kind", "how"),
    [*((kind, "cut") for kind in KINDS), ("evaluation", "empty"), ("training", "flipped"), ("collection", "flipped")],
)
def test_a_grid_makes_it_again(
    kind: str,
    how: str,
    finished: Finished,
    tmp_path: Path,
    negbench: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEGBENCH_VERIFY", str(int(how == "flipped")))
    store = copied(finished.store, tmp_path / "store")
    broken = artifact(store, kind)
    name = max(broken.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else -1)
    damage(name, how)
    resting = {path.name for path in integrity.resting_on(broken.name, Store(store).folders())} | {broken.name}
    before = {path: path.stat().st_ino for path in store.rglob("*") if path.is_file() and not {*path.parts} & resting}
    planned = json.loads(negbench("plan", finished.grid, "--json", cwd=tmp_path, store=store).out)
    here = {stage["key"] for stage in planned["stages"]}  # evaluations on dev, which choose ``best/``, are not planned
    assert {stage["key"] for stage in planned["stages"] if stage["damaged"]} == resting & here
    said = negbench("run", finished.grid, "--out", "results", cwd=tmp_path, store=store)
    assert said.code == 0, said.err
    (line,) = [record.message for record in caplog.records if record.name == "negbench.store"]
    assert line.startswith(f"stored {kind}/{broken.name} is damaged ({name.relative_to(broken)} ")
    assert figures(tmp_path / "results") == figures(finished.out)
    kept = {path: path.stat().st_ino for path in before if path.exists() and "grids" not in path.parts}
    assert kept == {path: number for path, number in before.items() if "grids" not in path.parts}
    assert {path.name.rpartition("-")[2] for path in (store / "damaged").iterdir()} == resting


@pytest.mark.usefixtures("no_mlflow")
def test_by_setting_every_byte_is_compared(
    finished: Finished, tmp_path: Path, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, the weights of another training stay, whose digests say so."""
    monkeypatch.setattr(integrity, "END", 16)
    store = copied(finished.store, tmp_path / "store")
    for path in store.rglob("stage.json"):  # as if the files were large: their ends alone are compared
        record = integrity.read_record(path.parent)
        record["files"] = integrity.describe(path.parent)
        del record["files"]["stage.json"]
        path.unlink()
        integrity.write_record(path.parent, record)
    broken = artifact(store, "training")
    damage(broken / "model/model.safetensors", "flipped")
    assert "0 are left to run" in negbench("plan", finished.grid, cwd=tmp_path, store=store).out
    monkeypatch.setenv("NEGBENCH_VERIFY", "1")
    assert " damaged " in negbench("plan", finished.grid, cwd=tmp_path, store=store).out
    assert negbench("run", finished.grid, "--out", "results", cwd=tmp_path, store=store).code == 0
    assert figures(tmp_path / "results") == figures(finished.out)


@dataclass(frozen=True, eq=False)
class Written(Stage):
    """A large text."""

    kind: ClassVar[str] = "text"
    letter: str = "a"

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        (out / "text").write_text(self.letter * 3 * integrity.END)
        return {}


@dataclass(frozen=True, eq=False)
class Counted(Stage):
    """The number of letters, where the text has no other."""

    kind: ClassVar[str] = "count"
    text: Written

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        text = (path_of(self.text) / "text").read_text()
        assert set(text) == {self.text.letter}, "other letters"
        (out / "count").write_text(str(len(text)))
        return {}


def test_a_stage_that_fails_on_a_damaged_input_is_run_again(tmp_path: Path) -> None:
    """The cheap check has not seen the damage; the failure lets every byte be compared."""
    store, text = Store(tmp_path), Written()
    damage(store.ensure(text) / "text", "flipped")
    with pytest.raises(AssertionError, match="other letters"):
        store.ensure(Counted(text))
    found = repeat_if_damaged(store, [text], lambda: store.ensure(Counted(text)))
    assert (found / "count").read_text() == str(3 * integrity.END)
    assert (tmp_path / "damaged" / f"text-{text.key}").is_dir()


def test_an_error_that_no_damage_explains_is_raised_after_one_try(tmp_path: Path) -> None:
    store, tries = Store(tmp_path), []
    store.ensure(Written())

    def fail() -> None:
        tries.append(1)
        raise KeyError("a mistake")

    with pytest.raises(KeyError, match="a mistake"):
        repeat_if_damaged(store, [Written()], fail)
    assert len(tries) == 1


def test_records_of_an_earlier_version_are_read_as_they_are(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.ensure(Written())
    record = json.loads((folder / "stage.json").read_text())
    for name in ("files", "digest"):
        del record[name]
    (folder / "stage.json").write_text(json.dumps(record))
    (tmp_path / "store.json").unlink()
    later = Store(tmp_path)
    assert later.has(Written())
    assert later.cost(Written())["seconds"] >= 0
    (folder / "stage.json").write_text("{")
    assert not Store(tmp_path).has(Written())


def test_a_store_of_the_future_is_refused(tmp_path: Path, negbench: Callable[..., Any], finished: Finished) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/store.json").write_text('{"format": 3}')
    for command in (["plan", finished.grid], ["run", finished.grid], ["store", "list"], ["store", "prune", "--yes"]):
        said = negbench(*command, cwd=tmp_path, store=tmp_path / "store")
        assert said.code == 2
        assert said.err.count("\n") == 1
        assert "a store of a newer negbench (format 3, this one reads up to 2)" in said.err
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["store.json"]
