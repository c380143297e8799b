"""What holds of the tests themselves."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the first name of every module that a file imports, wherever in the file it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_no_file_imports_from_a_test_file(path: Path) -> None:
    """What tests share stands in modules of its own, and fixtures in a conftest."""
    tests = {other.stem for other in FILES if other.stem.startswith("test_")}
    assert not imported(path) & (tests | {"conftest"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_file_finds_what_it_imports_when_it_is_run_alone(path: Path) -> None:
    """A module of the tests stands in the file's own folder, or in one above that has a conftest."""
    modules = {other.stem: other.parent for other in FILES if not other.stem.startswith("test_")}
    above = [folder for folder in path.parents if folder == path.parent or (folder / "conftest.py").exists()]
    missing = [name for name in imported(path) if name in modules and modules[name] not in above]
    assert not missing


def test_no_two_files_have_one_name() -> None:
    """Tests of all folders are imported by their bare names."""
    names = Counter(path.stem for path in FILES if path.stem != "conftest")
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
