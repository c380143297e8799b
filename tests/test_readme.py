"""What the README shows works as it stands there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from negbench.config.grid import read
from negbench.methods import resolve
from negbench.noise import Noise, keys
from negbench.parts import ROOMS, registered
from negbench.types import CandidatePool

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_sampler_is_short_and_draws_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = _blocks("python")
    working = [line for line in code.splitlines() if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(working) <= 30
    (tmp_path / "semi_hard_demo.py").write_text(code)
    spec = importlib.util.spec_from_file_location("semi_hard_demo", tmp_path / "semi_hard_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "semi_hard_demo", module)
    monkeypatch.setattr("negbench.parts._REGISTRY", {kind: dict(registered(kind)) for kind in ROOMS})
    spec.loader.exec_module(module)
    method = resolve({"simans": {"selection": "semi-hard-demo(margin=0.3)"}})
    assert method.spelling == "simans(selection=semi-hard-demo(margin=0.3))"
    scores = np.array([[0.95, 0.8, 0.75, 0.7, 0.4]] * 50, np.float32)
    pool = CandidatePool(
        queries=np.arange(50, dtype=np.int32),
        documents=np.tile(np.arange(5, dtype=np.int32), (50, 1)),
        scores=scores,
        known=np.tile(np.array([False, False, True, False, False]), (50, 1)),
        positives=np.full((50, 2), 2, np.int32),
        positive_scores=np.tile(np.array([[0.9, np.nan]], np.float32), (50, 1)),
        query_keys=keys([f"q{n}" for n in range(50)]),
        document_keys=np.tile(keys([f"d{n}" for n in range(5)]), (50, 1)),
    )
    assert method.selection is not None
    drawn = method.selection.draw(pool, 1, Noise(0, "demo")).positions
    assert set(drawn.ravel().tolist()) == {1, 3}


def test_the_grid_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (grid,) = _blocks("yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine.yaml").write_text(grid)
    found = read(tmp_path / "mine.yaml")
    assert [len(settings.methods) for _, settings in found.points] == [5, 5]


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_grid_is_valid(path: Path, tiny_collection: Path) -> None:
    read(path, ["collection=helpdesk", f"evaluate_on=[{tiny_collection}]"])
