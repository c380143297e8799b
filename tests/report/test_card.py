from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from negbench.config.grid import read
from negbench.plan.trials import trials
from negbench.report.card import card

GRID = """\
name: made
collection: helpdesk
encoder: {model: ENCODER, keep_layers: 1}
methods: [in-batch, random]
seeds: [3]
warm_up: {epochs: 1}
"""


@pytest.fixture
def text(tmp_path: Path, tiny_encoder: Path) -> str:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace("ENCODER", str(tiny_encoder)))
    found = trials(read(path))[-1]
    return card(found, {"metrics": {"nDCG@10": 0.12345, "R@100": None}})


def test_hubs_can_read_it(text: str) -> None:
    made = ModelCard(text)
    assert made.data.library_name == "sentence-transformers"
    (result,) = made.data.eval_results
    assert (result.dataset_name, result.metric_name, result.metric_value) == ("helpdesk", "nDCG@10", 0.1235)


def test_it_says_how_the_encoder_was_made(text: str) -> None:
    assert "method: `random` (fixed), seed 3" in text
    assert "keep_layers 1, warmed up with in-batch negatives" in text
    assert "SentenceTransformer(" in text


def test_it_holds_no_path(text: str, tiny_encoder: Path) -> None:
    assert str(tiny_encoder.parent) not in text
