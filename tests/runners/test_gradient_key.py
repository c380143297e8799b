from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from made_grid import grid_text


def test_a_gradient_without_truth_is_refused_before_anything_is_trained(
    tmp_path: Path, tiny_encoder: Path, tiny_collection: Path, negbench: Callable[..., Any]
) -> None:
    (tmp_path / "grid.yaml").write_text(grid_text(tiny_encoder, "[in-batch]") + "gradient: true\n")
    said = negbench("run", "grid.yaml", "--set", f"collection={tiny_collection}", cwd=tmp_path)
    assert said.code == 2
    assert said.err.splitlines()[-1].startswith(
        "negbench: gradient: collection garden has no fuller judgments of train"
    )
    assert not (tmp_path / "runs").exists()
