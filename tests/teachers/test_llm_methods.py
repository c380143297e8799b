"""Methods that choose by a language model's grades, mined over HTTP on loopback."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from chat_server import Server

import negbench
from negbench.collections.beir import Beir


def grade(text: str, _: int = 0) -> tuple[int, str]:
    return 200, f"score: {sum(map(ord, text)) % 4}"


def mined(method: str, depth: int, server: Server, folder: Path, encoder: Path) -> dict[str, list[Any]]:
    """Mine two negatives a query; return the rows of each query."""
    teacher = {"llm": {"server": server.url, "key": "SECRET", "model": "m"}}
    asked: dict[str, Any] = {method: {"teacher": teacher, "depth": depth}}
    found = negbench.mine(asked, folder, encoder=encoder, negatives=2, max_length=32, store=folder.parent / "store")
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in found.rows:
        rows[row.query].append(row)
    return rows


def answers(server: Server, folder: Path) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """The grade of each candidate asked about, by query id and text; and the highest of the query's positives."""
    collection = Beir(path=str(folder)).load()
    passages, positives = collection.passages(), collection.qrels["train"].by_query()
    graded: dict[str, dict[str, int]] = defaultdict(dict)
    for text in server.asked:
        question, passage = text.removeprefix("Query: ").split("\n\nPassage: ")
        for row in positives:
            if collection.queries[row] == question:
                graded[collection.query_ids[row]][passage] = int(grade(text)[1][-1])
    best = {}
    for row, documents in positives.items():
        own = graded[collection.query_ids[row]]
        best[collection.query_ids[row]] = max(own.pop(passages[document]) for document in documents.tolist())
    return graded, best


@pytest.fixture
def behaving(server: Server) -> Server:
    server.behave = grade
    return server


def test_gecko_takes_what_a_language_model_grades_lowest(
    behaving: Server, tiny_collection: Path, tiny_encoder: Path
) -> None:
    rows = mined("gecko", 8, behaving, tiny_collection, tiny_encoder)
    graded, _ = answers(behaving, tiny_collection)
    assert set(behaving.asked.values()) == {1}
    assert len(rows) == 24
    for query, drawn in rows.items():
        assert [graded[query][row.text] for row in drawn] == sorted(graded[query].values())[:2]


def test_arhn_keeps_what_holds_no_answer(behaving: Server, tiny_collection: Path, tiny_encoder: Path) -> None:
    rows = mined("arhn", 8, behaving, tiny_collection, tiny_encoder)
    graded, best = answers(behaving, tiny_collection)
    for query, drawn in rows.items():
        grades = graded[query]
        left = [text for text, value in grades.items() if value < 2 and value <= best[query]]
        ranked = [row for row in drawn if row.origin == "ranked"]
        assert len(ranked) == min(2, len(left))
        assert {row.text for row in ranked} <= set(left)
        assert not {row.text for row in drawn} & {text for text, value in grades.items() if value > best[query]}
