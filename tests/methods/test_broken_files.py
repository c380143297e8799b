"""A broken method file is one line that names file, line, key and what was expected, with exit code 2."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import negbench
from negbench.errors import InputError
from negbench.methods import Method, method_file

GOOD = """summary: The highest ranks.
paper: Somebody
year: 1997
shows: That it works.
candidates: dense
selection: top
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("year: 1997", "year: [1997", ":4: not valid YAML"),
        ("year: 1997", "year: 1997\nyear: 1998", ':4: duplicate key "year"'),
        ("selection: top", "selectoin: top", ":6: selectoin: no key is called 'selectoin'; did you mean selection"),
        ("selection: top", "selection: topp", ":6: selection: no sampler is called 'topp'; did you mean top"),
        ("selection: top", "selection: top(depht=3)", ":6: selection: no parameter of top is called 'depht'"),
        ("year: 1997", "year: soon", ":3: year: expected a whole number, found 'soon'"),
        ("year: 1997\n", "", ":1: year: is missing; a method file needs summary, paper, year, shows"),
        ("selection: top\n", "", ":1: candidates and selection go together"),
        (GOOD, "- a list", ":1: expected a mapping of keys"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, before: str, after: str, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(GOOD)
    assert method_file.read(path, "broken", Method).name == "broken"
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(InputError) as refused:
        method_file.read(path, "broken", Method)
    assert str(refused.value).startswith(f"{path}{said}")
    assert "\n" not in str(refused.value)


def test_the_commands_say_it_without_a_traceback(tmp_path: Path) -> None:
    shutil.copytree(Path(negbench.__file__).parent, tmp_path / "negbench")
    (tmp_path / "negbench/methods/bm25.yaml").write_text(GOOD.replace("top", "topp"))
    (tmp_path / "grid.yaml").write_text("name: a\ncollection: helpdesk\nencoder: tiny\nmethods: [bm25]\n")
    code = "import sys; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"
    for command in (["methods"], ["plan", "grid.yaml"], ["run", "grid.yaml"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "bm25.yaml:6: selection: no sampler is called 'topp'" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
