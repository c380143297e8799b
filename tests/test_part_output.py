"""Output of parts of every kind: what must not be is refused by the part's name, and nothing is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pools import candidate_pool, mined

from negbench import part_checks, terminal
from negbench.batching.random import Random
from negbench.errors import PartError
from negbench.evaluation.false_negatives import Rate, TrainingNegatives
from negbench.evaluation.false_negatives.exact import Exact
from negbench.losses.infonce import InfoNCE
from negbench.repair import Oracle
from negbench.repair.replaced import Replaced
from negbench.retrieval import Ranking, Search
from negbench.retrieval.corpus import Corpus
from negbench.retrieval.given import Given
from negbench.retrieval.pool import check
from negbench.rng import CounterRNG, keys
from negbench.samplers.top import Top
from negbench.stages.inputs import LoadCollection
from negbench.stages.mining.writing import WriteNegatives, texts_of
from negbench.store import Store
from negbench.training.batches import epoch_batches
from negbench.types import Collection, Qrels
from negbench.writers.counterfactual import CounterfactualWriter


def search(count: int = 2) -> Search:
    return Search(
        queries=["one", "two"][:count],
        documents=[f"text {row}" for row in range(5)],
        query_keys=keys(["q0", "q1"][:count]),
        document_keys=keys([f"d{row}" for row in range(5)]),
        positives=np.array([[0], [1]], np.int32)[:count],
        rng=CounterRNG(0, "made"),
    )


def ranking(**changes: Any) -> Ranking:
    documents = np.array([[3, 1, -1], [0, 4, 2]], np.int32)
    scores = np.array([[2, 1, np.nan], [3, 3, 2]], np.float32)
    return replace(Ranking(documents, scores, np.array([[np.nan], [0.5]], np.float32)), **changes)


RANKINGS: dict[str, tuple[dict[str, Any], str]] = {
    "rows of floats": ({"documents": np.ones((2, 3))}, "returned float64 [2, 3]; expected integers [queries, ranks]"),
    "one row": ({"documents": np.array([1, 2])}, "returned int64 [2]; expected integers [queries, ranks]"),
    "scores of one query": ({"scores": np.ones((1, 3), np.float32)}, "returned scores float32 [1, 3]; expected"),
    "whole numbers": ({"scores": np.ones((2, 3), np.int32)}, "returned scores int32 [2, 3]; expected floats [2, 3]"),
    "infinite": ({"scores": np.array([[2, 1, 0], [np.inf, 3, 2]], np.float32)}, "query 1: inf is no score"),
    "unsorted": (
        {"scores": np.array([[2, 1, 0], [2, 3, 1]], np.float32)},
        "query 1: 3.0 is a score above that of the rank before",
    ),
    "of positives": ({"positive_scores": np.ones((2, 2), np.float32)}, "returned scores float32 [2, 2]; expected"),
    "infinite positive": ({"positive_scores": np.array([[0], [-np.inf]], np.float32)}, "query 1: -inf is no score"),
}


@pytest.mark.parametrize(("changes", "problem"), RANKINGS.values(), ids=RANKINGS)
def test_a_ranking(changes: dict[str, Any], problem: str) -> None:
    check(Corpus(), ranking(), search())
    with pytest.raises(PartError) as caught:
        check(Corpus(), ranking(**changes), search())
    assert str(caught.value).startswith(f"retriever corpus: {problem}")


def test_rows_are_those_of_the_queries() -> None:
    with pytest.raises(PartError, match=r"^retriever corpus: returned scores float32 \[2, 3\]; expected"):
        check(Corpus(), ranking(), search(1))


def test_a_collection_s_own_lists_need_not_fall() -> None:
    check(Given(), ranking(scores=np.array([[1, 2, np.nan], [1, 2, 3]], np.float32)), search())


@pytest.mark.parametrize("sizes", [[1.0], [1.0, np.nan], [-1.0, 1.0], [np.inf, 1.0]])
def test_effective_sizes(sizes: list[float]) -> None:
    part_checks.check_sizes(Top(), np.array([0.0, 2.5], np.float32), 2)
    with pytest.raises(PartError, match=r"^sampler top: "):
        part_checks.check_sizes(Top(), np.array(sizes, np.float32), 2)


BATCHES = {
    "a row is missing": ([[0, 1], [2, 3]], "returned 4 places for 5 rows; expected each row in one batch"),
    "a row stands twice": ([[0, 1], [2, 3], [3, 4]], "returned 6 places for 5 rows"),
    "a row that is not there": ([[0, 1], [2, 3], [5]], "returned 5 places for 5 rows"),
    "too many": ([[0, 1, 2], [3, 4]], "returned a batch of 3 rows; expected 1 to 2"),
    "an empty batch": ([[0, 1], [], [2, 3], [4]], "returned a batch of 0 rows"),
}


@pytest.mark.parametrize(("batches", "problem"), BATCHES.values(), ids=BATCHES)
def test_batches(batches: list[list[int]], problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Random, "batches", lambda *_: [np.array(batch, np.int64) for batch in batches])
    rows = np.arange(5, dtype=np.int32)
    with pytest.raises(PartError) as caught:
        epoch_batches(rows, keys([f"r{row}" for row in rows]), 2, 0, 0, "each", Random())
    assert str(caught.value).startswith(f"batching random: {problem}")


@pytest.mark.parametrize("shape", [(), (3, 1), (3, 4), (4,)])
def test_a_loss_of_another_shape(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows' losses [3, 1] by weights [3] would be a table of nine."""
    import torch

    monkeypatch.setattr(InfoNCE, "rows", lambda *_: torch.ones(shape))
    nothing: Any = None
    with pytest.raises(PartError, match=r"^loss infonce: returned \[.*\]; expected the loss of each row, \[3\]$"):
        InfoNCE().mean(nothing, torch.ones(3))


def negatives() -> TrainingNegatives:
    rows = np.array([[0]], np.int32)
    return TrainingNegatives(queries=rows[0], documents=rows, weights=np.ones((1, 1)), truth=None, truth_kind="none")


def rate(rate: float, low: float, high: float, index: bool = False) -> Rate:
    return Rate(rate=rate, low=low, high=high, unit="negative", note="", index=index)


NAN = float("nan")


@pytest.mark.parametrize("found", [(1.5, NAN, NAN), (0.5, -0.1, 0.6), (0.5, 0.1, float("inf")), (0.5, 0.6, 0.7)])
def test_a_rate_that_is_no_share(found: tuple[float, float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exact, "estimate", lambda *_: {"exact": rate(*found)})
    with pytest.raises(PartError, match=r"^estimator exact: exact: rate "):
        Exact().checked_rates(negatives())


def test_rates_that_are_shares_unknown_or_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {
        "a": rate(0.0, 0.0, 1.0),
        "b": rate(NAN, 0.1, 0.2),
        "c": rate(NAN, NAN, NAN),
        "d": rate(-3, NAN, NAN, True),
    }
    monkeypatch.setattr(Exact, "estimate", lambda *_: rates)
    assert Exact().checked_rates(negatives()) == rates
    monkeypatch.setattr(Exact, "estimate", lambda *_: {"d": rate(float("inf"), NAN, NAN, index=True)})
    with pytest.raises(PartError, match="rate inf"):
        Exact().checked_rates(negatives())


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        ([[7, 2], [3, 4]], "query 0: 7 is a known positive"),
        ([[2, 2], [3, 4]], "query 0: 2 was found twice"),
        ([[1, 2], [3, 9]], "query 1: 9 is none of 9 documents"),
        ([[1], [3]], r"returned \[2, 1\] negatives; expected \[2, 2\]"),
    ],
)
def test_a_repair(documents: list[list[int]], problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = candidate_pool([[1, 0], [1, 0]], documents=[[1, 2], [3, 4]], positives=[[7], [8]])
    oracle = Oracle(
        pool=pool, relevant=Qrels.of([(0, 1, 1)]), own=np.array([-1, -1], np.int32), size=9, seed=0, copies={}
    )
    drawn = mined([[1, 2], [3, 4]])
    assert Replaced().checked(drawn, oracle).documents[0, 0] != 1
    monkeypatch.setattr(Replaced, "apply", lambda *_: replace(drawn, documents=np.array(documents, np.int32)))
    with pytest.raises(PartError, match=f"^repair replaced: {problem}"):
        Replaced().checked(drawn, oracle)


def small(**changes: Any) -> Collection:
    made = Collection(
        name="small",
        document_ids=["d0", "d1", "d2"],
        titles=["", "", ""],
        texts=["Water the rose.", "water the ROSE", "Prune it."],
        query_ids=["q0", "q1"],
        queries=["how much water", "when to prune"],
        qrels={"train": Qrels.of([(0, 0, 1), (1, 2, 1)])},
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"texts": ["one", "two"]}, r"returned \(3, 2, 2\) titles, texts and queries for 3 and 2 ids"),
        ({"document_ids": ["d0", "d0", "d2"]}, "returned document ids that are no texts, are empty or stand twice"),
        ({"query_ids": ["q0", ""]}, "returned query ids that are no texts"),
        ({"document_ids": ["d0", 1, "d2"]}, "returned document ids that are no texts"),
        ({"qrels": {"train": Qrels.of([(0, 3, 1)])}}, "returned judgments of train with a document that is none of 3"),
        ({"truth": {"dev": Qrels.of([(2, 0, 1)])}}, "returned judgments of dev with a query that is none of 2"),
        ({"qrels": {"train": Qrels.of([(0, -1, 1)])}}, "returned judgments of train with a document"),
    ],
)
def test_a_collection(changes: dict[str, Any], problem: str) -> None:
    source: Any = Named()
    part_checks.check_collection(source, small())
    with pytest.raises(PartError, match=f"^collection theirs: {problem}"):
        part_checks.check_collection(source, small(**changes))


class Named:
    kind: ClassVar[str] = "collection"
    spelling: ClassVar[str] = "theirs"


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ([["a"]], "returned texts for 1 of 2 queries; expected a list for each"),
        ([["a"], ["b", "c", "d"]], "query 1: 3 texts, and at most 2 were asked for"),
        ([["a"], "bc"], "query 1: 'bc' is no list of texts"),
        ([["a"], [None]], "query 1: [None] is no list of texts"),
    ],
)
def test_generated_texts(texts: Any, problem: str) -> None:
    part_checks.check_texts(CounterfactualWriter(), [["a", "b"], []], 2, 2)
    with pytest.raises(PartError) as caught:
        part_checks.check_texts(CounterfactualWriter(), texts, 2, 2)
    assert str(caught.value) == f"writer {CounterfactualWriter().spelling}: {problem}"


def test_a_command_says_it_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise PartError(Top(), "query 0: 7 is a known positive")

    with pytest.raises(SystemExit) as ended:
        terminal.carry_out(fails)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "negbench: sampler top: query 0: 7 is a known positive\n"


def test_a_generated_text_that_says_what_a_positive_says_is_left_out(
    tiny_collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be trained on as a negative; so would one text twice."""
    from negbench.collections.resolve import source_of

    source = source_of(str(tiny_collection))
    collection = source.load()

    def write(self: object, asked: list[tuple[str, str]]) -> list[list[str]]:
        return [[positive.upper(), "  ", "another", "Another!", f"not {query}"] for query, positive in asked]

    monkeypatch.setattr(CounterfactualWriter, "write", write)
    store = Store(tmp_path / "store")
    stage = WriteNegatives(LoadCollection(source, source.fingerprint()), "train", CounterfactualWriter(each=5))
    store.ensure(stage)
    rows = collection.split_queries("train").tolist()
    assert texts_of(store.path(stage)) == [["another", f"not {collection.queries[row]}"] for row in rows]
    (note,) = store.notes(stage)
    assert f"{3 * len(rows)} of {5 * len(rows)} texts are left out" in note
