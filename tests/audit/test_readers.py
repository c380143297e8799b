"""Negatives from every format come out as the same frame; what is broken is said with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_negatives import MINED, PAIRS, WRITERS, flag, tevatron, triplets, tuples

from negbench.audit.frame import Frame, build
from negbench.audit.known import folded
from negbench.audit.readers import read
from negbench.collections.beir import Beir
from negbench.errors import InputError
from negbench.store import Store


def framed(*paths: Path) -> Frame:
    return build(*read(paths, None, Store(Path("unused"))))


def pairs(frame: Frame) -> dict[tuple[str, str], tuple[float, int]]:
    """Return weight and rank of each pair for the only method."""
    return {
        (folded(frame.query_texts[query]), folded(frame.document_texts[document])): (weight, rank)
        for query, document, weight, rank in zip(
            frame.queries.tolist(), frame.documents.tolist(), frame.weights[0], frame.ranks[0], strict=True
        )
    }


class TestFormats:
    @pytest.mark.parametrize("name", WRITERS)
    def test_the_same_negatives(self, name: str, tmp_path: Path) -> None:
        frame = framed(WRITERS[name](tmp_path))
        assert pairs(frame) == {(folded(query), folded(text)): (1.0, rank) for (query, text), rank in PAIRS.items()}
        assert not frame.labelled.any()
        assert np.isnan(frame.relevant).all()
        for query, positives in zip(frame.query_texts, frame.positives, strict=True):
            assert [folded(text) for text in positives] == [folded(MINED[query][0])]

    def test_scores_are_read(self, tmp_path: Path) -> None:
        frame = framed(WRITERS["flag embedding"](tmp_path))
        assert np.array_equal(frame.scores[0], np.where(frame.ranks[0] == 0, 0.8, 0.7))
        scored = [{**row, "scores": [0.9, 0.6, 0.5]} for row in tuples()]
        (tmp_path / "scored.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scored))
        frame = framed(tmp_path / "scored.jsonl")
        assert np.array_equal(frame.scores[0], np.where(frame.ranks[0] == 0, 0.6, 0.5))

    def test_a_row_that_is_short_of_negatives(self, tmp_path: Path) -> None:
        short = [{**row, "negative_2": None} for row in tuples()]
        (tmp_path / "short.jsonl").write_text("".join(json.dumps(row) + "\n" for row in short))
        assert len(framed(tmp_path / "short.jsonl")) == 3

    def test_shuffled_triplets_have_no_ranks(self, tmp_path: Path) -> None:
        rows = triplets()
        (tmp_path / "shuffled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[::2] + rows[1::2]))
        assert set(framed(tmp_path / "shuffled.jsonl").ranks.ravel()) == {-1}

    def test_several_files_are_several_methods(self, tmp_path: Path) -> None:
        (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flag()))
        (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flag()[:1] * 2))
        frame = framed(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
        assert frame.methods == ("a", "b")
        assert frame.weights.sum(axis=1).tolist() == [6, 4]
        assert sorted(frame.weights[1]) == [0, 0, 0, 0, 2, 2]
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub/a.jsonl").write_text((tmp_path / "a.jsonl").read_text())
        names = framed(tmp_path / "a.jsonl", tmp_path / "sub/a.jsonl").methods
        assert names == (str(tmp_path / "a.jsonl"), str(tmp_path / "sub/a.jsonl"))

    def test_a_positive_among_the_negatives_is_found(self, tmp_path: Path) -> None:
        """A query's positive of one row is a negative in another, in other white space."""
        rows = [
            {"query": "q", "pos": ["one"], "neg": ["two  words", "three"]},
            {"query": "q", "pos": ["two words"], "neg": ["three"]},
        ]
        (tmp_path / "leak.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        frame = framed(tmp_path / "leak.jsonl")
        assert [frame.document_texts[at] for at in frame.documents[frame.labelled]] == ["two  words"]
        assert sorted(frame.weights[0].tolist()) == [1, 2]


class TestCollections:
    def test_ids_are_looked_up(self, tmp_path: Path, tiny_collection: Path) -> None:
        garden = Beir(path=str(tiny_collection)).load()
        lines = ["train-0\tbasil-watering\ttomato-light", "train-2\trose-soil\tfern-soil"]
        (tmp_path / "ids.tsv").write_text("\n".join(lines))
        frame = build(*read([tmp_path / "ids.tsv"], garden, Store(Path("unused"))))
        passages = dict(zip(garden.document_ids, garden.passages(), strict=True))
        assert set(frame.document_texts) == {passages["tomato-light"], passages["fern-soil"]}
        (tmp_path / "ids.tsv").write_text("\n".join([*lines, "train-2\trose-soil\tfern-sail"]))
        with pytest.raises(InputError, match=r"ids.tsv:3: .* no document 'fern-sail'"):
            read([tmp_path / "ids.tsv"], garden, Store(Path("unused")))
        with pytest.raises(InputError, match=r"ids.tsv:1: triples of ids .*--collection"):
            framed(tmp_path / "ids.tsv")

    def test_its_positives_count_as_known(self, tmp_path: Path, tiny_collection: Path) -> None:
        """train-1 has two labelled positives; a miner who was told of one drew the other."""
        garden = Beir(path=str(tiny_collection)).load()
        query = garden.query_ids.index("train-1")
        labels = garden.qrels["train"]
        mine = labels.documents[labels.queries == query].tolist()
        assert len(mine) == 2
        passages = garden.passages()
        row = {"query": garden.queries[query], "pos": [passages[mine[0]]], "neg": [passages[mine[1]], passages[59]]}
        (tmp_path / "mined.jsonl").write_text(json.dumps(row))
        frame = build(*read([tmp_path / "mined.jsonl"], garden, Store(Path("unused"))))
        assert [frame.document_texts[at] for at in frame.documents[frame.labelled]] == [passages[mine[1]]]
        assert set(frame.positives[0]) == {passages[at] for at in mine}


BROKEN = {
    "broken JSON": ('{"query": "q", "pos": ["p"], "neg": ["n"]}\n{"query":', ":2: broken JSON"),
    "no list": ('{"query": "q", "pos": ["p"], "neg": "n"}', ":1: neg: expected a list, found 'n'"),
    "a number in a list": ('{"query": "q", "pos": ["p"], "neg": [7]}', ":1: neg: expected a list of texts, found 7"),
    "a field is missing": (
        '{"query": "q", "pos": ["p"], "neg": ["n"]}\n{"query": "q", "neg": ["n"]}',
        ":2: pos: expected a list, found nothing",
    ),
    "scores": (
        '{"query": "q", "pos": ["p"], "neg": ["n"], "neg_scores": [1, 2]}',
        ":1: neg_scores: expected 1 numbers, found 2",
    ),
    "a label": ('{"anchor": "q", "document": "d", "label": 2}', ":1: label: expected 0 or 1, found 2"),
    "no layout": ('{"question": "q", "answer": "d"}', ":1: no known layout .*question, answer"),
    "a list": ('[{"query": "q"}]', ":1: a JSON list"),
    "two cells": ("a b\tb c\tc d\na b\tb c\n", ":2: expected query, positive and negative"),
    "a short CSV row": ("query,positive,negative\na,b,c\na,b\n", ":3: expected 3 cells"),
    "prose": ("These are my negatives.\n", ":1: .* no known format"),
    "nothing": ("", "no known format"),
    "no rows": ("query,positive,negative\n", "holds no rows"),
    "no negatives": ('{"query": "q", "pos": ["p"], "neg": []}', "no negatives"),
    "an empty query": ('{"query": " ", "pos": ["p"], "neg": ["n"]}', ":1: query: expected some text"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_one_line_with_its_place(name: str, tmp_path: Path) -> None:
    text, said = BROKEN[name]
    (tmp_path / "mined.txt").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        framed(tmp_path / "mined.txt")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "mined.txt") in str(caught.value)


def test_odd_paths(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        framed(tmp_path / "missing.jsonl")
    with pytest.raises(InputError, match="holds no saved dataset"):
        framed(tmp_path)
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read as a saved dataset"):
        framed(tmp_path)
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        framed(tmp_path / "cut.parquet")
    (tmp_path / "latin.csv").write_bytes("query,positive,negative\na,b,caf\xe9\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin.csv:2: not UTF-8 text"):
        framed(tmp_path / "latin.csv")


def test_a_passage_without_text(tmp_path: Path) -> None:
    (row, *_) = tevatron()
    row["negative_passages"] = [{"docid": "7"}]
    (tmp_path / "ids.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match=r":1: negative_passages: text: expected some text, found nothing"):
        framed(tmp_path / "ids.jsonl")
