"""A language model as the judge of a whole grid, over HTTP on loopback, with one pair that it refuses."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Server

from negbench.collections import Source
from negbench.teachers.llm import HIGHEST

COLLECTION = "helpdesk(articles=100, queries=12, dev=2, test=4, label_rate=1.0)"


def test_a_grid_is_judged_and_a_refusal_counts_at_the_mean(
    server: Server,
    tmp_path: Path,
    tiny_encoder: Path,
    negbench: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused: dict[str, str] = {}
    said: dict[str, int] = {}

    def behave(text: str, times: int) -> tuple[int, str]:
        if refused.setdefault("this one", text) == text:
            return 200, "I cannot help with that."
        said[text] = sum(map(ord, text)) % (HIGHEST + 1)
        return 200, f"score: {said[text]}"

    server.behave = behave
    (tmp_path / "grid.yaml").write_text(
        f"""
name: judged
collection: "{COLLECTION}"
encoder: {tiny_encoder}
methods: [bm25]
judge: {{llm: {{server: "{server.url}", key: SECRET, model: m}}}}
negatives: 2
train: {{batch_size: 8, max_length: 32, precision: float32}}
"""
    )
    done = negbench("run", "grid.yaml", cwd=tmp_path, store=tmp_path / "store")
    assert done.code == 0, done.err
    assert set(server.asked.values()) == {1}
    assert len(server.asked) == len(said) + 1 == 24  # two negatives of each of 12 queries

    collection = Source.model_validate(COLLECTION).load()
    rows = collection.qrels["train"].at_least(1).queries  # a training row each
    trained = {collection.queries[row]: int((rows == row).sum()) for row in np.unique(rows).tolist()}
    grades = {text: said.get(text, np.mean([*said.values()])) / HIGHEST for text in server.asked}
    weights = [trained[text.split("\n\nPassage: ")[0].removeprefix("Query: ")] for text in grades]
    assert len(set(weights)) > 1
    results = json.loads((tmp_path / "runs/judged/results.json").read_text())
    (trial,) = [trial for trial in results["trials"] if trial["method"] == "bm25"]
    found = trial["false_negatives"]["judge/index"]
    assert found["rate"] == pytest.approx(np.average([*grades.values()], weights=weights), rel=1e-5)
    assert "1 pairs without a score" in found["note"]
    with (tmp_path / "runs/judged/false_negatives.csv").open() as file:
        assert any("1 pairs without a score" in cell for row in csv.reader(file) for cell in row)

    again = negbench("run", "grid.yaml", cwd=tmp_path, store=tmp_path / "store")
    assert again.code == 0, again.err
    assert set(server.asked.values()) == {1}

    # without the key, what is kept is read, and nothing else is begun
    shutil.rmtree(tmp_path / "store/judged")
    monkeypatch.delenv("SECRET")
    unasked = negbench("run", "grid.yaml", cwd=tmp_path, store=tmp_path / "store")
    assert unasked.code == 0, unasked.err
    assert set(server.asked.values()) == {1}
    other = negbench("run", "grid.yaml", "--set", "negatives=3", cwd=tmp_path, store=tmp_path / "store")
    assert other.code == 2
    assert "the environment variable SECRET holds no key; set it" in other.err
    (tmp_path / "store/answers/llm.sqlite").unlink()
    shutil.rmtree(tmp_path / "store/judged")
    assert negbench("run", "grid.yaml", cwd=tmp_path, store=tmp_path / "store").code == 2
