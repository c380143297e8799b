"""Imports go one way: a room imports only what stands before it."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import negbench

ORDER = (
    ("errors", "spelling", "features", "libraries", "escaping", "letters"),
    ("user_files",),
    ("plain_values",),
    ("registry", "types", "resources"),
    ("rng", "part_checks"),
    ("store",),
    ("chat",),
    ("collections",),
    ("encoders",),
    ("retrieval",),
    ("teachers",),
    ("requirements",),
    ("samplers", "filters", "labels", "batching", "writers", "losses", "refresh", "detectors"),
    ("mining",),
    ("repair",),
    ("training",),
    ("evaluation",),
    ("methods",),
    ("config",),
    ("stages",),
    ("plan",),
    ("tracking", "report", "export", "executors"),
    ("auditing",),
    ("runners",),
    ("papers",),
    ("api",),
    ("terminal",),
    ("commands",),
    ("cli",),
)
"""Rooms and single files from the ground up; those of one line do not import one another."""

STAGES = ("inputs", "mining", "refresh", "training", "evaluation")
"""The rooms of ``stages`` from the ground up."""

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


TYPE_CIRCLES = {frozenset({"negbench.methods", "negbench.methods.overrides"})}
"""Circles for the type checker alone: a method writes its spelling by its overrides, which are those of a method."""


def _module(path: Path) -> str:
    return ".".join((HERE.name, *path.relative_to(HERE).with_suffix("").parts)).removesuffix(".__init__")


def _imported_modules(path: Path, modules: set[str]) -> set[str]:
    """Return the modules of negbench that a file imports: anywhere, in functions and for the type checker, too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in modules else node.module for name in inner}
    return names & modules - {_module(path)}


FILES = sorted(path for path in HERE.rglob("*.py") if path not in (HERE / "__init__.py", HERE / "__main__.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_file_imports_only_rooms_before_its_own(path: Path) -> None:
    room = _room(path)
    above = {other for other in _imported(path) if other != room and LEVEL[other] >= LEVEL[room]}
    assert not above


@pytest.mark.parametrize(
    "path", [path for path in FILES if "stages" in path.parts], ids=lambda path: str(path.relative_to(HERE))
)
def test_a_stage_imports_only_floors_below_its_own(path: Path) -> None:
    floor = path.relative_to(HERE / "stages").parts[0].removesuffix(".py")
    modules = re.findall(r"negbench\.stages\.(\w+)", path.read_text())
    imported = {name for name in modules if name in STAGES and name != floor}
    assert floor == "__init__" or all(STAGES.index(name) < STAGES.index(floor) for name in imported)


def test_no_modules_import_one_another_in_a_circle() -> None:
    modules = {_module(path) for path in FILES}
    imports = {_module(path): _imported_modules(path, modules) for path in FILES}
    reached = {module: set(found) for module, found in imports.items()}
    for through in modules:
        for found in reached.values():
            if through in found:
                found |= reached[through]
    circles = {frozenset(other for other in reached[it] if it in reached[other]) for it in modules if it in reached[it]}
    assert circles == TYPE_CIRCLES


MOST_POSITIONAL = 5
"""How many fields a dataclass may have whose call sites need not name them."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_dataclass_of_many_fields_is_made_by_their_names(path: Path) -> None:
    module = importlib.import_module(_module(path))
    for kind in vars(module).values():
        if isinstance(kind, type) and kind.__module__ == module.__name__ and is_dataclass(kind):
            made = [field for field in fields(kind) if field.init]
            positional = [field.name for field in made if not field.kw_only]
            assert len(made) <= MOST_POSITIONAL or not positional, f"{kind.__name__} needs kw_only=True: {positional}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_the_layout_lists_the_rooms_in_this_order() -> None:
    section = (HERE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Layout\n")[2]
    rows = re.findall(r"^\| (`.+?`) \| [^|]+ \|$", section, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == [name for line in ORDER for name in line]
