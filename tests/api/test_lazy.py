"""Importing negbench imports nothing that takes time; and the command line uses nothing but the API."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import negbench
from negbench import api

HEAVY = ("torch", "sentence_transformers", "transformers", "pandas", "matplotlib", "mlflow", "datasets", "scipy")


@pytest.mark.parametrize(
    "code",
    ["import negbench", "import negbench; negbench.load_grid('garden.yaml')", "from negbench import run, mine, audit"],
)
def test_nothing_heavy_is_imported(here: Path, code: str) -> None:
    told = f"{code}\nimport sys; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_import_negbench_imports_nothing_of_its_own() -> None:
    code = "import sys, negbench; print([name for name in sys.modules if name.startswith('negbench.')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_the_names_are_those_of_the_api() -> None:
    assert negbench.__all__ == api.__all__
    assert set(api.__all__) <= set(dir(negbench))
    assert all(getattr(negbench, name) is getattr(api, name) for name in api.__all__)
    with pytest.raises(AttributeError, match="no attribute 'rnu'"):
        _ = negbench.rnu


def test_no_name_is_also_a_package() -> None:
    """Importing a package puts it where a function of its name would be."""
    folder = Path(negbench.__file__).parent
    assert {path.name.removesuffix(".py") for path in folder.iterdir()}.isdisjoint(api.__all__)


def test_the_command_line_imports_the_api_alone() -> None:
    imported = set()
    folder = Path(negbench.__file__).parent
    sources = [path.read_text() for path in (folder / "cli.py", folder / "terminal.py", *folder.glob("commands/*.py"))]
    for node in itertools.chain.from_iterable(ast.walk(ast.parse(source)) for source in sources):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    own = {name for name in imported if name.startswith("negbench") and not name.startswith("negbench.commands")}
    helpers = {"negbench.api.advice", "negbench.api.launches", "negbench.api.mined", "negbench.api.pushes"}
    helpers |= {"negbench.errors", "negbench.escaping", "negbench.terminal"}
    assert own == {"negbench", *helpers}
