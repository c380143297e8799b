"""Negatives from every format come out as the same frame; what is broken is said with file and line."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_negatives import MINED, PAIRS, WRITERS, flag, tevatron, triplets, tuples

from negbench.auditing import description
from negbench.auditing.known import folded
from negbench.auditing.population import Population, build
from negbench.auditing.readers import read
from negbench.collections.beir import Beir
from negbench.errors import InputError
from negbench.store import Store
from negbench.types import Collection


def framed(*paths: Path) -> Population:
    return build(*read(paths, None, Store(Path("unused"))))


def pairs(frame: Population) -> dict[tuple[str, str], tuple[float, int]]:
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

    def test_null_is_an_empty_list(self, tmp_path: Path) -> None:
        rows = [*flag(), {**flag()[0], "neg": None, "neg_scores": None}, {**flag()[0], "pos": None, "pos_scores": None}]
        (tmp_path / "null.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        pd.DataFrame(rows).to_parquet(tmp_path / "null.parquet")
        for frame in (framed(tmp_path / "null.jsonl"), framed(tmp_path / "null.parquet")):
            twice = set(flag()[0]["neg"])
            assert {text: weight for (_, text), (weight, _) in pairs(frame).items()} == {
                folded(text): 1.0 + (text in twice) for row in flag() for text in row["neg"]
            }

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

    @pytest.mark.parametrize("written", ["two words", "two  words", "Two WORDS.", "\uff54wo words"])
    def test_a_positive_among_the_negatives_is_found(self, written: str, tmp_path: Path) -> None:
        """A query's positive of one row is a negative in another, in other spaces, case, punctuation or letters."""
        rows = [
            {"query": "q", "pos": ["one"], "neg": [written, "three"]},
            {"query": "q", "pos": ["two words"], "neg": ["three"]},
        ]
        (tmp_path / "leak.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        frame = framed(tmp_path / "leak.jsonl")
        assert [frame.document_texts[at] for at in frame.documents[frame.labelled]] == [written]
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
        with pytest.raises(InputError, match=r"ids.tsv:3: no document 'fern-sail' in garden, whose"):
            read([tmp_path / "ids.tsv"], garden, Store(Path("unused")))
        with pytest.raises(InputError, match=r"ids.tsv:1: ids, not texts \(train-0, basil-watering\); .*--collection"):
            framed(tmp_path / "ids.tsv")

    @pytest.mark.parametrize("layout", ["tevatron", "systems", "one list", "lists", "numbers in columns"])
    def test_ids_in_every_layout_that_has_some(self, layout: str, tmp_path: Path) -> None:
        numbered = _numbered(tmp_path / "numbered")
        rows: dict[str, list[Any]] = {
            "tevatron": [
                {"query_id": 1, "query_text": "", "positive_document_ids": ["10"], "negative_document_ids": [12, "11"]}
            ],
            # document 11 is first for one system, behind for the others, and is one pair
            "systems": [{"qid": 1, "pos": [10], "neg": {"bm25": [12, 11], "dense": [11], "other": [12, 11]}}],
            "one list": [{"qid": "1", "pos": ["10"], "neg": ["12", "11"]}],
            "lists": [[1, 10, 12, 11]],
            "numbers in columns": [{"query": 1, "positive": 10, "negative_1": 12, "negative_2": 11}],
        }
        path = tmp_path / "mined.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[layout]))
        frame = build(*read([path], numbered, Store(Path("unused"))))
        wanted = {("question 1", "text 12"): (1, 0), ("question 1", "text 11"): (1, 0 if layout == "systems" else 1)}
        assert pairs(frame) == wanted
        assert frame.positives == [("text 10",)]
        with pytest.raises(
            InputError, match=r"mined.jsonl:1: ids, not texts \(1, 10\); name their collection with --collection"
        ):
            framed(path)
        path.write_text(path.read_text().replace("11", "19"))
        with pytest.raises(InputError, match=r"mined.jsonl:1: no document '19' in numbered, whose ids are like '10'"):
            read([path], numbered, Store(Path("unused")))
        path.write_text(path.read_text().replace("1,", "7,", 1).replace('"1"', '"7"', 1))
        with pytest.raises(InputError, match=r"mined.jsonl:1: no query '7' in numbered, whose ids are like '1'"):
            read([path], numbered, Store(Path("unused")))

    def test_ids_are_never_taken_for_texts(self, tmp_path: Path) -> None:
        """Of another collection than was given, or below a first row of texts."""
        numbered = _numbered(tmp_path / "numbered")
        (tmp_path / "other.tsv").write_text("q1\td1\td2\n")
        with pytest.raises(InputError, match=r"other.tsv:1: no query 'q1' in numbered, whose ids are like '1'"):
            read([tmp_path / "other.tsv"], numbered, Store(Path("unused")))
        (tmp_path / "mixed.jsonl").write_text('["a text", "of it", "and not"]\n[1, 10, 11]\n')
        with pytest.raises(InputError, match=r"mixed.jsonl:2: ids, not texts"):
            framed(tmp_path / "mixed.jsonl")

    def test_texts_of_languages_without_spaces_are_no_ids(self, tmp_path: Path) -> None:
        (tmp_path / "mined.tsv").write_text("哪里有湖\t湖在北边\t湖是湿的\n")
        assert pairs(framed(tmp_path / "mined.tsv")) == {("哪里有湖", "湖是湿的"): (1, -1)}

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


def _numbered(folder: Path) -> Collection:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("".join(f'{{"_id": {n}, "text": "text {n}"}}\n' for n in range(10, 14)))
    (folder / "queries.jsonl").write_text('{"_id": 1, "text": "question 1"}\n')
    (folder / "qrels/test.tsv").write_text("1\t10\t1\n")
    return Beir(path=str(folder)).load()


class TestWarnings:
    def test_what_may_not_be_meant_is_counted(self, tmp_path: Path) -> None:
        rows = [
            {"query": "q 1", "pos": ["p 1", " "], "neg": ["", " ", "a chair"]},
            {"query": "q 2", "pos": list("lamp"), "neg": list("chair")},
            {"query": "q 3", "pos": [""], "neg": []},
        ]
        (tmp_path / "odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / "good.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flag()))
        frame = framed(tmp_path / "odd.jsonl", tmp_path / "good.jsonl")
        assert frame.warnings == (
            (
                "1 of 3 rows have no negatives and are skipped",
                "2 of 8 negatives have no text and are left out",
                "5 of 8 negatives have only one character: was a text read as a list of texts?",
                "4 of 7 positives have only one character: was a text read as a list of texts?",
            ),
            (),
        )
        assert frame.weights.sum(axis=1).tolist() == [6, 6]
        assert frame.positives[frame.query_texts.index("q 1")] == ("p 1",)  # of those, nobody is shown an empty one
        found = description.describe(frame)
        assert [len(row["warnings"]) for row in found] == [4, 0]

    def test_a_list_in_a_cell_is_one_text(self, tmp_path: Path) -> None:
        (tmp_path / "cells.tsv").write_text("query\tpositive\tnegative\nq 1\tp 1\t['n 1', 'n 2']\nq 2\tp 2\t[n] 1\n")
        said = "negatives look like a list that was saved as one text"
        assert framed(tmp_path / "cells.tsv").warnings == ((f"1 of 2 {said}",),)

    def test_empty_texts_in_columns_and_passages(self, tmp_path: Path) -> None:
        (tmp_path / "columns.csv").write_text("query,positive,negative_1,negative_2\nq 1,p 1,,n 2\nq 2,p 2,n 1,n 2\n")
        passage = {"query": "q 1", "positive_passages": [{"text": "p 1"}]}
        passage["negative_passages"] = [{"text": ""}, {"text": "n 2"}]
        (tmp_path / "passages.jsonl").write_text(json.dumps(passage))
        frame = framed(tmp_path / "columns.csv", tmp_path / "passages.jsonl")
        said = "negatives have no text and are left out"
        assert frame.warnings == ((f"1 of 4 {said}",), (f"1 of 2 {said}",))
        assert frame.weights.sum(axis=1).tolist() == [3, 1]


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
    "a label": ('{"anchor": "q", "document": "d", "label": 0.5}', ":1: label: expected 0 or 1, or .*, found 0.5"),
    "no layout": ('{"request": "q", "reply": "d"}', ":1: no column is known among request, reply: "),
    "pairs alone": ('{"question": "q", "answer": "d"}', "no negatives in its 1 rows"),
    "pos as a text": ('{"query": "q", "pos": "a lamp", "neg": ["n"]}', ":1: pos: expected a list, found 'a lamp'"),
    "neg as a cell": ("query,pos,neg\na b,c d,e f\n", ":2: pos: expected a list, found 'c d'"),
    "null in a list": ('{"query": "q", "pos": ["p"], "neg": [null]}', ":1: neg: expected a list of texts, found None"),
    "null alone": ('{"query": "q", "pos": ["p"], "neg": null}', "no negatives in its 1 rows"),
    "dpr's passages as texts": (
        '[{"question": "q", "positive_ctxs": ["p"], "hard_negative_ctxs": []}]',
        ":1: positive_ctxs: expected objects",
    ),
    "a list that is cut short": ('[\n{"query": "q", "pos": ["p"], "neg": ["n"]},\n{"query"', ":3: broken JSON"),
    "a list without its end": ('[{"query": "q", "pos": ["p"], "neg": ["n"]}\n\n', ":3: .* the list's end, found ''"),
    "a list without a comma": ('[{"query": "q", "pos": ["p"], "neg": ["n"]}\n{}]', ":2: .* a comma or .*found '{}]'"),
    "more after a list": ('[{"query": "q", "pos": ["p"], "neg": ["n"]}]\n[]', ":1: .* the list's end, found"),
    "a number in a list of records": ('[{"query": "q", "pos": ["p"], "neg": ["n"]}, 7]', ":1: expected a JSON object"),
    "an empty list": ("[]", "has no rows"),
    "a later entry of a list": (
        '[\n\n{"query": "q",\n "pos": ["p"], "neg": ["n"]},\n\n{"query": "q", "pos": ["p"], "neg": "n"}]',
        ":6: neg: expected a list",
    ),
    "a list of two": ('["a b", "c d"]', "no negatives in its 1 rows"),
    "a list of one": ('["a b"]', ":1: expected a list of query, positive and negatives"),
    "a list of scored ids": ("[1, [2, 0.5], [3, 0.1]]", ":1: expected a list of query, positive and negatives"),
    "an id that is a fraction": (
        '{"query_id": 1.5, "positive_document_ids": [], "negative_document_ids": []}',
        ':1: the field "query_id" must be text or a whole number, found 1.5',
    ),
    "a list": ('[{"query": "q"}]', ":1: unknown format"),
    "two cells": ("a b\tb c\tc d\na b\tb c\n", ":2: expected query, positive and negative"),
    "a short CSV row": ("query,positive,negative\na,b,c\na,b\n", ":3: expected 3 cells"),
    "prose": ("These are my negatives.\n", ":1: unknown format, starts with"),
    "nothing": ("", "unknown format"),
    "no rows": ("query,positive,negative\n", "has no rows"),
    "another key for them": (
        '{"query": "q", "pos": "p", "negs": ["n"]}',
        "no negatives in its 1 rows; .*'negs' holds none that are read: rename it to neg",
    ),
    "no negatives": ('{"query": "q", "pos": ["p"], "neg": []}', "no negatives in its 1 rows; expected at least one$"),
    "neither negatives nor scores of some": (
        '{"query": "q", "pos": ["p"], "neg": [], "neg_scores": []}',
        "no negatives in its 1 rows; expected at least one$",
    ),
    "no negatives in Tevatron's rows": (
        '{"query": "q", "positive_passages": [{"text": "p"}], "negative_passages": []}',
        "no negatives in its 1 rows; expected at least one$",
    ),
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
    with pytest.raises(InputError, match="has no saved dataset"):
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


def test_columns_of_other_names(tmp_path: Path, negbench: Callable[..., Any]) -> None:
    """The message holds a command that reads the file as it stands."""
    rows = [f"question {number},answer {number},other answer {number}" for number in range(6)]
    (tmp_path / "my faq.csv").write_text("Frage,Antwort,Falsch\n" + "\n".join(rows) + "\n")
    refused = negbench("audit", "my faq.csv", cwd=tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert "init" not in refused.err
    (command,) = re.findall(r"`negbench (audit [^`]+)`", refused.err)
    said = negbench(*shlex.split(command), cwd=tmp_path)
    assert said.code == 0, said.err
    asked = list(csv.DictReader((tmp_path / "audits/my faq/sheet.csv").read_text("utf-8-sig").splitlines()))
    assert {(it["query"], it["known positives"], it["document"]) for it in asked} == {
        tuple(it.split(",")) for it in rows
    }


def test_of_more_columns_none_is_guessed(tmp_path: Path, negbench: Callable[..., Any]) -> None:
    (tmp_path / "faq.csv").write_text("Frage,Antwort,Falsch,Thema\na,b,c,d\n")
    refused = negbench("audit", "faq.csv", cwd=tmp_path)
    assert "'pairs(path=faq.csv, query=QUERY, positive=POSITIVE, negative=NEGATIVE)'" in refused.err
