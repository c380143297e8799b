"""Files of others in a folder of results: none is replaced, and results of one's own are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import negbench as nb
from negbench import tracking
from negbench.errors import InputError
from negbench.report import foreign

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("name", foreign.RESULTS)
def test_a_run_replaces_no_file_of_others(
    name: str, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
    grid = {"name": "g", "collection": str(tiny_collection), "encoder": str(tiny_encoder), "methods": ["bm25"]}
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError) as caught:
        nb.run(grid, tmp_path, store=tmp_path / "store")
    what = f"{tmp_path / name}: exists, and its folder holds no results of negbench's"
    assert str(caught.value) == f"{what}; choose another --out, or move it away"
    assert [path.name for path in tmp_path.iterdir()] == [name]  # before any stage


def test_what_negbench_wrote_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "table.md").write_text("| a |\n")
    for name, content in (("results.json", {"trials": []}), ("manifest.json", {"grid": "name: g"})):
        path = tmp_path / name
        path.write_text(json.dumps(content))
        foreign.check_results(tmp_path)
        path.unlink()
    with pytest.raises(InputError):
        foreign.check_results(tmp_path)


def test_tracked_results_are_known_as_such() -> None:
    for manifest in (REPOSITORY / "results").glob("*/manifest.json"):
        foreign.check_results(manifest.parent)
    for verdicts in (REPOSITORY / "results/papers").glob("*/verdicts.json"):
        foreign.check_verdicts(verdicts.parent)
