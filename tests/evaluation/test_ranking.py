from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.errors import InputError
from negbench.evaluation.ranking import DEFAULT, evaluate
from negbench.types import Collection, Qrels


def collection(judgments, documents=12, query_ids=("a", "b", "c", "d"), document_ids=None) -> Collection:
    return Collection(
        name="tiny",
        document_ids=list(document_ids or (f"d{row}" for row in range(documents))),
        titles=[""] * documents,
        texts=["text"] * documents,
        query_ids=list(query_ids),
        queries=["text"] * len(query_ids),
        qrels={"test": Qrels.of(judgments)},
    )


def measure(rankings, judged, queries=None, scores=None, measures=DEFAULT):
    """Pad the rankings with -1 and measure them; scores fall by one a rank unless given."""
    depth = max(map(len, rankings)) if rankings else 0
    documents = np.full((len(rankings), depth), -1, np.int32)
    values = np.full((len(rankings), depth), np.nan, np.float32)
    for row, ranking in enumerate(rankings):
        documents[row, : len(ranking)] = ranking
        values[row, : len(ranking)] = -np.arange(len(ranking)) if scores is None else scores[row]
    rows = np.arange(len(rankings), dtype=np.int32) if queries is None else np.array(queries, np.int32)
    return evaluate(documents, values, rows, judged, "test", measures)


def brute(ranking: list[int], grades: dict[int, int]) -> dict[str, float]:
    """Write the default measures out from their definitions."""

    def dcg(gains):
        return sum(max(gain, 0) / math.log2(rank + 2) for rank, gain in enumerate(gains[:10]))

    relevant = {document for document, grade in grades.items() if grade > 0}
    hits = [document in relevant for document in ranking]
    found = [rank for rank, hit in enumerate(hits, start=1) if hit]
    top = ranking[:10]
    return {
        "nDCG@10": dcg([grades.get(d, 0) for d in ranking]) / dcg(sorted(grades.values(), reverse=True)),
        "RR@10": next((1 / rank for rank in found if rank <= 10), 0.0),
        "R@100": sum(rank <= 100 for rank in found) / len(relevant),
        "AP": sum(sum(hits[:rank]) / rank for rank in found) / len(relevant),
        "Judged@10": sum(document in grades for document in top) / len(top) if top else 0.0,
        "nDCG(judged_only=True)@10": dcg([grades[d] for d in ranking if grades.get(d, -1) >= 0])
        / dcg(sorted(grades.values(), reverse=True)),
    }


def test_a_hand_computed_case():
    """Grades 2, 1 and a judged 0; found at ranks 3, 1 and 2, with an unjudged document at rank 4."""
    judged = collection([(0, 7, 2), (0, 3, 1), (0, 5, 0)])
    scores = measure([[3, 5, 7, 1]], judged)
    ideal = 2 / 1 + 1 / math.log2(3)
    assert scores.mean == pytest.approx(
        {
            "nDCG@10": (1 / 1 + 2 / math.log2(4)) / ideal,  # linear gain: grade 2 counts twice, not thrice
            "RR@10": 1.0,
            "R@100": 1.0,
            "AP": (1 / 1 + 2 / 3) / 2,
            "Judged@10": 3 / 4,
            "nDCG(judged_only=True)@10": (1 / 1 + 2 / math.log2(4)) / ideal,
        }
    )


def test_mean_is_over_queries_with_a_positive():
    """Query 1 is found at rank 2, query 0 not at all, query 2 has only a judged 0, query 3 no judgment."""
    judged = collection([(0, 1, 1), (1, 2, 1), (2, 3, 0)])
    scores = measure([[5], [4, 2], [3], [1]], judged, measures=["RR@10", "Judged@10"])
    np.testing.assert_array_equal(scores.per_query["RR@10"], [0, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(scores.per_query["Judged@10"], [0, 0.5, np.nan, np.nan])
    assert scores.mean == {"RR@10": 0.25, "Judged@10": 0.25}


def test_an_empty_ranking_scores_zero():
    judged = collection([(0, 1, 1), (1, 2, 1)])
    scores = measure([[], [2]], judged)
    for name in DEFAULT:
        assert scores.per_query[name].tolist() == [0, 1]
        assert scores.mean[name] == 0.5
    nothing = measure([[], []], judged)
    assert all(column.tolist() == [0, 0] for column in nothing.per_query.values())
    unjudged = measure([[1], [2]], judged, queries=[2, 3])
    assert all(map(math.isnan, unjudged.mean.values()))


def test_results_follow_the_order_of_the_queries_given():
    judged = collection([(0, 1, 1), (1, 2, 1), (3, 3, 1)])
    scores = measure([[3], [0, 2], [0, 5, 6, 1]], judged, queries=[3, 1, 0], measures=["RR@10"])
    assert scores.per_query["RR@10"].tolist() == [1, 0.5, 0.25]


def test_the_query_s_own_document_is_dropped():
    """Query "b" is document row 4: it neither takes a rank nor counts as judged; other queries keep it."""
    names = ["d0", "d1", "d2", "d3", "b", "d5", "d6", "d7", "d8", "d9", "d10", "d11"]
    judged = collection([(0, 4, 1), (1, 2, 1)], document_ids=names)
    scores = measure([[4, 2], [4, 2]], judged)
    for name in ("nDCG@10", "RR@10", "R@100", "AP"):
        assert scores.per_query[name].tolist() == [1, 1]
    assert scores.per_query["Judged@10"].tolist() == [0.5, 1]
    assert measure([[4, 2], [4]], judged).per_query["RR@10"].tolist() == [1, 0]


@pytest.mark.parametrize("order", [[9, 1, 10, 2], [2, 10, 1, 9], [10, 9, 2, 1]])
def test_the_order_of_ties_is_that_of_no_file(order):
    """The same documents by id, given in another order and standing in another row, have the same measures."""
    plain = measure([order], collection([(0, 10, 1)]), scores=[[0.5] * 4])
    names = [f"d{row}" for row in range(12)]
    turned = collection([(0, 11 - 10, 1)], document_ids=names[::-1])
    assert measure([[11 - row for row in order]], turned, scores=[[0.5] * 4]).mean == plain.mean
    assert plain.mean == measure([[1, 2, 9, 10]], collection([(0, 10, 1)]), scores=[[0.5] * 4]).mean


def test_all_tied_is_chance():
    """300 queries over 20 documents of one score: RR and its spread are those of random permutations.

    One order for all queries would give one of 20 values; the order of ids a high one, as the positive is the last.
    """
    queries = [f"q{row}" for row in range(300)]
    judged = collection([(row, 19, 1) for row in range(300)], documents=20, query_ids=queries)
    found = measure([list(range(20))] * 300, judged, scores=[[0.5] * 20] * 300, measures=["RR@20"])
    reciprocal = 1 / np.arange(1, 21)
    assert found.mean["RR@20"] == pytest.approx(reciprocal.mean(), abs=4 * reciprocal.std() / math.sqrt(300))
    assert len(set(found.per_query["RR@20"])) == 20


def test_ties_move_only_among_themselves():
    judged = collection([(0, 5, 1), (1, 6, 1)])
    scores = measure([[5, 1, 2, 6], [5, 1, 2, 6]], judged, scores=[[3, 2, 2, 1]] * 2, measures=["RR@10"])
    assert scores.per_query["RR@10"].tolist() == [1, 0.25]


def test_scores_decide_the_order_and_nan_ranks_last():
    judged = collection([(0, 1, 1), (1, 1, 1)])
    scores = measure([[5, 1, 2], [5, 1, 2]], judged, scores=[[0.1, 0.9, 0.5], [0.1, np.nan, -3.0]])
    assert scores.per_query["RR@10"].tolist() == [1, pytest.approx(1 / 3)]


def test_scores_as_near_as_float32_allows_keep_their_order():
    near = np.float32(1e8)
    judged = collection([(0, 3, 1)])
    values = [[near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(np.inf))]]
    assert measure([[1, 2, 3]], judged, scores=values).mean["RR@10"] == 1


grades = st.dictionaries(st.integers(0, 149), st.integers(0, 3), max_size=30)
rankings = st.lists(st.integers(0, 149), unique=True, max_size=130)


@given(st.lists(st.tuples(grades, rankings), min_size=1, max_size=4))
def test_default_measures_against_their_definitions(cases):
    judgments = [(q, d, grade) for q, (judged, _) in enumerate(cases) for d, grade in judged.items()]
    scores = measure([ranking for _, ranking in cases], collection(judgments, documents=150))
    for row, (judged, ranking) in enumerate(cases):
        for name in DEFAULT:
            actual = scores.per_query[name][row]
            if max(judged.values(), default=0) > 0:
                assert actual == pytest.approx(brute(ranking, judged)[name], abs=1e-6), name
            else:
                assert math.isnan(actual)


@given(grades.filter(lambda judged: max(judged.values(), default=0) > 0), rankings, st.data())
def test_against_ir_measures_on_ids_and_distinct_scores(judged, ranking, data):
    """Real ids and real scores given straight to ir-measures, in a shuffled order."""
    wanted = ["nDCG@5", "P@5", "AP(rel=2)", "Success@3", "nDCG", "Bpref", "Rprec"]
    scores = np.random.default_rng(len(ranking)).permutation(len(ranking)).astype(np.float32)
    actual = measure(
        [ranking], collection([(0, d, g) for d, g in judged.items()], documents=150), scores=[scores], measures=wanted
    )
    pairs = data.draw(st.permutations(list(zip(ranking, scores.tolist(), strict=True))))
    expected = ir_measures.pytrec_eval.calc_aggregate(
        [ir_measures.parse_measure(name) for name in wanted],
        {"q": {f"d{d}": g for d, g in judged.items()}},
        {"q": {f"d{d}": score for d, score in pairs}} if pairs else {},
    )
    assert actual.mean == pytest.approx({str(name): value for name, value in expected.items()}, abs=1e-6)


def test_measures_keep_the_caller_s_spelling():
    scores = measure([[2, 1]], collection([(0, 1, 1)]), measures=["NDCG@10", "nDCG@10", "MRR@10"])
    assert list(scores.mean) == ["NDCG@10", "nDCG@10", "MRR@10"]
    assert scores.mean["NDCG@10"] == scores.mean["nDCG@10"] == pytest.approx(1 / math.log2(3))
    assert scores.mean["MRR@10"] == 0.5


@pytest.mark.parametrize(
    ("spelling", "says"),
    [
        ("goodness@10", "goodness"),
        ("nDCG@ten", "nDCG@ten"),
        ("nDCG@10(", "nDCG@10"),
        ("nDCG(colour=1)@10", "colour"),
        ("nDCG@1.5", "cutoff"),
        ("R", "cutoff"),
        ("", "nDCG@10"),
        # trec_eval would abort the interpreter on these
        ("P@0", "at least 1"),
        ("AP@0", "at least 1"),
        ("P(rel=0)@5", "at least 1"),
    ],
)
def test_a_measure_that_does_not_exist_is_refused_by_name(spelling, says):
    with pytest.raises(InputError, match="ir-measures") as caught:
        measure([[1]], collection([(0, 1, 1)]), measures=["AP", spelling])
    assert repr(spelling) in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "object at" not in str(caught.value)


def test_a_measure_without_its_provider_is_refused_by_name(monkeypatch):
    for provider in ir_measures.DefaultPipeline.providers:
        if provider.NAME == "judged":
            monkeypatch.setattr(provider, "_is_available", False)
    with pytest.raises(InputError, match=r"'Judged@10' needs an ir-measures provider"):
        measure([[1]], collection([(0, 1, 1)]), measures=["AP", "Judged@10"])


def test_an_unknown_split_is_refused_by_name():
    with pytest.raises(InputError, match="'dev'; give one of test"):
        evaluate(np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32), np.zeros(1, np.int32), collection([]), "dev")
