"""The versions and the commit of this process."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import negbench
from negbench import versions


def test_every_package_that_figures_depend_on_is_there() -> None:
    found = versions.versions()
    assert found["numpy"] == version("numpy")
    assert {"python", "negbench", "torch", "sentence-transformers", "transformers", "voyager", "bm25s"} <= set(found)
    assert found["negbench"].startswith(version("negbench"))


def git(folder: Path, *command: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *command], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_is_that_of_our_own_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "negbench"
    package.mkdir(parents=True)
    module = package / "versions.py"
    module.write_text("1\n")
    monkeypatch.setattr(versions, "__file__", str(module))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("GIT_DIR", raising=False)
    assert versions.commit() is None  # no checkout at all

    git(tmp_path, "init", "-q")
    (tmp_path / "other.py").write_text("1\n")
    git(tmp_path, "add", "other.py")
    git(tmp_path, "commit", "-qm", "somebody else's")
    assert versions.commit() is None  # installed into somebody else's checkout

    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "ours")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert versions.commit() == head
    (tmp_path / "other.py").write_text("2\n")
    assert versions.commit() == head  # a change outside of the package
    module.write_text("2\n")
    assert versions.commit() == head + "+"


def test_the_version_stands_in_pyproject_alone_and_pages_name_it() -> None:
    root = Path(__file__).parents[1]
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert negbench.__version__ == version("negbench")
    citation = YAML(typ="safe").load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == declared
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    versions = re.findall(r"^## \[(.+)\]", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert next(it for it in versions if it != "Unreleased") == declared
