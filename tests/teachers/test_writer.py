"""Negatives that a language model writes, from the answer to the trained encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Server
from pools import mined

from negbench.evaluation.probe import told_apart
from negbench.stages.mining.writing import put_in_place, with_synthetic
from negbench.types import Collection, Qrels
from negbench.writers.counterfactual import CounterfactualWriter
from negbench.writers.counterfactual_chain import (
    ANALYSIS,
    INSTRUCTIONS,
    WITHOUT_ANALYSIS,
    CounterfactualChainWriter,
    requirements,
)
from negbench.writers.language_model import LanguageModelWriter, written


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        ('["one", "two"]', ["one", "two"]),
        ('Here they are:\n```json\n["a\\nb ", " "]\n```', ["a b"]),
        ('["one", 3, null, {"x": 1}]', ["one"]),
        ("I cannot write that.", []),
        ('["half', []),
        ('["\\ud800"]', []),
        ('{"one": 1}', []),
        ("", []),
    ],
)
def test_lists_as_models_write_them(answer: str, texts: list[str]) -> None:
    assert written(answer) == texts


def test_each_query_gets_its_own_and_no_more_than_asked(server: Server) -> None:
    server.behave = lambda text, times: (200, json.dumps([f"{text.split()[4]} {n}" for n in range(5)]))
    writer = LanguageModelWriter(model="m", server=server.url, key="SECRET", each=2)
    assert writer.write([("moss", "on bark"), ("fern", "in shade")]) == [["moss 0", "moss 1"], ["fern 0", "fern 1"]]
    assert all("on bark" in text or "in shade" in text for text in server.asked)


def test_a_counterfactual_writer_gives_other_instructions_and_reads_the_same_answers(server: Server) -> None:
    server.behave = lambda text, times: (200, json.dumps([f"{text.split()[4]} {n}" for n in range(5)]))
    settings = {"model": "m", "server": server.url, "key": "SECRET", "each": 2}
    plain, counterfactual = LanguageModelWriter(**settings), CounterfactualWriter(**settings)
    asked = [("moss", "on bark")]
    assert plain.write(asked) == counterfactual.write(asked) == [["moss 0", "moss 1"]]
    told = [body["messages"][0]["content"] for body in server.heard]
    assert told == [plain.instructions, counterfactual.instructions]
    assert "requirement" in told[1]
    assert "requirement" not in told[0]


def test_written_negatives_take_the_last_slots_and_rows_behind_the_corpus() -> None:
    table = np.array([[3, 4, 5], [6, 7, 8], [1, 2, -1]], np.int32)
    drawn = mined(table, ranks=table - 1)
    found = put_in_place(drawn, [["a"], [], ["b", "c"]], 10)
    assert found.documents.tolist() == [[3, 4, 10], [6, 7, 8], [1, 12, 11]]
    assert (found.origins == 2).tolist() == [[False, False, True], [False] * 3, [False, True, True]]
    assert (found.ranks[found.origins == 2] == -1).all()
    assert np.isnan(found.scores[found.origins == 2]).all()
    collection = Collection(
        name="c",
        document_ids=[f"d{n}" for n in range(10)],
        titles=[""] * 10,
        texts=["t"] * 10,
        query_ids=["q"],
        queries=["q"],
        qrels={"train": Qrels.of([])},
    )
    longer = with_synthetic(collection, [["a"], [], ["b", "c"]])
    assert [longer.passages()[row] for row in (10, 11, 12)] == ["a", "b", "c"]
    assert len({*longer.document_ids}) == 13


def test_the_probe_tells_what_differs_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    found = rng.standard_normal((200, 8)).astype(np.float32)
    same = rng.standard_normal((200, 8)).astype(np.float32)
    queries = np.arange(200, dtype=np.int32)
    assert told_apart(same, found, queries, queries) == pytest.approx(0.5, abs=0.1)
    assert told_apart(same + 3, found, queries, queries) > 0.99
    assert np.isnan(told_apart(same[:1], found[:1], queries[:1], queries[:1]))


def test_a_grid_trains_on_what_was_written(
    server: Server,
    tmp_path: Path,
    tiny_encoder: Path,
    negbench: Callable[..., Any],
) -> None:
    server.behave = lambda text, times: (200, json.dumps([f"nothing about {text.splitlines()[2]}"]))
    (tmp_path / "grid.yaml").write_text(
        f"""
name: written
collection: helpdesk(articles=100, queries=20, dev=5, test=8)
encoder: {tiny_encoder}
methods: [naive, {{syneg: {{server: "{server.url}", key: SECRET, model: m}}}}]
negatives: 2
train: {{batch_size: 8, max_length: 32, precision: float32}}
baseline: naive
"""
    )
    said = negbench("run", "grid.yaml", cwd=tmp_path, store=tmp_path / "store")
    assert said.code == 0, said.err
    results = json.loads((tmp_path / "runs/written/results.json").read_text())
    (trial,) = [trial for trial in results["trials"] if trial["method"] == "syneg"]
    (plain,) = [trial for trial in results["trials"] if trial["method"] == "naive"]
    assert trial["draw"]["written"] == 20
    assert trial["cost"]["steps"] == plain["cost"]["steps"]
    assert 0 <= trial["metrics"]["probe/written_auc"] <= 1
    assert ["negatives/eci" in it["metrics"] for it in (plain, trial)] == [True, False]  # no vectors of written ones
    asked = sum(server.asked.values())
    assert asked == 20
    shown = negbench("inspect", "grid.yaml", cwd=tmp_path, store=tmp_path / "store").out
    assert "nothing about Query:" in " ".join(shown.split())
    assert "written" in shown
    assert sum(server.asked.values()) == asked


ANALYSED = """Here it is:
{"need": "where moss grows", "answers": "a place", "requirements": [
 {"requirement": "it is about moss", "critical": true, "changes": ["fern for moss", " "]},
 {"requirement": "it is short", "critical": false, "changes": ["make it long"]},
 {"requirement": "it names a place", "changes": ["a season for the place"]},
 {"requirement": "nothing breaks it", "critical": true, "changes": []}]}"""


def test_requirements_are_those_that_changes_break() -> None:
    assert requirements(ANALYSED) == [
        {"requirement": "it is about moss", "changes": ["fern for moss"]},
        {"requirement": "it names a place", "changes": ["a season for the place"]},
    ]


@pytest.mark.parametrize("answer", ["I cannot.", "{half", "[1]", '{"requirements": 3}', '{"requirements": [3, {}]}'])
def test_an_analysis_that_cannot_be_read_is_replaced(answer: str) -> None:
    assert requirements(answer) == WITHOUT_ANALYSIS


def test_a_chain_asks_twice_and_hands_the_analysis_on(server: Server) -> None:
    def answered(text: str, _: int) -> tuple[int, str]:
        if not text.startswith("How many: 2\n\n"):
            return 200, ANALYSED if "moss" in text else "no"
        subject = text.split("Query: ")[1].split("\n")[0]
        return 200, json.dumps([f"{subject} 0", f"{subject} 0", f"{subject} 1", f"{subject} 2"])

    server.behave = answered
    writer = CounterfactualChainWriter(model="m", server=server.url, key="SECRET", each=2)
    assert writer.write([("moss", "on bark"), ("fern", "in shade")]) == [["moss 0", "moss 1"], ["fern 0", "fern 1"]]
    told = {body["messages"][1]["content"]: body["messages"][0]["content"] for body in server.heard}
    assert len(told) == len(server.heard) == 4
    first, second = "Query: moss\n\nPassage: on bark", "fern for moss"
    assert told[first] == ANALYSIS
    (handed,) = [text for text in told if second in text]
    assert told[handed] == INSTRUCTIONS
    assert handed.startswith(f"How many: 2\n\n{first}")
    (other,) = [text for text in told if text.startswith("How many") and "fern" in text and text != handed]
    assert WITHOUT_ANALYSIS[0]["requirement"] in other
