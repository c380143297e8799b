"""Imports go one way: a room imports only what stands before it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import negbench

ORDER = (
    ("errors", "spelling"),
    ("parts", "types", "machine"),
    ("noise", "part_checks"),
    ("store",),
    ("chat",),
    ("collections",),
    ("encoders",),
    ("retrieval",),
    ("teachers",),
    ("asks",),
    ("samplers", "filters", "labels", "batching", "writers", "losses", "refresh", "detectors"),
    ("mining",),
    ("repair",),
    ("training",),
    ("evaluation",),
    ("methods",),
    ("config",),
    ("plan",),
    ("tracking", "report"),
    ("audit",),
    ("runners",),
    ("cli",),
)
"""Rooms and single files from the ground up; those of one line do not import one another."""

HERE = Path(negbench.__file__).parent
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}


def _room(path: Path) -> str:
    return path.relative_to(HERE).parts[0].removesuffix(".py")


def _imported(path: Path) -> set[str]:
    """Return the rooms of negbench that a file imports, wherever in the file it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("negbench.")} & LEVEL.keys()


FILES = sorted(path for path in HERE.rglob("*.py") if path != HERE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_file_imports_only_rooms_before_its_own(path: Path) -> None:
    room = _room(path)
    above = {other for other in _imported(path) if other != room and LEVEL[other] >= LEVEL[room]}
    assert not above


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
