from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from negbench.config.grid import read
from negbench.plan.trials import trials
from negbench.report.audited import Audited
from negbench.report.card import Choice, card

CONDENSED = "nDCG(judged_only=True)@10"
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
    return card(found, {"metrics": {"nDCG@10": 0.12345, "R@100": None, CONDENSED: 1.0}})


def test_hubs_can_read_it(text: str) -> None:
    made = ModelCard(text)
    assert made.data.library_name == "sentence-transformers"
    (result,) = made.data.eval_results
    assert (result.dataset_name, result.metric_name, result.metric_value) == ("helpdesk", "nDCG@10", 0.1235)


@pytest.mark.parametrize(("value", "shown"), [(1.0, False), (0.9987, True)])
def test_a_measure_that_is_1_for_any_encoder_is_left_out(
    value: float, shown: bool, tmp_path: Path, tiny_encoder: Path
) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace("ENCODER", str(tiny_encoder)))
    text = card(trials(read(path))[-1], {"metrics": {"nDCG@10": 1.0, CONDENSED: value}})
    names = [it.metric_name for it in ModelCard(text).data.eval_results]
    assert names == ["nDCG@10", *[CONDENSED] * shown]
    assert [f"| {name} | " in text for name in ("nDCG@10", CONDENSED)] == [True, shown]


def test_it_says_how_the_encoder_was_made(text: str) -> None:
    assert "method: `random` (fixed), seed 3" in text
    assert "keep_layers 1, warmed up with in-batch negatives" in text
    assert "SentenceTransformer(" in text


def test_it_holds_no_path(text: str, tiny_encoder: Path) -> None:
    assert str(tiny_encoder.parent) not in text


@pytest.mark.parametrize(
    ("judged", "contradicts"),
    [((0.3, 0.25, 0.35), True), ((0.15, 0.1, 0.2), False), ((0.01, None, None), True), ((0.07, None, None), False)],
)
def test_it_shows_the_audited_rate_first(
    judged: tuple[float, float | None, float | None], contradicts: bool, tmp_path: Path, tiny_encoder: Path
) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace("ENCODER", str(tiny_encoder)))
    found = trials(read(path))[-1]
    rate = {**dict(zip(("rate", "low", "high"), judged, strict=True)), "unit": "negative", "note": "by a model"}
    exact = {"rate": 0.09, "low": 0.07, "high": 0.11, "unit": "negative", "note": "by judgments"}
    by_people = Audited(
        method="random", negatives=("a", "b"), rate=0.08, low=0.05, high=0.12, labels=9, folder="x/y", note="9 labels"
    )
    lines = card(
        found, {"metrics": {}, "false_negatives": {"judge": rate, "exact": exact}}, by_people=by_people
    ).splitlines()
    at = lines.index("False negatives among the mined ones, of all 2 seeds (audit): 8.0 % [5.0, 12.0]; 9 labels.")
    text = "\n".join(lines[at:])
    assert "(exact): 9.00 % [7.00, 11.00]; by judgments.\n" in text
    assert ("(judge):" in text) == contradicts
    assert text.count("believe the audit's labels") == contradicts
    assert "x/y" not in "\n".join(lines)


def test_a_choice_is_set_against_the_start_of_its_own_training() -> None:
    values = {"in-batch start=weak": 0.4, "in-batch start=strong": 0.6}
    said = Choice("nDCG@10", "dev", values, 0.55).sentence
    assert said == "highest nDCG@10 on dev, 0.6000, of 2 rows"
    assert Choice("nDCG@10", "dev", values, 0.65).sentence.endswith(
        "before training has 0.6500 there, so training gains nothing"
    )
