from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import candidate_pool, mined

from negbench.types import Collection, Negatives, Passages, Qrels

rows = st.integers(0, 6) | st.sampled_from([0, 1, 2**31 - 1, 2**31 - 2])
judgments = st.lists(st.tuples(rows, rows, st.integers(-2, 3)), max_size=30)


@given(judgments)
def test_of_sorts_and_lets_the_last_of_a_duplicate_win(triples: list[tuple[int, int, int]]) -> None:
    qrels = Qrels.of(triples)
    expected = sorted({(query, document): grade for query, document, grade in triples}.items())
    found = zip(qrels.queries.tolist(), qrels.documents.tolist(), qrels.grades.tolist(), strict=True)
    assert [((query, document), grade) for query, document, grade in found] == expected
    assert len(qrels) == len(expected)
    assert {part.dtype for part in (qrels.queries, qrels.documents, qrels.grades)} == {np.dtype(np.int32)}


@given(judgments, st.integers(-3, 4))
def test_at_least_keeps_the_grades_asked_for(triples: list[tuple[int, int, int]], grade: int) -> None:
    kept = Qrels.of(triples).at_least(grade)
    last = {(query, document): given for query, document, given in triples}
    wanted = sorted(pair for pair, given in last.items() if given >= grade)
    assert list(zip(kept.queries.tolist(), kept.documents.tolist(), strict=True)) == wanted
    assert (kept.grades >= grade).all()


@given(judgments)
def test_by_query_lists_every_judged_document(triples: list[tuple[int, int, int]]) -> None:
    expected: dict[int, set[int]] = {}
    for query, document, _ in triples:
        expected.setdefault(query, set()).add(document)
    found = Qrels.of(triples).by_query()
    assert {query: documents.tolist() for query, documents in found.items()} == {
        query: sorted(documents) for query, documents in expected.items()
    }
    assert list(found) == sorted(expected)


@given(judgments, st.lists(rows, max_size=5), st.lists(rows | st.just(-1), max_size=5))
def test_contains_is_membership(triples: list[tuple[int, int, int]], queries: list[int], documents: list[int]) -> None:
    pairs = {(query, document) for query, document, _ in triples}
    asked = np.array(queries, np.int32)[:, None], np.array(documents, np.int32)
    found = Qrels.of(triples).contains(*asked)
    assert found.dtype == np.bool_
    assert found.shape == (len(queries), len(documents))
    assert found.tolist() == [[(query, document) in pairs for document in documents] for query in queries]


def test_padding_is_never_judged_even_next_to_the_largest_row() -> None:
    qrels = Qrels.of([(0, 2**31 - 1, 1), (1, 0, 1)])
    assert qrels.contains(np.array([0, 1, 1]), np.array([-1, -1, 0])).tolist() == [False, False, True]
    assert qrels.contains(np.array([-1]), np.array([0])).tolist() == [False]


def test_contains_broadcasts_and_takes_scalars() -> None:
    qrels = Qrels.of([(0, 3, 1), (2, 1, 0)])
    assert qrels.contains(np.array(2), np.array([[0, 1], [3, 1]])).tolist() == [[False, True], [False, True]]
    assert bool(qrels.contains(np.int32(0), np.int32(3)))  # type: ignore[arg-type]
    assert Qrels.of([]).contains(np.zeros((2, 1), np.int32), np.zeros(3, np.int32)).shape == (2, 3)


def collection(queries: dict[str, str], documents: dict[str, tuple[str, str]], **more: object) -> Collection:
    titles, texts = [title for title, _ in documents.values()], [text for _, text in documents.values()]
    qrels = more.pop("qrels", {"train": Qrels.of([])})
    return Collection(
        name="made",
        document_ids=list(documents),
        titles=titles,
        texts=texts,
        query_ids=list(queries),
        queries=list(queries.values()),
        qrels=qrels,
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "title", "text", "own"),
    [
        ("Wind tunnels at sea", "", "A word first. Wind tunnels at sea, and more.", True),  # ArguAna: the text
        ("Wind tunnels at sea", "Wind Tunnels at Sea", "An abstract.", True),  # SCIDOCS: the title, other case
        ("wind   tunnels\nat sea", "Wind tunnels", "at sea", True),  # white space folded, title and text in one
        ("art", "", "The heart of the matter", False),  # words, not letters
        ("Wind tunnels at sea", "", "Sea winds", False),  # Cranfield: both numbered from 1
        ("Wind tunnels at sea", "", "", False),
    ],
)
def test_a_query_was_taken_from_the_document_of_its_id_that_holds_its_text(
    query: str, title: str, text: str, own: bool
) -> None:
    made = collection({"q": "else", "1": query}, {"0": ("x", "else"), "1": (title, text), "2": ("", query)})
    assert made.own_documents().tolist() == [-1, 1 if own else -1]
    assert made.own_documents().dtype == np.int32


def test_passages_are_title_space_text() -> None:
    made = collection({}, {"a": ("Title", "text"), "b": ("", "text"), "c": ("Title", ""), "d": ("", "")})
    assert made.passages() == ["Title text", "text", "Title", ""]


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=6), st.slices(8))
def test_passages_put_together_on_demand_are_a_sequence(documents: list[tuple[str, str]], part: slice) -> None:
    made = Passages([title for title, _ in documents], [text for _, text in documents])
    expected = [f"{title} {text}".strip() for title, text in documents]
    assert len(made) == len(expected)
    assert list(made) == expected
    assert list(made[part]) == expected[part]
    assert [made[-row] for row in range(1, len(made) + 1)] == expected[::-1]


def test_split_queries_have_a_positive() -> None:
    qrels = {"train": Qrels.of([(2, 0, 1), (0, 0, 0), (1, 0, 2), (1, 1, -1), (2, 1, 1)]), "test": Qrels.of([(3, 0, 1)])}
    made = collection({str(at): "?" for at in range(4)}, {"a": ("", "x"), "b": ("", "y")}, qrels=qrels)
    assert made.split_queries("train").tolist() == [1, 2]
    assert made.split_queries("test").tolist() == [3]


def test_available_is_what_a_sampler_may_return() -> None:
    pool = candidate_pool(
        [[3, np.nan, 1, 0.5, np.nan]],
        documents=[[4, 5, 6, 7, -1]],
        known=[[True, False, False, False, False]],
        positives=[[4]],
        positive_scores=[[3]],
    )
    assert pool.depth == 5
    assert pool.available().tolist() == [[False, False, True, True, False]]
    once = pool.without(np.array([[True, False, True, False, False]]))
    assert once.available().tolist() == [[False, False, False, True, False]]
    twice = once.without(np.array([[False, False, False, True, False]]))
    assert not twice.available().any()
    assert pool.excluded is None  # filters copy, they do not change
    assert once.available().any()


small = st.integers(0, 6)


@given(st.lists(st.tuples(small, small, st.integers(-1, 3)), max_size=20), st.lists(small, min_size=7, max_size=7))
def test_copies_have_the_grade_of_what_they_are_copies_of(triples: list[tuple[int, int, int]], text: list[int]) -> None:
    """Document d says text[d]; of two judged documents that a third is a copy of, the later one's grade counts."""
    copies = {row: np.flatnonzero(np.array(text) == text[row]).astype(np.int32) for row in range(7)}
    copies = {row: rows for row, rows in copies.items() if len(rows) > 1}
    qrels = Qrels.of(triples)
    expected: dict[tuple[int, int], int] = {}
    for query, document, grade in qrels.triples():
        for other in range(7):
            if text[other] == text[document]:
                expected[query, other] = max(grade, expected.get((query, other), grade))
    expected |= {(query, document): grade for query, document, grade in qrels.triples()}
    found = qrels.with_copies(copies)
    assert {(query, document): grade for query, document, grade in found.triples()} == expected
    assert found.triples() == sorted(found.triples())


def test_copies_are_groups_of_two_or_more() -> None:
    made = collection({}, {name: ("", name) for name in "abcde"})
    assert made.copies() == {}
    made = replace(made, equal_texts=np.array([0, 1, 0, 3, 1], np.int32))
    found = {row: rows.tolist() for row, rows in made.copies().items()}
    assert found == {0: [0, 2], 2: [0, 2], 1: [1, 4], 4: [1, 4]}
    assert made.known_copies().keys() == found.keys()
    assert replace(made, copies_known=False).known_copies() == {}


def negatives(start: int, promoted: list[list[int]], width: int = 2, size: float = 1.0) -> Negatives:
    """Of two queries; documents, ranks and scores count on from ``start``, the second column is filled."""
    table = (start + np.arange(2 * width, dtype=np.int32)).reshape(2, width)
    filled = np.broadcast_to(np.arange(width) == 1, table.shape)
    plain = mined(
        table,
        queries=[3, 5],
        origins=filled,
        ranks=np.where(filled, -1, table + 100),
        scores=np.where(filled, np.nan, table + 200),
        effective_size=[size] * 2,
    )
    return replace(plain, promoted=np.array(promoted, np.int32))


NOTHING: list[list[int]] = [[], []]
SLOTS = ("documents", "origins", "ranks", "scores")


def test_draws_stand_side_by_side_and_come_apart_again() -> None:
    draws = [negatives(start, NOTHING, size=start) for start in (10, 20, 60)]
    both = Negatives.side_by_side(draws)
    assert (both.epochs, both.width, both.documents.shape) == (3, 2, (2, 6))
    assert both.documents.tolist() == [[10, 11, 20, 21, 60, 61], [12, 13, 22, 23, 62, 63]]
    assert both.effective_size.tolist() == [30.0, 30.0]  # the mean of 10, 20 and 60
    for epoch, draw in enumerate(draws):
        found = both.of_epoch(epoch)
        assert found.epochs == 1
        for name in SLOTS:
            np.testing.assert_array_equal(getattr(found, name), getattr(draw, name))
    twice = Negatives.side_by_side([both, both])
    assert (twice.epochs, twice.width) == (6, 2)
    np.testing.assert_array_equal(twice.of_epoch(4).documents, draws[1].documents)


def test_one_draw_serves_every_epoch() -> None:
    drawn = negatives(10, NOTHING)
    for epoch in (0, 1, 7):
        np.testing.assert_array_equal(drawn.of_epoch(epoch).documents, drawn.documents)
    assert drawn.only([]) is drawn


@pytest.mark.parametrize("epochs", [[], [0], [2], [0, 2], {1}, {0, 1, 2}])
def test_draws_of_epochs_that_nobody_sees_are_blank(epochs: list[int] | set[int]) -> None:
    draws = [negatives(start, NOTHING, width=4) for start in (10, 30, 50)]
    found = Negatives.side_by_side(draws).only(epochs)
    for epoch, draw in enumerate(draws):
        left = found.of_epoch(epoch)
        if epoch in epochs:
            for name in SLOTS:
                np.testing.assert_array_equal(getattr(left, name), getattr(draw, name))
        else:
            assert (left.documents == -1).all()
            assert (left.ranks == -1).all()
            assert (left.origins == 0).all()  # nothing is counted as filled
            assert np.isnan(left.scores).all()


def test_what_one_draw_promotes_is_promoted_in_all() -> None:
    draws = [negatives(10, [[7, 4], [9, -1]]), negatives(20, [[4, -1], [-1, -1]]), negatives(30, [[0, 8], [9, 1]])]
    assert Negatives.side_by_side(draws).promoted.tolist() == [[0, 4, 7, 8], [1, 9, -1, -1]]
    same = Negatives.side_by_side([draws[0], draws[0]])
    assert same.promoted.tolist() == [[7, 4], [9, -1]]
