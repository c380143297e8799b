from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from negbench.samplers.simans import SimANS
from negbench.store import Stage, Store, ancestors
from negbench.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Write(Stage):
    """Write a text, after whatever the inputs wrote."""

    kind: ClassVar[str] = "write"
    text: str
    inputs_first: tuple[Stage, ...] = ()
    fails: list[bool] = field(default_factory=list)  # emptied by the test: what made it fail is gone

    def identity(self) -> dict[str, Any]:
        identity = super().identity()
        del identity["parameters"]["fails"]
        return identity

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        (out / "half").write_text("half")
        if self.fails:
            raise RuntimeError("the disk is full")
        before = "".join((path_of(stage) / "text").read_text() for stage in self.inputs_first)
        (out / "text").write_text(before + self.text)
        return {"letters": len(self.text)}


def visible(store: Store) -> list[str]:
    """Every artifact and every half of one; leases, the store's version and empty folders do not count."""
    files = [path for path in store.root.rglob("*") if path.is_file() and path.parent.name != "locks"]
    files.remove(store.root / "store.json")
    return sorted(str(path.relative_to(store.root)) for path in files)


def test_files_are_on_disk_before_they_are_in_place_and_their_place_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, stage = Store(tmp_path / "store"), Write("1")
    flushed: dict[bool, set[int]] = {False: set(), True: set()}  # by whether the artifact is there

    def fsync(descriptor: int) -> None:
        flushed[store.path(stage).exists()].add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    folder = store.ensure(stage)
    assert {path.stat().st_ino for path in (folder, *folder.iterdir())} <= flushed[False]
    assert folder.parent.stat().st_ino in flushed[True]


def test_inputs_are_made_first_and_nothing_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    one, two = Write("1"), Write("2")
    both = Write("3", (one, two, Write("1")))
    assert not store.has(both)
    folder = store.ensure(both)
    assert (folder / "text").read_text() == "1213"
    assert all(map(store.has, (one, two, both)))
    assert folder == store.path(both) == store.root / "write" / both.key
    before = (folder / "text").stat().st_ino
    assert (store.ensure(Write("3", (one, two, one))) / "text").stat().st_ino == before  # found, not made again


def test_the_record_says_what_it_is_and_what_it_took(tmp_path: Path) -> None:
    store = Store(tmp_path)
    stage = Write("abc", (Write("1"),))
    record = json.loads((store.ensure(stage) / "stage.json").read_text())
    assert record["key"] == stage.key
    assert record["inputs"] == [Write("1").key]
    assert record["parameters"]["text"] == "abc"
    cost = store.cost(stage)
    assert cost["letters"] == 3
    assert cost["seconds"] >= 0


def test_a_stage_that_raises_leaves_nothing_and_can_be_made_later(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reason = [True]
    stage = Write("2", (Write("1"),), reason)
    with pytest.raises(RuntimeError, match="the disk is full"):
        store.ensure(stage)
    assert not store.has(stage)
    assert {Path(name).parts[1] for name in visible(store)} == {Write("1").key}
    reason.clear()
    assert (store.ensure(stage) / "text").read_text() == "12"
    assert "half" in {Path(name).name for name in visible(store)}


def test_an_artifact_without_its_record_is_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    stage = Write("1")
    store.path(stage).mkdir(parents=True)
    (store.path(stage) / "text").write_text("old")
    assert not store.has(stage)
    assert (store.ensure(stage) / "text").read_text() == "1"


PROCESS = textwrap.dedent("""
    import os, sys
    from dataclasses import dataclass
    from pathlib import Path
    import negbench.store
    from filelock import SoftFileLease, Timeout
    from negbench.store import leases

    class Telling(SoftFileLease):
        def acquire(self, timeout):
            try:
                return super().acquire(blocking=False)
            except Timeout:
                if not timeout:
                    raise
                print("blocked", flush=True)
                return super().acquire(poll_interval=0.01)

    leases.SoftFileLease = Telling

    @dataclass(frozen=True, eq=False)
    class Slow(negbench.store.Stage):
        kind = "slow"
        def run(self, at, out):
            (out / "result").write_text("half")
            with open(sys.argv[2], "a") as file:
                file.write("ran\\n")
            print("running", flush=True)
            sys.stdin.read()  # until the other end closes
            (out / "result").write_text("whole")
            return {}

    store = negbench.store.Store(Path(sys.argv[1]))
    print((store.ensure(Slow()) / "result").read_text(), flush=True)
""")


@dataclass(frozen=True, eq=False)
class Slow(Stage):
    """The stage of ``PROCESS``, quick: it has the same key."""

    kind: ClassVar[str] = "slow"

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        assert not list(out.iterdir())
        (out / "result").write_text("whole")
        return {}


def start(root: Path, log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS, str(root), str(log)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_killed_process_leaves_nothing_that_counts(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with start(store.root, tmp_path / "log") as process:
        assert said(process) == "running"
        process.kill()
        process.wait()
        assert process.stdin is not None
    assert process.returncode == -9
    assert not store.has(Slow())
    assert not store.path(Slow()).exists()
    assert [Path(name).parts[0] for name in visible(store)] == ["drafts"]  # the half is where nobody looks
    assert (store.ensure(Slow()) / "result").read_text() == "whole"
    assert all(name.startswith(f"slow/{Slow().key}/") for name in visible(store))


def test_two_processes_that_want_the_same_make_it_once(tmp_path: Path) -> None:
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    with start(store.root, log) as first:
        assert said(first) == "running"
        with start(store.root, log) as second:
            assert said(second) == "blocked"
            assert not store.has(Slow())
            assert first.stdin is not None
            first.stdin.close()
            assert said(first) == "whole"
            assert said(second) == "whole"
    assert (first.returncode, second.returncode) == (0, 0)
    assert log.read_text() == "ran\n"
    assert (store.ensure(Slow()) / "result").read_text() == "whole"


def test_a_second_process_takes_over_from_a_killed_first(tmp_path: Path) -> None:
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    with start(store.root, log) as first:
        assert said(first) == "running"
        with start(store.root, log) as second:
            assert said(second) == "blocked"
            first.kill()
            first.wait()
            assert said(second) == "running"
            assert second.stdin is not None
            second.stdin.close()
            assert said(second) == "whole"
    assert log.read_text() == "ran\nran\n"


SIMANS, RECIPE = SimANS(), Recipe()


@dataclass(frozen=True, eq=False)
class Spec(Stage):
    kind: ClassVar[str] = "spec"
    number: float = 1.0
    names: tuple[str, ...] = ("a",)
    sampler: SimANS = SIMANS
    recipe: Recipe = RECIPE
    source: Stage | None = None

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        return {}


def test_the_key_is_the_digest_of_all_that_the_output_depends_on() -> None:
    changed = [
        Spec(),
        Spec(number=2.0),
        Spec(names=("a", "b")),
        Spec(names=("ab",)),
        Spec(sampler=SimANS(a=0.25)),
        Spec(recipe=Recipe(epochs=2)),
        Spec(source=Write("1")),
        Spec(source=Write("2")),
        Spec(source=Write("2", (Write("1"),))),
        Spec(source=Write("2", (Write("3"),))),
    ]
    assert len({stage.key for stage in changed}) == len(changed)
    assert all(len(stage.key) == 32 and set(stage.key) <= set("0123456789abcdef") for stage in changed)


def test_the_key_changes_with_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {Spec().key}
    with monkeypatch.context() as patch:
        patch.setattr(Spec, "version", 2)
        keys.add(Spec().key)
    with monkeypatch.context() as patch:
        patch.setattr(SimANS, "version", 2)
        keys.add(Spec().key)
    with monkeypatch.context() as patch:
        patch.setattr(Spec, "kind", "another")
        keys.add(Spec().key)
    with monkeypatch.context() as patch:
        patch.setattr(Write, "version", 2)
        keys.add(Spec(source=Write("1")).key)
    keys.add(Spec(source=Write("1")).key)
    assert len(keys) == 6


def test_the_key_depends_on_values_alone() -> None:
    """Not on the class's name or module, on object identity, the process, or the order of the fields."""
    assert Spec().key == Spec(1.0, ("a",), SimANS(a=0.5, depth=100), Recipe(epochs=1), None).key

    @dataclass(frozen=True, eq=False)
    class Renamed(Stage):
        kind: ClassVar[str] = "spec"
        source: Stage | None = None
        recipe: Recipe = RECIPE
        sampler: SimANS = SIMANS
        names: tuple[str, ...] = ("a",)
        number: float = 1.0

        def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
            return {}

    assert Renamed().key == Spec().key
    assert Renamed() == Spec()
    assert len({Renamed(), Spec()}) == 1
    assert Spec() != Spec(number=2.0)


def test_a_record_keeps_the_versions_that_it_was_made_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    monkeypatch.setattr("negbench.store.versions", lambda: {"numpy": "1"})
    folder = store.ensure(Write("1"))
    monkeypatch.setattr("negbench.store.versions", lambda: {"numpy": "2"})
    assert store.ensure(Write("1")) == folder
    store.ensure(Write("2"))
    assert (store.versions(Write("1")), store.versions(Write("2"))) == ({"numpy": "1"}, {"numpy": "2"})
    record = json.loads((folder / "stage.json").read_text())
    for name in ("versions", "files", "digest"):  # an earlier version wrote none of them
        del record[name]
    (folder / "stage.json").write_text(json.dumps(record))
    assert store.versions(Write("1")) == {"negbench": "unknown"}


def test_the_key_is_golden() -> None:
    """Everybody's store is found by keys: they change only on purpose."""

    def digest(text: str) -> str:
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    plain = '{"format":2,"parameters":{},"stage":"slow","version":1}'
    one = digest('{"format":2,"parameters":{"inputs_first":[],"text":"1"},"stage":"write","version":1}')
    inputs = f'"inputs_first":[{{"key":"{one}"}}]'
    both = f'{{"format":2,"parameters":{{{inputs},"text":"abc"}},"stage":"write","version":1}}'
    assert Slow().key == digest(plain) == "2b12f1918a5428a86eb80a4d3d6bd0f9"
    assert Write("abc", (Write("1"),)).key == digest(both)


def test_ancestors_come_inputs_first_each_once() -> None:
    one = Write("1")
    left, right = Write("l", (one,)), Write("r", (Write("1"),))
    end = Write("end", (left, right))
    found = ancestors(end)
    assert [stage.text for stage in found if isinstance(stage, Write)] == ["1", "l", "r", "end"]
    assert end.inputs == (left, right)
    assert Spec(source=one).inputs == (one,)


def test_the_default_store_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEGBENCH_STORE", raising=False)
    assert Store.default().root == tmp_path / ".negbench"
    monkeypatch.setenv("NEGBENCH_STORE", "elsewhere")
    assert Store.default().root == tmp_path / "elsewhere"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NEGBENCH_STORE", "~/home")
    assert Store.default().root == tmp_path / "home"


def test_making_a_store_touches_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert not store.has(Write("1"))
    assert os.listdir(tmp_path) == []
