"""Documents cut into passages: what the passages are, whose the judgments, and how documents rank."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from beir_folders import lines, write
from hypothesis import given
from hypothesis import strategies as st

from negbench.collections import storage
from negbench.collections.cut import Cut
from negbench.collections.pooler import pair_similarities, similarities
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.evaluation import ranking
from negbench.evaluation.passages import by_parent, depth
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.pool import build
from negbench.types import Collection

LONG = " ".join(["frost"] * 6 + ["pruning roses"] * 3 + ["watering"] * 6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents = [
        {"_id": "long", "title": "Roses", "text": LONG},
        {"_id": "short", "title": "", "text": "pruning apple trees"},
        {"_id": "other", "title": "", "text": "moss and ferns"},
    ]
    write(tmp_path / "corpus.jsonl", lines(documents))
    write(tmp_path / "queries.jsonl", lines([{"_id": "q1", "text": "pruning"}, {"_id": "q2", "text": "watering"}]))
    write(tmp_path / "qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\tlong\t2\nq1\tother\t0\n")
    write(tmp_path / "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq2\tlong\t1\n")
    return tmp_path


def cut(folder: Path, words: int = 6, overlap: int = 2) -> Collection:
    return Cut(collection=str(folder), words=words, overlap=overlap).load()


@given(st.integers(1, 60), st.integers(1, 12), st.data())
def test_passages_cover_the_text_with_the_overlap(count: int, words: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, words - 1))
    text = " ".join(map(str, range(count)))
    passages = [passage.split() for passage in Cut(collection="helpdesk", words=words, overlap=overlap).passages(text)]
    assert passages[0][0] == "0"
    assert passages[-1][-1] == str(count - 1)
    assert all(len(passage) == words for passage in passages[:-1])
    assert len(passages[-1]) <= words
    for one, following in pairwise(passages):
        assert one[words - overlap :] == following[:overlap]
        assert len(following) > overlap  # none holds only what stands in the one before


def test_a_judgment_is_on_the_passage_that_fits(folder: Path) -> None:
    collection = cut(folder)
    assert collection.document_ids[:4] == ["long", "long#2", "long#3", "long#4"]
    assert collection.titles[:5] == ["Roses"] * 4 + [""]
    assert collection.parents is not None
    assert collection.parents.tolist() == [0, 0, 0, 0, 4, 5]
    ((query, row, grade), (_, other, zero)) = collection.qrels["train"].triples()
    assert collection.query_ids[query] == "q1"
    assert "pruning" in collection.texts[row]
    assert (grade, other, zero) == (2, 5, 0)
    ((_, row, _),) = collection.qrels["test"].triples()
    assert collection.texts[row].split().count("watering") == max(t.split().count("watering") for t in collection.texts)
    assert any("1 of 3 documents are cut into passages of 6 words, 6 in all" in w for w in collection.warnings)


def test_no_passage_of_a_positive_is_a_negative(folder: Path) -> None:
    collection = cut(folder)
    asked = collection.split_queries("train")
    pool = build(BM25(depth=6), collection, asked, "train", 0)
    found = set(pool.documents[0][pool.available()[0]].tolist())
    assert 4 in found  # "pruning apple trees"
    assert not found & {0, 1, 2, 3}


def test_documents_rank_by_their_best_passage(folder: Path) -> None:
    collection = cut(folder)
    asked = collection.split_queries("test")
    documents = np.array([[5, 1, 3, 4, 0, 2]], np.int32)
    scores = np.array([[0.9, 0.5, 0.8, 0.7, 0.1, 0.2]], np.float32)
    found = ranking.evaluate(documents, scores, asked, collection, "test", ("RR@10", "P@2"))
    assert found.mean == {"RR@10": 0.5, "P@2": 0.5}  # other 0.9, long 0.8 by its last passage, short 0.7


@given(st.data())
def test_the_best_passage_by_brute_force(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    of = data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    parents = np.array([of.index(parent) for parent in of], np.int32)
    scores = np.array([data.draw(st.permutations(range(count)))], np.float32)
    documents = np.arange(count, dtype=np.int32)[None]
    found, values = by_parent(documents, scores, parents)
    best = {parent: max(scores[0][parents == parent]) for parent in set(parents.tolist())}
    ranked = {int(d): float(s) for d, s in zip(found[0], values[0], strict=True) if d >= 0}
    assert ranked == best
    assert (np.isnan(values) == (found < 0)).all()
    assert depth(3, parents) == min(count, 3 * max(np.bincount(parents)))
    assert depth(3, None) == 3


def test_a_pair_is_as_similar_as_in_the_whole_table() -> None:
    queries, documents = ["pruning roses", "moss", "frost"], ["pruning of a rose", "moss and fern", "frosty roses", ""]
    table = np.stack(list(similarities(queries, documents)))
    asked, rows = np.array([0, 2, 1, 0]), np.array([2, 2, 3, 0])
    assert np.allclose(pair_similarities(queries, documents, asked, rows), table[asked, rows], rtol=1e-12)


def test_it_is_stored_and_read(folder: Path, tmp_path: Path) -> None:
    collection = cut(folder)
    (tmp_path / "stored").mkdir()
    storage.save(collection, tmp_path / "stored")
    again = storage.load(tmp_path / "stored")
    assert again.parents is not None
    assert again.parents.tolist() == [0, 0, 0, 0, 4, 5]


def test_short_documents_are_left_alone(folder: Path) -> None:
    whole = source_of(str(folder)).load()
    same = cut(folder, words=100)
    assert (same.texts, same.document_ids) == (whole.texts, whole.document_ids)
    assert {split: it.triples() for split, it in same.qrels.items()} == {
        split: it.triples() for split, it in whole.qrels.items()
    }


def test_fuller_judgments_are_of_all_passages(folder: Path) -> None:
    write(folder / "truth/train.tsv", "query-id\tcorpus-id\tscore\nq1\tlong\t1\nq1\tshort\t1\n")
    inner = {"source": str(folder), "truth": "truth/{split}.tsv"}
    collection = Cut(collection=inner, words=6, overlap=2).load()
    assert {d for _, d, _ in collection.truth["train"].triples()} == {0, 1, 2, 3, 4}


def test_what_cannot_be_cut(folder: Path) -> None:
    with pytest.raises(InputError, match="overlap must be less than words"):
        source_of({"cut": {"collection": "helpdesk", "words": 5, "overlap": 5}})
    with pytest.raises(InputError, match="are passages already"):
        Cut(collection={"cut": {"collection": str(folder), "words": 6, "overlap": 2}}).load()
    text = (folder / "corpus.jsonl").read_text().replace('"other"', '"long#2"')
    write(folder / "corpus.jsonl", text)
    write(folder / "qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\tlong\t2\n")
    with pytest.raises(InputError, match="has an id such as 'long#2'"):
        cut(folder)


def test_copies_and_siblings_are_known_together(folder: Path) -> None:
    collection = replace(cut(folder), equal_texts=np.array([0, 1, 2, 3, 4, 1], np.int32))
    known = {row: set(rows.tolist()) for row, rows in collection.known_copies().items()}
    assert known == {0: {0, 1, 2, 3}, 1: {0, 1, 2, 3, 5}, 2: {0, 1, 2, 3}, 3: {0, 1, 2, 3}, 5: {1, 5}}
    unlabelled = replace(collection, copies_known=False).known_copies()
    assert set(unlabelled) == {0, 1, 2, 3}
