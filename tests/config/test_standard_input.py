"""A grid on standard input: read once, from a pipe or a file, and refused where it never ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from negbench import load_grid, user_files
from negbench.errors import InputError

GRID = b"name: piped\ncollection: helpdesk\nencoder: weights\nmethods: [in-batch]\nseeds: [3]\n"


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that lets standard input be a pipe with this content, which stays open if it has no end."""
    kept, open_ends = os.dup(0), []

    def become(content: bytes, ends: bool = True) -> None:
        reading, writing = os.pipe()
        os.write(writing, content)
        os.dup2(reading, 0)
        os.close(reading)
        if ends:
            os.close(writing)
        else:
            open_ends.append(writing)

    user_files.standard_input.cache_clear()
    yield become
    user_files.standard_input.cache_clear()
    for number in open_ends:
        os.close(number)
    os.dup2(kept, 0)
    os.close(kept)


@pytest.mark.parametrize("path", ["-", "/dev/stdin"])
def test_a_grid_is_read_from_a_pipe_and_may_be_asked_for_again(path: str, piped: Any) -> None:
    piped(GRID)
    assert load_grid(path).data[0]["seeds"] == [3]
    assert load_grid(path, ["seeds=[4]"]).data[0]["seeds"] == [4]  # as `repair` does, which adds an axis
    assert load_grid(path).config.folder == "."


def test_what_is_wrong_has_its_line(piped: Any) -> None:
    piped(GRID.replace(b"seeds: [3]", b"seeds: [three]"))
    with pytest.raises(InputError, match=r"^<stdin>:5: seeds\.0: expected a whole number, found 'three'$"):
        load_grid("-")


@pytest.mark.parametrize(
    ("content", "ends", "problem"),
    [
        (b"", True, "<stdin>:1: expected a mapping of keys such as name"),
        (GRID, False, "<stdin>: has no end within 0 s; save it to a file, and give the path of that"),
        (b"a: \xff", True, "<stdin>:1: not UTF-8 text: invalid start byte; save it as UTF-8"),
    ],
)
def test_what_is_no_grid_is_refused(
    content: bytes, ends: bool, problem: str, piped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not ends:
        monkeypatch.setattr(user_files, "PIPE_SECONDS", 0)
    piped(content, ends)
    with pytest.raises(InputError) as caught:
        load_grid("-")
    assert str(caught.value).startswith(problem)


def test_what_never_ends_is_bounded_in_bytes(tmp_path: Path) -> None:
    code = "import sys; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"
    with open("/dev/zero", "rb") as zeros:
        command = [sys.executable, "-c", code, "plan", "-"]
        said = subprocess.run(command, cwd=tmp_path, stdin=zeros, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert said.stderr == "negbench: <stdin>: has more than 4,000,000 bytes; expected a grid file, which is smaller\n"
