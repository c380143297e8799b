"""Every bad input is refused in one line that names what is wrong and what to do, and nothing is left behind."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import audits
import collections_of_others
import command_lines
import grids
import manifests
import places
import pytest
import stored_results
from case import Case
from remedies import KINDS

CLASSES: dict[str, Callable[[], Iterator[Case]]] = {
    "YAML: values of no kind": grids.values_of_no_kind,
    "YAML: no grid": grids.texts_that_are_no_grid,
    "grids: wrong kinds": grids.values_of_a_wrong_kind,
    "grids: keys": grids.keys_that_do_not_fit,
    "grids: spellings": grids.spellings,
    "grids: --set": grids.assignments,
    "manifests": manifests.manifests,
    "paths: no files": places.things_that_are_no_file,
    "paths: names": places.names_of_no_file,
    "paths: packed files": places.packed_files,
    "collections: lines": collections_of_others.lines_of_a_collection,
    "collections: parts": collections_of_others.parts_of_a_collection,
    "collections: pairs": collections_of_others.files_of_pairs,
    "audits: negatives": audits.negatives,
    "audits: designs": audits.designs,
    "audits: answers": audits.answers,
    "audits: options": audits.options,
    "command lines": command_lines.command_lines,
    "papers": command_lines.papers,
    "results": stored_results.results,
}
"""The classes of bad inputs, each with the function that makes its cases."""

IN_EVERY_RUN = 40
"""Most cases of a class that are run each time; more of them are spread over the class, and the rest is slow."""


def _cases() -> Iterator[Any]:
    for kind, cases in CLASSES.items():
        made = list(cases())
        assert len({case.name for case in made}) == len(made), kind
        step = -(-len(made) // IN_EVERY_RUN)
        for number, case in enumerate(made):
            short = case.name.encode("ascii", "backslashreplace").decode()[:60]
            marks = [] if number % step == 0 else [pytest.mark.slow]
            yield pytest.param(case, id=f"{kind} - {number}: {short}", marks=marks)


CASES = list(_cases())

HANGS_AFTER = 60
"""Seconds after which a case is stopped, so that one that hangs fails and does not stop the suite."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, negbench: Callable[..., Any]) -> Path:
    """Return a folder whose ``shared`` has a collection, an encoder's files and a sheet of an audit."""
    root = tmp_path_factory.mktemp("bad")
    shared = root / "shared"
    for name, content in places.SOCKS.items():
        assert isinstance(content, str)
        (shared / name).parent.mkdir(parents=True, exist_ok=True)
        (shared / name).write_text(content)
    (shared / "weights").mkdir()
    (shared / "weights/model.safetensors").write_bytes(b"weights")
    (shared / "weights/config.json").write_text("{}")
    lines = [f'{{"query": "query {at}", "pos": ["right {at}"], "neg": ["wrong {at}", "bad {at}"]}}' for at in range(6)]
    (shared / "mined.jsonl").write_text("\n".join(lines) + "\n")
    said = negbench("audit", "mined.jsonl", "--labels", "8", "--out", "sheet", cwd=shared)
    assert said.code == 0, said.err
    return root


def _stop(*_: object) -> None:
    raise AssertionError("it hangs")


def _tree(folder: Path) -> set[str]:
    """Return the paths below a folder, but for those of a store that holds whole artifacts alone."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    drafts = {name for name in found if re.match(r"\.negbench/drafts/.", name)}
    artifacts = {
        path.relative_to(folder).as_posix() for path in folder.glob(".negbench/*/*/") if path.parent.name != "drafts"
    }
    half = {name for name in artifacts if f"{name}/stage.json" not in found}
    return {name for name in found if not name.startswith(".negbench")} | drafts | half


@pytest.fixture
def refuse(
    root: Path, tmp_path_factory: pytest.TempPathFactory, negbench: Callable[..., Any]
) -> Iterator[Callable[[Case], list[str]]]:
    """Return a function that runs a case, checks what every refusal has, and returns its lines."""
    here = root / f"case{len(list(root.iterdir()))}"

    def run(case: Case) -> list[str]:
        here.mkdir()
        case.write(here)
        before = _tree(here)
        said = negbench(*case.arguments, cwd=here)
        assert "Traceback" not in said.err
        assert said.code == 2, said
        assert _tree(here) == before
        lines: list[str] = said.err.splitlines()
        return [line for line in lines if not line.startswith(STAGES)]

    before = signal.signal(signal.SIGALRM, _stop)
    signal.alarm(HANGS_AFTER)
    yield run
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


STAGES = ("load ", "evaluate on ")
"""How the lines begin that say which stage is run."""


@pytest.mark.parametrize("case", CASES)
def test_a_bad_input_is_refused_in_one_line(case: Case, refuse: Callable[[Case], list[str]]) -> None:
    lines = refuse(case)
    assert len(lines) == case.problems, lines
    assert lines[0].startswith("negbench: ")
    for named in case.named:
        assert any(named in line for line in lines), (named, lines)
    for line in lines:
        kind, remedy = next((kind, remedy) for kind, (known_by, remedy) in KINDS.items() if re.search(known_by, line))
        assert re.search(remedy, line), (kind, line)
        assert len(line) < 5_000


def test_there_are_many_of_each_class() -> None:
    counts = Counter(str(case.id).partition(" - ")[0] for case in CASES)
    assert counts.total() >= 400, counts
    assert set(counts) == set(CLASSES)
