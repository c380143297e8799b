"""What the README and the pages in ``docs`` show works as it stands there."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from pools import candidate_pool
from ruamel.yaml import YAML
from typer.main import get_group

import negbench
from negbench.cli import app
from negbench.config.grid import read
from negbench.methods import resolve
from negbench.methods.overrides import KEYS
from negbench.registry import KINDS, Part, registered
from negbench.rng import CounterRNG

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = get_group(app).commands
BASE = {"name": "demo", "collection": "mine", "encoder": "all-MiniLM-L6-v2", "methods": ["in-batch"]}
"""What a page leaves out that shows a few keys of a grid."""


def _blocks(language: str, *pages: Path) -> list[str]:
    texts = [page.read_text(encoding="utf-8") for page in pages or PAGES]
    fenced = [block for text in texts for block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]
    return [content for name, content in fenced if name == language]


def _is_of_paper(block: str) -> bool:
    """Tell whether a block is a file of a paper's folder; tests/papers reads these."""
    return block.startswith(("# paper.yaml\n", "# expect.yaml\n"))


def _shipped(block: str) -> Path | None:
    """Return the file of a method that a block shows, as its first line says."""
    found = re.match(r"# (negbench/methods/[\w-]+\.yaml)\n", block)
    return ROOT / found[1] if found else None


def test_the_sampler_is_short_and_draws_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [block for block in _blocks("python", ROOT / "docs/adding-a-part.md") if "(Sampler)" in block]
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    (tmp_path / "semi_hard_demo.py").write_text(code)
    spec = importlib.util.spec_from_file_location("semi_hard_demo", tmp_path / "semi_hard_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "semi_hard_demo", module)
    monkeypatch.setattr("negbench.registry._REGISTRY", {kind: dict(registered(kind)) for kind in KINDS})
    spec.loader.exec_module(module)
    method = resolve({"simans": {"selection": "semi-hard-demo(margin=0.3)"}})
    assert method.spelling == "simans(selection=semi-hard-demo(margin=0.3))"
    pool = candidate_pool(
        [[0.95, 0.8, 0.75, 0.7, 0.4]] * 50,
        documents=[range(5)] * 50,
        known=[[False, False, True, False, False]] * 50,
        positives=[[2, 2]] * 50,
        positive_scores=[[0.9, np.nan]] * 50,
    )
    assert method.selection is not None
    drawn = method.selection.draw(pool, 1, CounterRNG(0, "demo")).positions
    assert set(drawn.ravel().tolist()) == {1, 3}


def test_the_python_api_has_what_is_called() -> None:
    pytest.importorskip("negbench.api")
    for block in _blocks("python", README, ROOT / "docs/python.md"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "negbench":
                assert hasattr(negbench, node.attr), node.attr


def test_the_grid_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (grid,) = [block for block in _blocks("yaml", README) if block.startswith("# mine.yaml")]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faq.csv").write_text("question,answer\nwhere,here\n")
    (tmp_path / "mine.yaml").write_text(grid)
    found = read(tmp_path / "mine.yaml")
    assert [len(settings.methods) for _, settings in found.points] == [5, 5]


@pytest.mark.parametrize("block", [it for it in _blocks("yaml") if not _shipped(it) and not _is_of_paper(it)])
def test_keys_of_a_grid_are_valid(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "faq.csv").write_text("question,answer\nwhere,here\n")
    with (tmp_path / "demo.yaml").open("w") as file:
        keys = YAML().load(block)
        YAML().dump(
            {**{key: it for key, it in BASE.items() if key != "collection" or "collections" not in keys}, **keys}, file
        )
    assert read(tmp_path / "demo.yaml").points


@pytest.mark.parametrize("block", [block for block in _blocks("yaml") if _shipped(block)])
def test_a_method_is_shown_as_it_ships(block: str) -> None:
    path = _shipped(block)
    assert path is not None
    assert block.partition("\n")[2] == path.read_text(encoding="utf-8")


def test_an_entry_point_is_of_the_group_that_is_read() -> None:
    for block in _blocks("toml"):
        (group,) = tomllib.loads(block)["project"]["entry-points"]
        assert f'group="{group}"' in (ROOT / "negbench/registry.py").read_text(encoding="utf-8")


def _shell_lines() -> list[list[str]]:
    lines = [line for block in _blocks("") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(("negbench ", "make "))]


@pytest.mark.parametrize("words", _shell_lines(), ids=" ".join)
def test_a_command_of_a_block_is_there(words: list[str]) -> None:
    if words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets
    else:
        options = {name for parameter in COMMANDS[words[1]].params for name in parameter.opts}
        assert {word for word in words[2:] if word.startswith("--")} <= options


def test_the_page_of_commands_has_each_with_all_its_options() -> None:
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    shown = {words.split()[1]: words for words in re.findall(r"^\| `(negbench [^`]+)`", text, re.MULTILINE)}
    assert set(shown) == set(COMMANDS)
    for name, command in COMMANDS.items():
        spelled = [option for it in command.params for option in (*it.opts, *it.secondary_opts)]
        options = {option for option in spelled if option.startswith("--")}
        assert set(re.findall(r"--[\w-]+", shown[name])) == options, name
    of_store = {words.split()[1]: words for words in re.findall(r"^\| `(store [^`]+)`", text, re.MULTILINE)}
    assert set(of_store) == set(COMMANDS["store"].commands)  # type: ignore[attr-defined]
    for name, command in COMMANDS["store"].commands.items():  # type: ignore[attr-defined]
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        assert set(re.findall(r"--[\w-]+", of_store[name])) == options, name


def test_the_page_of_parts_has_each_kind_with_what_it_must_define() -> None:
    text = (ROOT / "docs/adding-a-part.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `(negbench/[\w/]+)/` \| (.+) \|$", text, re.MULTILINE)
    assert {kind: folder.replace("/", ".") for kind, folder, _ in rows} == KINDS
    for kind, folder, methods in rows:
        package = importlib.import_module(folder.replace("/", "."))
        bases = [it for it in vars(package).values() if isinstance(it, type) and issubclass(it, Part)]
        (base,) = [it for it in bases if it.kind == kind and it.__module__ == package.__name__]
        assert set(re.findall(r"`(\w+)`", methods)) == base.__abstractmethods__, kind


def test_the_table_of_axes_has_all_of_them() -> None:
    text = (ROOT / "docs/methods-and-axes.md").read_text(encoding="utf-8")
    section = text.partition("## Axes\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` ", section, re.MULTILINE)) == set(KEYS)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_grid_is_valid(path: Path, tiny_collection: Path) -> None:
    read(path, ["collection=helpdesk", f"evaluate_on=[{tiny_collection}]"])
