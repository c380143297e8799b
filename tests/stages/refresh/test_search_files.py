"""A search that another process reads is the search that was written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_grids import plan

from negbench.samplers.top import Top
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.refresh.full_search import Search
from negbench.stages.refresh.search_files import FILE, load_search, save_search
from negbench.store import Store, ancestors

REFRESH = "every(steps=2, lag=1)"


def search_of(folder: Path, encoder: Path, method: Any) -> Search:
    (trial,) = plan(folder, encoder, [method])
    assert trial.training is not None
    draw = trial.training.mined
    assert draw.pool.documents is not None
    return Search(
        draw=draw,
        path_of=Store(folder / "store").path,
        limits={"query": 16, "document": None},
        folder=folder / "rounds",
        fixed={draw.pool.documents.key: np.arange(6, dtype=np.float32).reshape(3, 2)},
    )


@pytest.mark.parametrize(
    "method",
    [
        {"naive": {"refresh": REFRESH}},
        {"naive": {"refresh": REFRESH, "candidates": "hybrid(depth=40)"}},
        {"naive": {"refresh": REFRESH, "selection": "rance"}},
        {"naive": {"refresh": REFRESH, "selection": "trisampler", "filters": ["score-cap(cap=0.30000000000000004)"]}},
        {"simans": {"refresh": REFRESH, "filters": ["margin", "without-near-duplicates", "rank-band(low=2)"]}},
    ],
    ids=lambda method: json.dumps(method),
)
def test_a_search_is_read_as_it_was_written(method: Any, tmp_path: Path, tiny_encoder: Path) -> None:
    search = search_of(tmp_path, tiny_encoder, method)
    save_search(search, tmp_path)
    found = load_search(tmp_path)
    assert found.draw.key == search.draw.key
    assert found.draw.rules == search.draw.rules
    assert [stage.key for stage in found.draw.features] == [stage.key for stage in search.draw.features]
    needed = [stage for stage in ancestors(found.draw) if type(stage).__name__ != "KnownByKey"]
    for stage in needed:
        assert found.path_of(stage) == search.path_of(stage), stage.label
    assert {stage.kind for stage in needed} >= {"collection", "embeddings", "pool", "negatives"}
    assert (found.limits, found.folder) == (search.limits, search.folder)
    (vectors,) = found.fixed.values()
    assert found.fixed.keys() == search.fixed.keys()
    assert vectors.tolist() == [[0, 1], [2, 3], [4, 5]]


class Unregistered(Top):
    """A sampler of no file."""


def test_a_sampler_that_is_not_registered_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    """Its spelling is that of the registered one that it is a subclass of."""
    search = search_of(tmp_path, tiny_encoder, {"naive": {"refresh": REFRESH}})
    draw: DrawNegatives = replace(search.draw, sampler=Unregistered())
    with pytest.raises(ValueError, match=r"^another process would take top for something else .*Unregistered"):
        save_search(replace(search, draw=draw), tmp_path)


def test_a_changed_parameter_is_noticed(tmp_path: Path, tiny_encoder: Path) -> None:
    search = search_of(tmp_path, tiny_encoder, {"naive": {"refresh": REFRESH}})
    save_search(search, tmp_path)
    written = json.loads((tmp_path / FILE).read_text())
    written["stages"][search.draw.key]["fields"]["k"] += 1
    (tmp_path / FILE).write_text(json.dumps(written))
    with pytest.raises(ValueError, match=r"DrawNegatives is another one than that which was written$"):
        load_search(tmp_path)
