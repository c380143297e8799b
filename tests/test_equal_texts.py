"""Documents with a positive's own text are positives: in the pool, among the fills, in the batch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pools import with_features

from negbench import mining
from negbench.collections import storage
from negbench.collections.duplicates import equal_texts, normalised, unlabelled_copies, with_copies_in_truth
from negbench.config.grid import read
from negbench.labels.promote import Promote
from negbench.mining import Rules
from negbench.plan.trials import trials
from negbench.repair import Oracle
from negbench.repair.replaced import Replaced
from negbench.retrieval.okapi import Okapi
from negbench.retrieval.pool import build
from negbench.samplers.top import Top
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.stages.inputs import copies_note
from negbench.store import Store
from negbench.training.data import instances, marks
from negbench.types import CandidatePool, Collection, Negatives, Qrels


def collection_of(texts: list[str], judgments: list[tuple[int, int, int]], queries: list[str]) -> Collection:
    found = Collection(
        name="small",
        document_ids=[f"d{row}" for row in range(len(texts))],
        titles=[""] * len(texts),
        texts=texts,
        query_ids=[f"q{row}" for row in range(len(queries))],
        queries=queries,
        qrels={"train": Qrels.of(judgments)},
    )
    return replace(found, equal_texts=equal_texts(found.passages()))


WORDS = ("lamp", "Lamp!", "  lamp ", "chair", "CHAIR", "table", "")


@st.composite
def collections(draw: st.DrawFn) -> Collection:
    texts = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
    pair = st.tuples(st.integers(0, 2), st.integers(0, len(texts) - 1), st.integers(0, 2))
    return collection_of(texts, draw(st.lists(pair, min_size=1, max_size=8)), ["one", "two", "three"])


@given(collections())
def test_copies_of_positives_by_a_plain_comparison_of_words(collection: Collection) -> None:
    words = [normalised(text) for text in collection.texts]
    labels = {(q, d) for q, d, grade in collection.qrels["train"].triples() if grade > 0}
    expected = {
        (query, other)
        for query, document in labels
        for other in range(len(words))
        if words[other] and words[other] == words[document] and (query, other) not in labels
    }
    found = unlabelled_copies(collection, "train")
    assert {(q, d) for q, d, _ in found.triples()} == expected


LETTERS = st.text("aAbB. _*\n\u00e9\u00df\ufb01\u0130\u00b2", max_size=6)


@given(st.lists(LETTERS, max_size=12))
@example(["ab c", "a bc", "A  bc!", "abc"])
@example(["\ufb01x", "fi x", "fix", "...", "", "FIX"])
def test_each_text_leads_or_follows_the_first_with_its_words(texts: list[str]) -> None:
    words = [normalised(text) or " ".join(text.split()) for text in texts]
    expected = [words.index(own) if own else row for row, own in enumerate(words)]
    assert equal_texts(texts).tolist() == expected


@given(collections())
def test_in_the_batch_a_copy_is_masked_as_its_positive_is(collection: Collection) -> None:
    if not len(collection.qrels["train"].at_least(1)):
        return
    data = instances(collection, "train", None)
    documents = np.arange(len(collection.texts), dtype=np.int32)
    _, relevant, _ = marks(data, np.arange(len(data.queries)), documents)
    known = collection.qrels["train"].at_least(1).triples() + unlabelled_copies(collection, "train").triples()
    pairs = {(query, document) for query, document, _ in known}
    for row, query in enumerate(data.queries.tolist()):
        assert np.flatnonzero(relevant[row]).tolist() == sorted(d for q, d in pairs if q == query)


SIX = ["a lamp is here", "A lamp: is HERE", "a lamp is there", "the chair", "a  lamp is here.", "the table"]


def pool_of(collection: Collection) -> CandidatePool:
    return build(Okapi(depth=6), collection, np.array([0], np.int32), "train", 0)


@pytest.mark.parametrize(("known", "expected"), [(True, [0, 1, 4]), (False, [0])])
def test_the_pool_marks_copies_unless_told_not_to(known: bool, expected: list[int]) -> None:
    collection = replace(collection_of(SIX, [(0, 0, 1)], ["a lamp"]), copies_known=known)
    pool = pool_of(collection)
    assert sorted(pool.documents[0][pool.known[0]].tolist()) == expected


def test_a_copy_of_the_querys_own_document_is_known() -> None:
    collection = replace(collection_of(SIX, [(0, 3, 1)], ["a lamp is here"]), query_ids=["d0"])
    pool = pool_of(collection)
    assert {0, 1, 4} <= set(pool.documents[0][pool.known[0]].tolist())


@pytest.mark.parametrize("known", [True, False])
def test_a_copy_of_a_relevant_document_is_relevant_where_copies_are_known(known: bool, tmp_path: Path) -> None:
    """Read again from the store: 3 is relevant to query 0, its copy 4 is judged not to be, and 5 is not judged."""
    texts = ["lamp", "Lamp!", "LAMP", "chair", "Chair.", "CHAIR", "table"]
    made = replace(
        collection_of(texts, [(0, 0, 1)], ["one", "two"]),
        truth={"train": Qrels.of([(0, 0, 1), (0, 3, 2), (0, 4, 0), (1, 6, 1)])},
        truth_kind="complete",
        copies_known=known,
    )
    storage.save(made, tmp_path)
    read_again = storage.load_once(tmp_path)
    more = [(0, 1, 1), (0, 2, 1), (0, 5, 2)] if known else []
    assert read_again.truth["train"].triples() == sorted([*made.truth["train"].triples(), *more])
    assert read_again.qrels["train"].triples() == [(0, 0, 1)]


def test_a_repair_puts_no_copy_of_a_false_negative_in_its_place() -> None:
    collection = replace(
        collection_of(SIX, [(0, 3, 1)], ["a lamp is here"]), truth={"train": Qrels.of([(0, 0, 1), (0, 3, 1)])}
    )
    pool = pool_of(collection)
    own = np.array([-1], np.int32)
    drawn = mining.mine(pool, Rules(Top()), 1, 0, own, 6, copies=collection.known_copies())
    assert drawn.documents.tolist() == [[0]]
    for judged, expected in ((collection, {1, 4}), (with_copies_in_truth(collection), {2, 5})):
        oracle = Oracle(
            pool=pool, relevant=judged.truth["train"], own=own, size=6, seed=0, copies=judged.known_copies()
        )
        assert Replaced().checked(drawn, oracle).documents[0, 0] in expected


def test_no_fill_has_the_text_of_a_positive() -> None:
    collection = collection_of(SIX, [(0, 0, 1)], ["nothing of this"])
    for copies, expected in ((collection.copies(), {2, 3, 5}), ({}, {1, 2, 3, 4, 5})):
        own = np.array([-1], np.int32)
        found = mining.mine(pool_of(collection), Rules(Top()), 6, 0, own, 6, copies=copies)
        assert set(found.documents[0].tolist()) - {-1} == expected


@pytest.mark.parametrize("with_copies", [True, False])
def test_what_has_the_text_of_a_promoted_document_is_neither_drawn_nor_filled(with_copies: bool) -> None:
    collection = collection_of(SIX, [(0, 5, 1)], ["a lamp is here"])
    copies: Any = collection.copies() if with_copies else {}
    pool = pool_of(collection)
    pool = with_features(pool, teacher_scores=np.where(pool.documents == 0, 1.0, 0.0))
    found = mining.mine(pool, Rules(Top(), labels=(Promote(),)), 6, 0, np.array([-1], np.int32), 6, copies=copies)
    assert ({1, 4} & set(found.documents[0].tolist()) == set()) is with_copies
    assert 0 not in found.documents[0].tolist()


def test_the_user_is_told_how_many_and_what_becomes_of_them() -> None:
    collection = collection_of(SIX, [(0, 0, 1), (1, 3, 1)], ["a lamp", "a chair"])
    (note,) = copies_note(collection)
    assert note.startswith("1 of 2 training queries have unlabelled duplicates of a positive")
    assert "(2 pairs): they count as positives and are no negatives (equal_texts)" in note
    (note,) = copies_note(replace(collection, copies_known=False))
    assert "may be drawn as negatives (equal_texts)" in note
    assert copies_note(collection_of(SIX, [(0, 3, 1)], ["a lamp"])) == []


DATA = Path(__file__).resolve().parents[2] / "shared/data/nfcorpus"


@pytest.mark.skipif(not DATA.exists(), reason="NFCorpus is not here")
def test_nfcorpus_has_the_copies_that_a_reader_counted() -> None:
    from negbench.collections.resolve import source_of

    full = source_of(str(DATA)).load()
    found = unlabelled_copies(replace(full, equal_texts=equal_texts(full.passages())), "train")
    assert (len(np.unique(found.queries)), len(found)) == (930, 2039)


def _twice(folder: Path) -> Path:
    """Write a collection whose documents all stand there twice, and return its folder."""
    (folder / "qrels").mkdir(parents=True)
    words = ["lamp", "chair", "table", "window", "door", "garden", "river", "bridge", "engine", "ladder"]
    documents = [(f"{kind}{at}", f"the {word} number {at}") for kind in "dc" for at, word in enumerate(words)]
    for stem, rows in (("corpus", documents), ("queries", [(f"q{at}", f"a {it}") for at, it in enumerate(words)])):
        lines = [json.dumps({"_id": name, "title": "", "text": text}) + "\n" for name, text in rows]
        (folder / f"{stem}.jsonl").write_text("".join(lines))
    for split, rows in (("train", range(6)), ("dev", range(6, 8)), ("test", range(8, 10))):
        lines = [f"q{row}\td{row}\t1\n" for row in rows]
        (folder / f"qrels/{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    return folder


def test_a_grid_can_leave_copies_unlabelled_and_then_counts_them(tmp_path: Path, tiny_encoder: Path) -> None:
    grid = {
        "name": "g",
        "collection": str(_twice(tmp_path / "twice")),
        "encoder": {"model": str(tiny_encoder)},
        "methods": ["naive"],
        "negatives": 2,
        "train": {"epochs": 2, "batch_size": 4, "precision": "float32"},
        "axes": {"equal_texts": ["known", "unlabelled"]},
    }
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    store = Store(tmp_path / "store")
    known, unlabelled = [trial for trial in trials(read(tmp_path / "grid.yaml")) if trial.training is not None]
    rates = {}
    for trial in (known, unlabelled):
        assert trial.negatives is not None
        for stage in trial.counts:
            store.ensure(stage)
        rates[trial.name] = read_rates(trial.counts, store.path)
        drawn = store.load(Negatives, trial.negatives)
        copies = drawn.documents == drawn.queries[:, None] + 10  # document 10 + n says what document n says
        if trial is known:
            assert not copies.any()
        else:
            assert rates[trial.name]["equal-texts"]["rate"] == pytest.approx(copies.mean())
            assert copies.any()
    assert "equal-texts" not in rates[known.name]
    embedded = [{stage.key for stage in trial.stages if stage.kind == "embeddings"} for trial in (known, unlabelled)]
    assert embedded[0] & embedded[1]  # vectors do not depend on what is known


def test_held_out_labels_are_found_in_their_copies(tmp_path: Path, tiny_encoder: Path) -> None:
    """Each query has two labels, n and n + 1 of ten, and each document a copy: a copy of a hidden one is a find."""
    folder = _twice(tmp_path / "twice")
    lines = [f"q{row}\td{row + more}\t1\n" for row in range(6) for more in (0, 1)]
    (folder / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    grid = {
        "name": "g",
        "collection": str(folder),
        "encoder": {"model": str(tiny_encoder)},
        "methods": ["bm25(candidates.depth=20)"],
        "negatives": 4,
        "held_out": 0.5,
        "estimators": ["held-out"],
        "train": {"epochs": 1, "batch_size": 4, "precision": "float32"},
    }
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    store = Store(tmp_path / "store")
    (trial,) = [trial for trial in trials(read(tmp_path / "grid.yaml")) if trial.training is not None]
    for stage in trial.counts:
        store.ensure(stage)
    (estimate,) = [stage for stage in trial.estimates if stage.held_out is not None]
    assert estimate.held_out is not None
    drawn = store.load(Negatives, estimate.held_out)
    finds = sum(row % 10 in (query, query + 1) for query, of in enumerate(drawn.documents.tolist()) for row in of)
    total = int((drawn.documents >= 0).sum())
    assert read_rates(trial.counts, store.path)["held-out"]["rate"] == pytest.approx(finds / total)
    assert any(row >= 10 and row % 10 in (query, query + 1) for query, of in enumerate(drawn.documents) for row in of)
