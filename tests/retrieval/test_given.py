"""Candidates that came with a collection: their order, their scores, and what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from negbench.collections.pairs import Pairs
from negbench.errors import InputError
from negbench.methods import named
from negbench.mining import Rules, mine
from negbench.retrieval import Search
from negbench.retrieval.given import Given
from negbench.retrieval.pool import build
from negbench.samplers.top import Top
from negbench.types import Collection, GivenCandidates

ROWS = [
    {"query": "where is a?", "pos": ["here is a"], "neg": ["x", "y", "here is a"], "pos_scores": [0.9]},
    {"query": "where is b?", "pos": ["here is b"], "neg": [], "pos_scores": [0.8]},
]


def collection(folder: Path, scores: list[float] | None) -> Collection:
    rows = [dict(row) for row in ROWS]
    if scores is not None:
        rows[0]["neg_scores"] = [*scores, 0.9]
        rows[1]["neg_scores"] = []
    (folder / "mined.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Pairs(path=str(folder / "mined.jsonl"), dev=0, test=0).load()


def test_candidates_keep_their_order_and_scores(tmp_path: Path) -> None:
    made = collection(tmp_path, [0.2, 0.5])
    asked = made.split_queries("train")
    pool = build(Given(depth=4), made, asked, "train", 0)
    assert [made.texts[row] for row in pool.documents[0, :3]] == ["x", "y", "here is a"]
    assert np.allclose(pool.scores[0, :3], [0.2, 0.5, 0.9])
    assert np.allclose(pool.positive_scores[:, 0], [0.9, 0.8])
    assert pool.known[0].tolist() == [False, False, True, False]
    assert (pool.documents[1] == -1).all()
    by_score = build(Given(depth=4, order="score"), made, asked, "train", 0)
    assert [made.texts[row] for row in by_score.documents[0, :3]] == ["here is a", "y", "x"]


def test_without_scores_ranks_stand_in(tmp_path: Path) -> None:
    made = collection(tmp_path, None)
    pool = build(Given(depth=4), made, made.split_queries("train"), "train", 0)
    assert np.allclose(pool.scores[0, :3], [1, 1 / 2, 1 / 3])
    assert np.isnan(pool.positive_scores).all()
    with pytest.raises(InputError, match="order=score needs a score for each"):
        build(Given(order="score"), made, made.split_queries("train"), "train", 0)


def test_a_query_without_a_list_is_filled_and_counted(tmp_path: Path) -> None:
    made = collection(tmp_path, None)
    asked = made.split_queries("train")
    pool = build(Given(depth=4), made, asked, "train", 0)
    found = mine(pool, Rules(Top()), 2, 0, made.own_documents()[asked], len(made.texts))
    assert found.origins.tolist() == [[0, 0], [1, 1]]
    assert {made.texts[row] for row in found.documents[0]} == {"x", "y"}


def test_a_collection_without_lists_is_refused(search: Search) -> None:
    with pytest.raises(InputError, match="the collection came without negatives"):
        Given().rank(replace(search, given=None))


def test_the_method_takes_the_first_of_the_lists() -> None:
    method = named("given")
    assert method.retriever is not None
    assert (method.retriever.name, method.retriever.parameters["order"]) == ("given", "list")
    assert method.filters == ()


@drawn(st.data())
def test_the_lists_of_some_queries(data: st.DataObject) -> None:
    queries = sorted(data.draw(st.lists(st.integers(0, 6), max_size=12)))
    count = len(queries)
    table = GivenCandidates(
        np.array(queries, np.int32), np.arange(count, dtype=np.int32), np.arange(count, dtype=np.int32),
        np.zeros(count, np.float32),
    )  # fmt: skip
    rows = np.array(data.draw(st.lists(st.integers(0, 9), unique=True, max_size=8)), np.int32)
    found = table.of_queries(rows)
    wanted = [
        (place, at) for place, row in enumerate(rows.tolist()) for at, query in enumerate(queries) if query == row
    ]
    assert list(zip(found.queries.tolist(), found.documents.tolist(), strict=True)) == wanted
