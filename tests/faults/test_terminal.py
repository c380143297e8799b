"""What the command line is given to work with: streams, folders, names. One line, exit code 2, before any work."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_runs import Finished, copied

CODE = "import sys; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"


def run(here: Path, *arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **more.pop("environment", {})}
    command = [sys.executable, "-c", CODE, *map(str, arguments)]
    return subprocess.run(command, cwd=here, env=environment, text=True, check=False, **more)


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        said = run(tmp_path, "methods", "--markdown", stdout=closed, stderr=subprocess.PIPE)
    assert said.stderr == ""


@pytest.mark.parametrize("command", [["methods"], ["store", "list", "--json"]])
def test_a_full_disk_behind_stdout_is_one_line(command: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        said = run(tmp_path, *command, stdout=full, stderr=subprocess.PIPE)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert "No space left on device" in said.stderr


def test_without_any_streams_it_works(tmp_path: Path) -> None:
    """Nor is the first file that it opens taken for stdout."""
    command = [sys.executable, "-c", CODE, "schema"]
    line = " ".join(f"'{part}'" if " " not in part else f'"{part}"' for part in command)
    said = subprocess.run(["sh", "-c", f"{line} <&- >&- 2>&-"], cwd=tmp_path, check=False)
    assert said.returncode == 0


def test_an_ascii_terminal_shows_what_it_can(tmp_path: Path, finished: Finished) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "NEGBENCH_STORE": str(finished.store)}
    said = run(tmp_path, "inspect", finished.grid, environment=environment, capture_output=True)
    assert said.returncode == 0, said.stderr
    assert said.stdout.isascii()
    assert said.stderr == ""


BAD_PLACES = {
    "a name of 300 letters": (["--set", f"name={'a' * 300}"], None, "File name too long"),
    "an out of 300 letters": (["--out", "a" * 300], None, "File name too long"),
    "an out that is a file": (["--out", "file"], None, "is not a folder"),
    "an out below a file": (["--out", "file/results"], None, "is not a folder"),
    "an out of nobody": (["--out", "~nobody-of-this-name/x"], None, "there is no such home"),
    "an out that cannot be made": (["--out", "/proc/results"], None, "cannot be written to"),
    "a store that is a file": (["--out", "results"], "file", "the store is not a folder"),
    "a store that cannot be made": (["--out", "results"], "/proc/store", "cannot be written to"),
    "a store of nobody": (["--out", "results"], "~nobody-of-this-name/store", "there is no such home"),
}


@pytest.mark.parametrize("case", BAD_PLACES)
def test_a_place_that_cannot_be_used(
    case: str, finished: Finished, tmp_path: Path, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, store, wanted = BAD_PLACES[case]
    (tmp_path / "file").write_text("kept")
    said = negbench(
        "run",
        finished.grid,
        *arguments,
        cwd=tmp_path,
        store=store or tmp_path / "store",  # type: ignore[arg-type]
    )
    assert said.code == 2
    assert said.err.count("\n") == 1, said.err
    assert wanted in said.err
    assert (tmp_path / "file").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """Put a disk of its own under a folder, where this user may."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=False, stderr=-3)
    if made.returncode != 0:
        pytest.skip("only root can mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with contextlib.suppress(OSError), (folder / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.parametrize("full", ["results", "store"])
def test_a_full_disk_is_found_before_any_work(
    full: str, finished: Finished, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    with disk(tmp_path / "disk", "256k"):
        fill(tmp_path / "disk")
        places = {"results": tmp_path / "results", "store": tmp_path / "store"}
        places[full] = tmp_path / "disk" / full
        said = negbench("run", finished.grid, "--out", places["results"], cwd=tmp_path, store=places["store"])
    assert said.code == 2
    assert said.err.count("\n") == 1, said.err
    assert "No space left on device" in said.err
    assert {path.name for path in tmp_path.iterdir()} == {"disk"}


@pytest.mark.usefixtures("no_mlflow")
def test_a_working_folder_that_only_can_be_read(
    finished: Finished, tmp_path: Path, negbench: Callable[..., Any]
) -> None:
    """Results go there by default; to another folder the grid runs."""
    here = tmp_path / "disk"
    store = copied(finished.store, tmp_path / "store")
    with disk(here, "1m"):
        subprocess.run(["mount", "-o", "remount,ro", here], check=True)
        said = negbench("run", finished.grid, cwd=here, store=store)
        assert said.code == 2
        assert said.err.count("\n") == 1
        assert "Read-only file system" in said.err
        said = negbench("run", finished.grid, "--out", tmp_path / "results", cwd=here, store=store)
        assert said.code == 0, said.err


@pytest.mark.slow
def test_without_a_home_it_works(finished: Finished, tmp_path: Path) -> None:
    environment = {"NEGBENCH_STORE": str(finished.store), "HOME": "/nonexistent"}
    said = run(tmp_path, "plan", finished.grid, environment=environment, capture_output=True)
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
