"""Ids of texts in files of pairs: columns of ids, and where a text without one stands."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import negbench as nb
from negbench.collections import storage
from negbench.collections.cut import Cut
from negbench.collections.pairs import Pairs
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.types import Collection

QUESTIONS = [f"how do I mend pipe {number}" for number in range(8)]
ANSWERS = [f"turn the tap of pipe {number} to the left" for number in range(8)]


def table(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def loaded(path: Path, **parameters: Any) -> Collection:
    return Pairs(path=str(path), **parameters).load()


def labels(collection: Collection) -> set[tuple[str, str]]:
    """Return the labelled pairs of all splits by id."""
    return {
        (collection.query_ids[query], collection.document_ids[document])
        for judged in collection.qrels.values()
        for query, document, _ in judged.triples()
    }


@pytest.mark.parametrize("name", ["id", "_id", "ID"])
def test_the_id_of_a_row_names_its_query_and_its_document(name: str, tmp_path: Path) -> None:
    path = table(tmp_path / "faq.csv", {name: range(10, 18), "question": QUESTIONS, "answer": ANSWERS})
    collection = loaded(path)
    assert labels(collection) == {(str(number), str(number)) for number in range(10, 18)}
    assert collection.places is None
    assert "the ids of the rows are the ids of queries and documents" in collection.warnings


def test_an_id_that_repeats_names_what_has_one_text_each(tmp_path: Path) -> None:
    """Two questions an article, whose id is that of the row; the other way round the row's id is the question's."""
    twice = [number // 2 for number in range(8)]
    articles = table(
        tmp_path / "a.csv", {"id": twice, "question": QUESTIONS, "answer": [ANSWERS[number] for number in twice]}
    )
    of_articles = loaded(articles)
    assert set(of_articles.document_ids) == {"0", "1", "2", "3"}
    assert (
        of_articles.query_ids == loaded(table(tmp_path / "b.csv", {"question": QUESTIONS, "answer": ANSWERS})).query_ids
    )
    asked = table(
        tmp_path / "q.csv", {"id": twice, "question": [QUESTIONS[number] for number in twice], "answer": ANSWERS}
    )
    assert loaded(asked).query_ids == ["0", "1", "2", "3"]
    assert not {"0", "1", "2", "3"} & set(loaded(asked).document_ids)


def test_columns_of_both_ids(tmp_path: Path) -> None:
    columns = {"question": QUESTIONS, "answer": ANSWERS}
    known = table(tmp_path / "k.csv", {"qid": range(8), "doc_id": range(20, 28), **columns})
    named = table(tmp_path / "n.csv", {"frage_nr": range(8), "antwort_nr": range(20, 28), **columns})
    expected = {(str(number), str(20 + number)) for number in range(8)}
    assert labels(loaded(known)) == expected
    assert labels(loaded(named, query_id="frage_nr", positive_id="antwort_nr")) == expected
    with pytest.raises(
        InputError, match=r"n.csv:2: no column 'nr'; it has frage_nr, antwort_nr, question, answer: give"
    ):
        loaded(named, query_id="nr")


@pytest.mark.parametrize("column", ["query_id", "doc_id"])
def test_two_texts_of_one_id_are_refused(column: str, tmp_path: Path) -> None:
    path = table(tmp_path / "faq.csv", {column: [1, 2, 3, 4, 5, 6, 7, 2], "question": QUESTIONS, "answer": ANSWERS})
    what = "query" if column == "query_id" else "document"
    with pytest.raises(InputError) as caught:
        loaded(path)
    assert str(caught.value) == (
        f"{path}:9: the {what} id '2' has another text at {path}:3; expected one text for each id: correct the id or "
        "the text"
    )


def test_the_same_text_on_several_rows_is_one_document_with_the_first_id(tmp_path: Path) -> None:
    path = table(
        tmp_path / "faq.csv",
        {"doc_id": range(8), "question": QUESTIONS, "answer": [*ANSWERS[:6], ANSWERS[0], ANSWERS[1]]},
    )
    assert loaded(path).document_ids == ["0", "1", "2", "3", "4", "5"]


def test_a_negative_of_an_earlier_row_has_the_id_of_its_own_row(tmp_path: Path) -> None:
    rows = [
        {"id": f"r{number}", "query": QUESTIONS[number], "pos": [ANSWERS[number]], "neg": [ANSWERS[(number + 1) % 8]]}
        for number in range(8)
    ]
    path = tmp_path / "mined.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    collection = loaded(path)
    assert set(collection.document_ids) == {f"r{number}" for number in range(8)}


def test_without_ids_the_order_of_rows_changes_no_id_and_the_place_is_kept(tmp_path: Path) -> None:
    first = loaded(table(tmp_path / "faq.csv", {"question": QUESTIONS, "answer": ANSWERS}))
    second = loaded(table(tmp_path / "back.csv", {"question": QUESTIONS[::-1], "answer": ANSWERS[::-1]}))
    assert dict(zip(first.document_ids, first.texts, strict=True)) == dict(
        zip(second.document_ids, second.texts, strict=True)
    )
    assert first.places is not None
    assert first.places.documents == first.places.queries == [f"faq.csv:{line}" for line in range(2, 10)]
    (tmp_path / "stored").mkdir()
    storage.save(first, tmp_path / "stored")
    assert storage.load(tmp_path / "stored").places == first.places


def test_passages_stand_where_their_document_does(tmp_path: Path) -> None:
    path = table(tmp_path / "faq.csv", {"question": QUESTIONS, "answer": ANSWERS})  # ten words an answer
    cut = Cut(collection=source_of(str(path)), words=6, overlap=0).load()
    assert cut.places is not None
    assert cut.places.documents == [f"faq.csv:{2 + number // 2}" for number in range(16)]
    assert cut.places.of_document(99) is None  # such as a text that a method has written


def test_mined_negatives_say_where_they_stand(tmp_path: Path) -> None:
    path = table(tmp_path / "faq.csv", {"question": QUESTIONS, "answer": ANSWERS})
    mined = nb.mine("bm25", collection=str(path), store=tmp_path / "store")
    line_of = {text: f"faq.csv:{line}" for line, text in enumerate(ANSWERS, 2)}
    asked_at = {text: f"faq.csv:{line}" for line, text in enumerate(QUESTIONS, 2)}
    assert [row.document_place for row in mined.rows] == [line_of[row.text] for row in mined.rows]
    assert {row.document_place for row in mined.rows} <= set(mined.table.split())
    mined.save(tmp_path / "mined.jsonl", "full")
    written = [json.loads(line) for line in (tmp_path / "mined.jsonl").read_text().splitlines()]
    assert len(written) == len(QUESTIONS)
    for row in written:
        assert (row["query_place"], row["document_place"]) == (asked_at[row["query"]], line_of[row["document"]])
    again = loaded(tmp_path / "mined.jsonl")  # what was exported has ids, which are read
    assert {row["document_id"] for row in written} <= set(again.document_ids)
