"""Stores with an object store behind them, here in memory; each ``Store`` is a machine with a disk of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import negbench as api
from negbench import tracking
from negbench.errors import InputError
from negbench.stages import inputs
from negbench.store import Stage, Store
from negbench.store.remote import Remote

ADDRESS = "memory://bucket/prefix"


@dataclass(frozen=True, eq=False)
class Write(Stage):
    """Writes a text; ``run`` calls ``meanwhile`` and counts itself."""

    kind: ClassVar[str] = "write"
    name: str
    after: Stage | None = None
    ran: list[str] = field(default_factory=list)
    text: str = "text"
    meanwhile: Callable[[], object] = str

    def identity(self) -> dict[str, Any]:
        identity = super().identity()
        for name in ("ran", "text", "meanwhile"):
            del identity["parameters"][name]
        return identity

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        self.ran.append(self.name)
        self.meanwhile()
        (out / "inner").mkdir()
        (out / "inner" / "text").write_text(self.text)
        (out / "empty").touch()
        return {}


@pytest.fixture(autouse=True)
def objects() -> Iterator[MemoryFileSystem]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def machine(folder: Path) -> Store:
    return Store(folder, Remote(ADDRESS))


def text(store: Store, stage: Stage) -> str:
    return (store.ensure(stage) / "inner/text").read_text()


def test_another_machine_fetches_and_makes_nothing(tmp_path: Path) -> None:
    one, two, ran = machine(tmp_path / "one"), machine(tmp_path / "two"), list[str]()
    stage = Write("b", Write("a", ran=ran), ran)
    folder = one.ensure(stage)
    assert ran == ["a", "b"]
    fetched = two.ensure(stage)
    assert ran == ["a", "b"]
    assert not two.has(Write("a"))  # what it was made from is not needed
    names = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    assert names == sorted(path.relative_to(fetched) for path in fetched.rglob("*"))
    assert all((folder / it).read_bytes() == (fetched / it).read_bytes() for it in names if (folder / it).is_file())
    assert two.damage(stage, whole=True) is None
    assert [path.name for path in (tmp_path / "two/drafts").iterdir()] == []


def test_a_grid_is_fetched_as_a_whole_and_no_shard_is_made(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
    monkeypatch.setattr(inputs, "SHARD", 40)
    made, make = list[str](), Store._make

    def counted(self: Store, stage: Stage, *parts: Any) -> bool:
        made.append(stage.kind)
        return make(self, stage, *parts)

    monkeypatch.setattr(Store, "_make", counted)
    grid = {
        "name": "shards",
        "collection": "helpdesk(articles=100, queries=24, dev=6, test=12)",
        "encoder": str(tiny_encoder),
        "methods": ["in-batch"],
        "train": {"epochs": 1, "batch_size": 8, "max_length": 16, "precision": "float32"},
        "estimators": ["exact"],
    }
    tables = []
    for name in ("one", "two"):
        monkeypatch.setenv("NEGBENCH_CACHE", str(tmp_path / name))
        done = api.run(grid, tmp_path / f"results-{name}", store=ADDRESS, models="none")
        assert done.failures == {}
        tables.append(done.data["tables"])
        made.append(name)
    assert "embeddings-shard" in made
    assert made[-2:] == ["one", "two"], "the second machine made something"
    assert tables[0] == tables[1]


def test_of_two_that_make_the_same_the_first_to_send_gives_it_to_both(
    tmp_path: Path, objects: MemoryFileSystem
) -> None:
    one, two, ran = machine(tmp_path / "one"), machine(tmp_path / "two"), list[str]()
    first = Write("a", ran=ran, text="of the second machine")
    slower = Write("a", ran=ran, text="of the first machine", meanwhile=lambda: two.ensure(first))
    assert text(one, slower) == text(two, first) == "of the second machine"
    assert ran == ["a", "a"]
    assert one.record(slower) == two.record(first)
    third = machine(tmp_path / "three")
    assert text(third, first) == "of the second machine"
    assert len(objects.ls(f"/bucket/prefix/write/{first.key}")) == 3  # a text, an empty file and the record


def test_equal_bytes_of_two_makers_are_both_kept(tmp_path: Path) -> None:
    one, two = machine(tmp_path / "one"), machine(tmp_path / "two")
    stage = Write("a")
    text(one, Write("a", meanwhile=lambda: two.ensure(stage)))
    assert one.record(stage)["files"] == two.record(stage)["files"]
    assert one.period(stage) != two.period(stage)


@pytest.mark.parametrize("how", ["has other bytes than were written", "is missing"])
def test_what_is_damaged_there_is_made_again_and_replaced(
    tmp_path: Path, objects: MemoryFileSystem, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    one, stage, ran = machine(tmp_path / "one"), Write("a"), list[str]()
    one.ensure(stage)
    place = f"/bucket/prefix/write/{stage.key}/{one.record(stage)['files']['inner/text']['sha256']}"
    objects.rm(place)
    if how != "is missing":
        objects.pipe_file(place, b"tixt")
    with caplog.at_level(logging.WARNING):
        assert text(machine(tmp_path / "two"), Write("a", ran=ran)) == "text"
    assert f"{ADDRESS}/write/{stage.key} is damaged (inner/text {how})" in caplog.text
    assert text(machine(tmp_path / "three"), Write("a", ran=ran)) == "text"
    assert ran == ["a"]


@pytest.mark.parametrize("name", ["../../outside", "/outside", "..\\outside"])
def test_a_record_cannot_name_files_outside_of_its_artifact(
    tmp_path: Path, objects: MemoryFileSystem, name: str
) -> None:
    from negbench.store import integrity

    stage = Write("a")
    folder = tmp_path / stage.key
    folder.mkdir()
    integrity.write_record(folder, {"key": stage.key, "cost": {"seconds": 1}, "files": {name: {"sha256": "0" * 64}}})
    objects.pipe_file(f"/bucket/prefix/write/{stage.key}/stage.json", (folder / "stage.json").read_bytes())
    objects.pipe_file(f"/bucket/prefix/write/{stage.key}/{'0' * 64}", b"evil")
    ran: list[str] = []
    assert text(machine(tmp_path / "store"), Write("a", ran=ran)) == "text"
    assert ran == ["a"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"evil"]


def test_what_could_not_be_sent_is_sent_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Write("a")
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):

        def broken(*_: object) -> None:
            raise OSError("the net is down: https://me:secret@host/")

        patch.setattr(MemoryFileSystem, "put_file", broken)
        assert text(machine(tmp_path / "one"), stage) == "text"
    assert "the next run sends it" in caplog.text
    assert "secret" not in caplog.text
    machine(tmp_path / "one").open()
    assert not list((tmp_path / "one/unsent").iterdir())
    ran: list[str] = []
    text(machine(tmp_path / "two"), Write("a", ran=ran))
    assert ran == []


def test_what_cannot_be_fetched_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine(tmp_path / "one").ensure(Write("a"))
    two = machine(tmp_path / "two")
    two.open()

    def broken(*_: object) -> None:
        raise OSError("the net is down")

    monkeypatch.setattr(MemoryFileSystem, "get_file", broken)
    with caplog.at_level(logging.WARNING):
        assert text(two, Write("a")) == "text"
    assert "not fetched from memory://bucket/prefix (OSError: the net is down); made here" in caplog.text


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://", r"expected BUCKET/PREFIX after s3://"),
        ("s3://key:hidden@bucket/x", r"keys and options do not belong into the address; .* AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket/x?secret=hidden", r"keys and options do not belong"),
        ("file:///tmp/x", r"is a folder; give its path without file://"),
        ("odd://bucket/x", r"odd:// is unknown; give a folder or s3://BUCKET/PREFIX"),
        ("zip://bucket::s3://x", r"expected BUCKET/PREFIX"),
    ],
)
def test_addresses_that_are_none(address: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGBENCH_STORE", address)
    with pytest.raises(InputError, match=said) as error:
        Store.default()
    assert "hidden" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)
    with pytest.raises(InputError, match=r"s3:// is not installed: pip install 'negbench\[s3\]'"):
        Store.at("s3://bucket")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("no"), "there is no such bucket; make it, or correct it"),
        (
            PermissionError("Access Denied"),
            r"not permitted \(PermissionError: Access Denied\); give keys that may read",
        ),
        (RuntimeError("no\nkeys"), r"cannot be used \(RuntimeError: no\); check the keys and the endpoint"),
    ],
)
def test_an_address_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", broken)
    ran: list[str] = []
    with pytest.raises(InputError, match=said):
        machine(tmp_path).ensure(Write("a", ran=ran))
    assert ran == []


def test_a_service_that_overwrites_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = MemoryFileSystem.pipe_file
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", lambda self, path, value, mode: pipe(self, path, value))
    with pytest.raises(InputError, match="it overwrites what is there where it is told not to"):
        machine(tmp_path).open()


def test_a_newer_layout_is_refused(tmp_path: Path, objects: MemoryFileSystem) -> None:
    objects.pipe_file("/bucket/prefix/store.json", json.dumps({"format": 99}).encode())
    with pytest.raises(InputError, match="of a newer negbench"):
        machine(tmp_path).open()


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEGBENCH_STORE", ADDRESS)
    monkeypatch.delenv("NEGBENCH_CACHE", raising=False)
    assert Store.default().root == tmp_path / ".negbench"
    monkeypatch.setenv("NEGBENCH_CACHE", "scratch")
    assert Store.default().root == tmp_path / "scratch"
