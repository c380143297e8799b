"""What the wheel holds: everything that the package reads, and enough to run outside of a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _data_files() -> set[Path]:
    """Return the files of the package that are no Python."""
    every = {path for path in (ROOT / "negbench").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return {path for path in every if path.suffix != ".py"}


def test_every_data_file_of_the_package_ships() -> None:
    patterns = DECLARED["tool"]["setuptools"]["package-data"]["negbench"]
    shipped = [set((ROOT / "negbench").glob(pattern)) for pattern in patterns]
    assert all(shipped), "a pattern of package-data names nothing"
    assert set().union(*shipped) == _data_files()


def test_the_oldest_python_is_the_same_everywhere() -> None:
    oldest = DECLARED["project"]["requires-python"].removeprefix(">=")
    assert DECLARED["tool"]["mypy"]["python_version"] == oldest
    assert DECLARED["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"


@pytest.mark.slow
def test_the_source_distribution_has_the_package_and_no_part_of_the_tests(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    for name in ("negbench", "tests"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "pyproject.toml",
        "MANIFEST.in",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CITATION.cff",
        "constraints.txt",
    ):
        shutil.copy(ROOT / name, clone)
    code = f"from setuptools import build_meta; print(build_meta.build_sdist({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=clone, check=True, capture_output=True)
    (made,) = tmp_path.glob("negbench-*.tar.gz")
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    package = {path.relative_to(clone).as_posix() for path in (clone / "negbench").rglob("*") if path.is_file()}
    assert package <= names
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "constraints.txt"} <= names
    assert not [name for name in names if name.startswith("tests")]


@pytest.mark.slow
def test_the_wheel_runs_outside_of_the_checkout(tmp_path: Path) -> None:
    """The dependencies are those of this environment; only negbench comes from the wheel."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run([*pip, *build], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("negbench-*.whl")
    place = tmp_path / "installed"
    install = ["install", "--no-deps", "--no-index", "--target", str(place), str(wheel)]
    subprocess.run([*pip, *install], cwd=tmp_path, check=True, capture_output=True)
    there = {path.relative_to(place) for path in (place / "negbench").rglob("*") if path.is_file()}
    assert {path.relative_to(ROOT) for path in _data_files()} <= there

    def run(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(place), "NEGBENCH_STORE": str(tmp_path / "store")}
        command = [sys.executable, "-m", "negbench", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-c", "import negbench; print(negbench.__file__)"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(place)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(place))
    assert run("--version").strip() == f"negbench {DECLARED['project']['version']}"
    assert "0 stages are stored" in run("quickstart", "--plan")
    assert "simans" in run("methods")
