"""Rows and batches of inputs against a plain reading of the labels."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pools import mined
from scipy.stats import chisquare

from negbench.errors import InputError
from negbench.rng import CounterRNG, key
from negbench.training.data import Collator, Instances, instances
from negbench.training.recipe import Recipe
from negbench.types import Collection, Negatives, Qrels


def small_collection(judgments: list[tuple[int, int, int]]) -> Collection:
    return Collection(
        name="small",
        document_ids=[f"d{row}" for row in range(12)],
        titles=[f"title {row}" for row in range(12)],
        texts=[f"text {row}" for row in range(12)],
        query_ids=[f"q{row}" for row in range(6)],
        queries=[f"question {row}" for row in range(6)],
        qrels={"train": Qrels.of(judgments)},
    )


def negatives_of(queries: list[int], documents: Any) -> Negatives:
    return mined(np.reshape(documents, (len(queries), -1 if queries else 1)), queries=queries)


@st.composite
def collections(draw: st.DrawFn) -> tuple[Collection, Negatives]:
    """A collection with random labels, and one to three random negatives a query, some of them missing."""
    pairs = draw(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 11)), min_size=1, max_size=30))
    collection = small_collection([(query, document, draw(st.integers(0, 2))) for query, document in sorted(pairs)])
    queries = collection.split_queries("train").tolist()
    k = draw(st.integers(1, 3))
    positives = collection.qrels["train"].at_least(1).by_query()
    rows = []
    for query in queries:
        left = [row for row in range(12) if row not in positives[query]]
        rows.append((draw(st.permutations(left)) + [-1] * k)[:k] if left else [-1] * k)
    return collection, negatives_of(queries, rows)


class Model:
    """Stands for an encoder whose tokens tell the text: each text has a number, said 1 to 5 times."""

    def __init__(self) -> None:
        self.prompts = {"query": "Q: ", "document": "D: "}
        self.texts: list[str] = []
        self.max_seq_length = 5
        self.tokenizer = self

    def __getitem__(self, module: int) -> Model:
        """Return its only module: itself."""
        if module:
            raise IndexError(module)
        return self

    def preprocess(self, texts: list[str], prompt: str, task: str) -> dict[str, Any]:
        """Pad on the left, to see that padding is told from the text by the mask alone."""
        assert prompt == self.prompts[task]
        self.texts += [prompt + text for text in texts]
        numbers = range(len(self.texts) - len(texts), len(self.texts))
        rows = [[0] * (5 - self.length(number)) + [number + 1] * self.length(number) for number in numbers]
        ids = torch.tensor(rows)
        return {"input_ids": ids, "attention_mask": (ids > 0).long(), "modality": "text"}

    @staticmethod
    def length(number: int) -> int:
        return 1 + number * 7 % 5

    def read(self, batch: dict[str, Any], side: str) -> list[list[str]]:
        """Return the texts of each chunk of a side."""
        chunks = [name for name in batch if name.startswith(side) and name.endswith("_input_ids")]
        return [[self.texts[int(row.max()) - 1] for row in batch[name]] for name in chunks]


@given(made=collections(), data=st.data(), chunk_tokens=st.integers(1, 40), shares=st.integers(1, 3))
def test_a_batch_holds_what_its_rows_need_and_hides_other_positives(
    made: tuple[Collection, Negatives], data: st.DataObject, chunk_tokens: int, shares: int
) -> None:
    collection, drawn = made
    table = instances(collection, "train", drawn)
    if not len(table.queries):
        return
    rows = data.draw(st.permutations(range(len(table.queries))))[: data.draw(st.integers(1, 8))]
    model: Any = Model()
    collator = Collator(table, collection, model, chunk_tokens, shares)
    assert len(set(model.texts)) == len(model.texts)  # no text is tokenised twice
    batch = collator([{"row": row} for row in rows])

    query_chunks, document_chunks = model.read(batch, "query"), model.read(batch, "document")
    asked, read = list(chain(*query_chunks)), list(chain(*document_chunks))
    assert len(set(asked)) == len(asked)  # no text is encoded twice
    assert len(set(read)) == len(read)
    label = {name: value.tolist() for name, value in batch["label"].items() if name != "targets"}
    assert label["query_chunks"] == len(query_chunks)
    labelled = {
        (query, document)
        for query, document, grade in zip(
            *(getattr(collection.qrels["train"], name).tolist() for name in ("queries", "documents", "grades")),
            strict=True,
        )
        if grade >= 1
    }
    by_query = dict(zip(drawn.queries.tolist(), drawn.documents.tolist(), strict=True))
    wanted: set[str] = set()
    for at, row in enumerate(rows):
        query, positive = int(table.queries[row]), int(table.positives[row])
        assert asked[label["row_query"][at]] == f"Q: question {query}"
        assert read[label["positive_column"][at]] == f"D: title {positive} text {positive}"
        for column, text in enumerate(read):
            document = int(text.split()[-1])
            assert label["known_mask"][at][column] == ((query, document) in labelled)
            assert label["mined_mask"][at][column] == (document in by_query[query])
        mine = [positive, *(document for document in by_query[query] if document >= 0)]
        wanted |= {f"D: title {document} text {document}" for document in mine}
    assert set(read) == wanted
    assert set(asked) == {f"Q: question {int(table.queries[row])}" for row in rows}
    for texts, chunks in ((asked, query_chunks), (read, document_chunks)):
        lengths = [model.length(model.texts.index(text)) for text in texts]
        assert lengths == sorted(lengths, reverse=True)
        for chunk in chunks:
            longest = max(model.length(model.texts.index(text)) for text in chunk)
            assert len(chunk) == 1 or longest * len(chunk) <= chunk_tokens
            assert len(chunk) == 1 or shares == 1 or longest * len(chunk) < sum(lengths) / shares + 1
        assert len(chunks) == 1 or shares > 1 or lengths[0] * len(texts) > chunk_tokens
    tokens = sum(model.length(model.texts.index(text)) for text in asked + read)
    assert collator.read == {"queries": len(asked), "documents": len(read), "tokens": tokens}
    for name, value in batch.items():
        if name.endswith("_attention_mask"):
            assert value.sum(1).tolist() == (batch[name.replace("attention_mask", "input_ids")] > 0).sum(1).tolist()


@given(made=collections(), data=st.data())
def test_rows_that_change_cost_the_texts_that_are_new(made: tuple[Collection, Negatives], data: st.DataObject) -> None:
    """No text is tokenised again, and each batch reads its own."""
    collection, drawn = made
    table = instances(collection, "train", drawn)
    if not len(table.queries):
        return
    model: Any = Model()
    collator = Collator(table, collection, model, 1000)
    for _ in range(3):
        others = data.draw(st.lists(st.integers(-1, len(collection.texts) - 1), min_size=1, max_size=2))
        table = replace(table, negatives=np.tile(np.array(others, np.int32), (len(table.queries), 1)))
        collator.renew(table)
        batch = collator([{"row": 0}, {"row": len(table.queries) - 1}])
        assert len(set(model.texts)) == len(model.texts)  # no text is tokenised twice
        (read,) = model.read(batch, "document")
        assert [int(text.split()[-1]) for text in read] == batch["label"]["document_rows"].tolist()
        wanted = {*others, *table.positives[[0, -1]].tolist()} - {-1}
        assert set(batch["label"]["document_rows"].tolist()) == wanted


def test_a_positive_of_one_row_is_another_s_negative_unless_it_is_labelled() -> None:
    """Query 0 has positives 1 and 2; query 3 was handed document 2 as a negative."""
    collection = small_collection([(0, 1, 1), (0, 2, 1), (3, 4, 1)])
    table = instances(collection, "train", negatives_of([0, 3], [[5], [2]]))
    model: Any = Model()
    batch = Collator(table, collection, model, 1000)([{"row": 0}, {"row": 2}])
    (read,) = model.read(batch, "document")
    documents = [int(text.split()[-1]) for text in read]
    hidden = {
        (query, documents[column])
        for query, row in zip((0, 3), batch["label"]["known_mask"].tolist(), strict=True)
        for column, relevant in enumerate(row)
        if relevant
    }
    assert sorted(documents) == [1, 2, 4, 5]
    assert hidden == {(0, 1), (0, 2), (3, 4)}  # although row 2 of the batch brought 2 as a mined negative


@given(made=collections())
def test_there_is_a_row_for_each_labelled_pair(made: tuple[Collection, Negatives]) -> None:
    collection, drawn = made
    qrels = collection.qrels["train"]
    pairs = [
        (query, document)
        for query, document, grade in zip(
            qrels.queries.tolist(), qrels.documents.tolist(), qrels.grades.tolist(), strict=True
        )
        if grade >= 1
    ]
    for table in (instances(collection, "train", drawn), instances(collection, "train", None)):
        assert list(zip(table.queries.tolist(), table.positives.tolist(), strict=True)) == pairs
        assert len(set(table.keys.tolist())) == len(pairs)
    table = instances(collection, "train", drawn)
    by_query = dict(zip(drawn.queries.tolist(), drawn.documents.tolist(), strict=True))
    assert table.negatives.tolist() == [by_query[query] for query, _ in pairs]
    assert instances(collection, "train", None).negatives.shape == (len(pairs), 0)


@given(collections())
def test_keys_are_hashes_of_the_ids(case: tuple[Collection, Negatives]) -> None:
    data = instances(case[0], "train", case[1])
    pairs = zip(data.queries.tolist(), data.positives.tolist(), strict=True)
    expected = [int(CounterRNG(0, "rows").bits(key(f"q{query}"), key(f"d{document}"))) for query, document in pairs]
    assert data.keys.tolist() == expected
    assert data.keys.dtype == np.uint64


def test_keys_belong_to_ids_and_not_to_rows() -> None:
    collection = small_collection([(0, 1, 1), (3, 4, 1)])
    turned = replace(
        collection,
        document_ids=collection.document_ids[::-1],
        query_ids=collection.query_ids[::-1],
        qrels={"train": Qrels.of([(5, 10, 1), (2, 7, 1)])},
    )
    first, second = instances(collection, "train", None), instances(turned, "train", None)
    assert first.keys.tolist() == second.keys.tolist()[::-1]


def test_negatives_of_other_queries_are_refused() -> None:
    collection = small_collection([(0, 1, 1), (3, 4, 1)])
    for queries in ([0, 2], [0], [2, 3], [0, 1, 2]):
        with pytest.raises(ValueError, match="drawn for other queries"):
            instances(collection, "train", negatives_of(queries, [[5]] * len(queries)))


def test_instances_are_made_of_train_alone() -> None:
    collection = small_collection([(0, 1, 1), (3, 4, 1)])
    held_back = replace(collection, qrels={**collection.qrels, "test": Qrels.of([(1, 7, 1), (0, 8, 1)])})
    table = instances(held_back, "train", None)
    assert isinstance(table, Instances)
    assert table.known.documents.tolist() == [1, 4]


def judged(promoted: Any, positive_weights: list[list[float]]) -> Negatives:
    """Negatives of queries 0 (positives 1 and 2) and 3 (positive 4) after label rules."""
    plain = negatives_of([0, 3], [[5], [6]])
    positives = np.array([[1, 2], [4, -1]], np.int32)
    return replace(
        plain,
        positives=positives,
        promoted=np.array(promoted, np.int32),
        positive_weights=np.array(positive_weights, np.float32),
    )


LABELLED = [(0, 1, 1), (0, 2, 1), (3, 4, 1)]


def test_promoted_documents_stand_in_for_labelled_ones_as_often_as_these_come() -> None:
    """Query 0 has two labelled and two promoted documents, query 3 one of each: the rows stay three an epoch."""
    recipe = Recipe(epochs=1000)
    drawn = judged([[7, 8], [9, -1]], [[1, 1], [1, 1]])
    data = instances(small_collection(LABELLED), "train", drawn, recipe, 5)
    assert data.queries.reshape(1000, 3).tolist() == [[0, 0, 3]] * 1000
    table = data.positives.reshape(1000, 3)
    for column, share in ((0, {1: 2, 7: 1, 8: 1}), (1, {2: 2, 7: 1, 8: 1}), (2, {4: 1, 9: 1})):
        found, counts = np.unique(table[:, column], return_counts=True)
        assert set(found.tolist()) == set(share)
        expected = np.array([share[row] for row in found.tolist()])
        assert chisquare(counts, expected / expected.sum() * 1000).pvalue > 1e-3
    assert data.known.contains(np.array([0, 0, 3]), np.array([7, 8, 9])).all()  # never a negative of their query
    assert data.keys.tolist() == instances(small_collection(LABELLED), "train", None).keys.tolist()
    again = instances(small_collection(LABELLED), "train", drawn, recipe, 5)
    assert again.positives.tolist() == data.positives.tolist()
    assert (
        instances(small_collection(LABELLED), "train", drawn, recipe, 6).positives.tolist() != again.positives.tolist()
    )


def test_a_distrusted_positive_weighs_what_its_trust_says_and_its_stand_in_weighs_1() -> None:
    plain = instances(small_collection(LABELLED), "train", judged([[], []], [[1, 0.25], [0, 1]]), Recipe(epochs=2))
    assert plain.weights.tolist() == [1, 0.25, 0] * 2
    both = instances(small_collection(LABELLED), "train", judged([[-1], [9]], [[1, 1], [0, 1]]), Recipe(epochs=50))
    of_three = both.queries == 3
    assert ((both.weights == 0) == (of_three & (both.positives == 4))).all()
    assert set(both.positives[of_three].tolist()) == {4, 9}


@pytest.mark.parametrize("grade", [1, 2])
def test_as_many_queries_train_as_were_asked_for_with_all_their_rows(grade: int) -> None:
    collection = small_collection([(query, query + step, grade) for query in range(6) for step in range(query % 3 + 1)])
    drawn = negatives_of(list(range(6)), [[11]] * 6)
    everything = instances(collection, "train", drawn)
    before: set[int] = set()
    for count in range(1, 7):
        data = instances(collection, "train", drawn, Recipe(epochs=1, queries=count))
        chosen = set(data.queries.tolist())
        assert len(chosen) == count
        assert before < chosen  # those of a smaller number are among them
        here = np.isin(everything.queries, list(chosen))
        assert data.positives.tolist() == everything.positives[here].tolist()
        assert set(data.known.queries.tolist()) == chosen
        before = chosen
    with pytest.raises(InputError, match=r"^train\.queries: 7 asked for, but train of small has 6; ask for fewer$"):
        instances(collection, "train", drawn, Recipe(epochs=1, queries=7))


def test_which_queries_train_goes_by_their_ids() -> None:
    collection = small_collection([(query, query, 1) for query in range(6)])
    turned = replace(collection, query_ids=collection.query_ids[::-1])
    for count in range(1, 6):
        recipe = Recipe(epochs=1, queries=count)
        first, second = (instances(it, "train", None, recipe) for it in (collection, turned))
        names = [[it.query_ids[row] for row in data.queries] for it, data in ((collection, first), (turned, second))]
        assert sorted(names[0]) == sorted(names[1])
