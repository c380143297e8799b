from __future__ import annotations

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest
from collection_tables import digest, pairs
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from negbench.collections import Source
from negbench.collections._helpdesk.circumstances import CONDITIONS, PLANS
from negbench.collections._helpdesk.problems import PROBLEMS
from negbench.collections._helpdesk.things import DEVICES, PARTS
from negbench.collections._helpdesk.world import build
from negbench.collections.helpdesk_v1 import HelpdeskV1
from negbench.collections.pooler import similarities
from negbench.collections.withholding import popularity, similarity, visible
from negbench.errors import InputError
from negbench.rng import CounterRNG
from negbench.types import Collection, Qrels

GOLDEN = "aab3e516f53b5170fe8ca26dcc44abf7"
SMALL = HelpdeskV1(articles=300, queries=60, dev=20, test=30)
MODES = ("random", "pooling", "popularity", "similarity")
PRODUCT, DEVICE, PART, PROBLEM, CONDITION, PLAN = range(6)


@pytest.fixture(scope="module")
def default() -> Collection:
    return HelpdeskV1().load()


def luck(truth: Qrels, seed: int) -> np.ndarray:
    return CounterRNG(seed, "test").gumbel(truth.queries, truth.documents)


def test_output_has_not_changed_without_a_new_version(default: Collection) -> None:
    assert (HelpdeskV1.version, digest(default)) == (1, GOLDEN)


def test_counts_splits_and_ids(default: Collection) -> None:
    assert len(default.texts) == len(set(default.document_ids)) == 1200
    assert [len(default.split_queries(split)) for split in ("train", "dev", "test")] == [400, 60, 200]
    assert len(default.queries) == len(set(default.queries)) == len(set(default.query_ids)) == 660
    assert len(set(default.passages())) == 1200
    assert default.document_ids[0] == "a0001"
    assert default.query_ids[-1] == "q0660"
    assert default.truth_kind == "complete"
    rows = [set(default.split_queries(split).tolist()) for split in default.qrels]
    assert not any(one & other for one, other in itertools.combinations(rows, 2))


def test_relevance_is_the_rule_by_brute_force() -> None:
    world, collection = SMALL.world(), SMALL.load()
    expected = {
        (q, a)
        for q, question in enumerate(world.questions.facets.tolist())
        for a, facets in enumerate(world.articles.facets.tolist())
        if not any(asked >= 0 and told >= 0 and asked != told for asked, told in zip(question, facets, strict=True))
    }
    assert set().union(*(pairs(truth) for truth in collection.truth.values())) == expected
    assert all((qrels.grades == 1).all() for qrels in collection.truth.values())


def test_facets_belong_together() -> None:
    world = SMALL.world()
    for facets in (world.articles.facets, world.questions.facets):
        assert (facets[:, [PART, PROBLEM]] >= 0).all()
        named = facets[facets[:, PRODUCT] >= 0]
        assert (named[:, DEVICE] == named[:, PRODUCT] % len(DEVICES)).all()
        for row in facets.tolist():
            part = list(PARTS)[row[PART]]
            assert list(PROBLEMS)[row[PROBLEM]] in PARTS[part].problems
            assert row[DEVICE] < 0 or part in DEVICES[row[DEVICE]].parts
    assert len({tuple(row) for row in world.questions.facets.tolist()}) == len(world.questions.texts)


def test_texts_state_exactly_their_facets(default: Collection) -> None:
    world = HelpdeskV1().world()
    names = world.articles.products
    assert len(set(names)) == len(names) == 36
    for facets, passage in zip(world.articles.facets.tolist(), default.passages(), strict=True):
        said = Counter(re.findall(r"\w+", passage))
        assert [name for name in names if name in said] == [names[p] for p in facets[:1] if p >= 0]
        assert [p.term for p in PLANS if p.term in said] == [PLANS[p].term for p in facets[5:] if p >= 0]
        found = [c.term for c in CONDITIONS for _ in range(passage.count(f" {c.term}"))]
        assert found == [CONDITIONS[c].term for c in facets[4:5] if c >= 0]
    for facets, question in zip(world.questions.facets.tolist(), default.queries, strict=True):
        said = Counter(re.findall(r"\w+", question))
        low = question.lower()
        assert [name for name in names if name in said] == [names[p] for p in facets[:1] if p >= 0]
        assert any(word in low for word in list(PARTS.values())[facets[PART]].lay)
        conditions = [i for i, c in enumerate(CONDITIONS) if any(lay.lower() in low for lay in c.lay)]
        assert conditions == [condition for condition in facets[4:5] if condition >= 0]
        plans = [i for i, p in enumerate(PLANS) if any(lay.lower() in low for lay in p.lay)]
        assert plans == [plan for plan in facets[5:] if plan >= 0]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reads_as_english(seed: int) -> None:
    collection = HelpdeskV1(seed=seed).load()
    for text in [*collection.titles, *collection.texts, *collection.queries]:
        assert not re.search(r"[{}_]|  |\s$|^\s| [.,:]|\bNone\b", text), text
        assert not re.search(r"\ba (?!uni)[aeiou]", text, re.IGNORECASE), text
        assert not re.search(r"\ban (?:uni|[^aeiou])", text, re.IGNORECASE), text
        assert not re.search(r"\b(\w+) \1\b", text, re.IGNORECASE), text
        assert text[0].isupper(), text
        assert all(start.isupper() for start in re.findall(r"[.?] (\w)", text)), text
    assert all(text.endswith(".") for text in collection.texts)
    assert all(2 <= len(re.findall(r"\.", text)) <= 4 for text in collection.texts)
    assert all(question[-1] in ".?" for question in collection.queries)
    words = [len(passage.split()) for passage in collection.passages()]
    assert min(words) >= 35
    assert max(words) <= 60
    lengths = [len(question.split()) for question in collection.queries]
    assert min(lengths) >= 8
    assert max(lengths) <= 22


def test_many_forms_of_sentence(default: Collection) -> None:
    assert max(Counter(" ".join(text.split()[:3]) for text in default.texts).values()) < 300
    assert max(Counter(" ".join(text.split()[:2]) for text in default.queries).values()) < 130


@pytest.mark.parametrize("shares", [(0.25, 0.15), (0.4, 0.3), (0.0, 0.0)])
def test_near_duplicates_and_rewordings(shares: tuple[float, float]) -> None:
    source = SMALL.model_copy(update={"near_duplicates": shares[0], "rewordings": shares[1]})
    articles, passages = source.world().articles, source.load().passages()
    assert len(set(passages)) == 300
    counts = Counter[str]()
    for row, copied in enumerate(articles.source.tolist()):
        if copied < 0:
            continue
        assert articles.source[copied] == -1
        mine, other = passages[row].split(), passages[copied].split()
        if (articles.facets[row] != articles.facets[copied]).sum() == 1:
            counts["near"] += 1
            assert len(mine) == len(other)
            assert 1 <= sum(a != b for a, b in zip(mine, other, strict=True)) <= 2
        else:
            counts["reworded"] += 1
            assert (articles.facets[row] == articles.facets[copied]).all()
            assert sum((Counter(mine) & Counter(other)).values()) < 0.75 * min(len(mine), len(other))
    assert (counts["near"], counts["reworded"]) == (round(300 * shares[0]), round(300 * shares[1]))


def test_near_duplicates_usually_differ_in_relevance(default: Collection) -> None:
    articles = HelpdeskV1().world().articles
    answered: dict[int, set[int]] = {}
    for truth in default.truth.values():
        for query, document in pairs(truth):
            answered.setdefault(document, set()).add(query)
    near = [
        (row, copied)
        for row, copied in enumerate(articles.source.tolist())
        if copied >= 0 and (articles.facets[row] != articles.facets[copied]).any()
    ]
    asked = [(answered.get(a, set()), answered.get(b, set())) for a, b in near]
    asked = [(one, other) for one, other in asked if one | other]
    assert np.mean([one != other for one, other in asked]) > 0.5


@pytest.mark.parametrize("mode", MODES)
def test_withholding_touches_the_visible_labels_alone(mode: str, default: Collection) -> None:
    collection = HelpdeskV1.model_validate({"withhold": mode, "label_rate": 0.7}).load()
    assert collection.passages() == default.passages()
    assert collection.queries == default.queries
    for split in ("train", "dev", "test"):
        assert pairs(collection.truth[split]) == pairs(default.truth[split])
        assert pairs(collection.qrels[split]) <= pairs(collection.truth[split])
        assert set(collection.qrels[split].queries) == set(collection.truth[split].queries)
    assert pairs(collection.qrels["test"]) == pairs(collection.truth["test"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rate", [0.3, 0.5, 0.8, 1.0])
def test_label_rate_is_met(mode: str, rate: float) -> None:
    collection = HelpdeskV1.model_validate({"articles": 600, "withhold": mode, "label_rate": rate}).load()
    for split in ("train", "dev"):
        truth, qrels = collection.truth[split], collection.qrels[split]
        assert len(qrels) / len(truth) == pytest.approx(max(rate, len(set(truth.queries)) / len(truth)), abs=0.02)


def test_mean_number_of_relevant_articles(default: Collection) -> None:
    for truth in default.truth.values():
        assert 3 < len(truth) / len(set(truth.queries.tolist())) < 6


@given(
    relevant=st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=8), min_size=1, max_size=12),
    rate=st.floats(0.01, 1.0),
    mode=st.sampled_from(["random", "popularity"]),
)
def test_every_query_keeps_a_label_and_the_rate_is_exact(relevant: list[set[int]], rate: float, mode: str) -> None:
    truth = Qrels.of([(query, row, 1) for query, rows in enumerate(relevant) for row in rows])
    shown = visible(truth, mode, rate, ([], []), luck(truth, 0))  # type: ignore[arg-type]
    assert set(truth.queries[shown]) == set(truth.queries)
    assert shown.sum() == max(round(rate * len(truth)), len(relevant))


def test_random_withholding_is_blind_to_popularity_and_similarity(default: Collection) -> None:
    truth = default.truth["train"]
    many = np.bincount(truth.queries)[truth.queries] > 3  # where keeping one label each hardly matters
    likeness = similarity(truth, default.queries, default.passages())
    rates, gaps = [], []
    for seed in range(40):
        shown = visible(truth, "random", 0.5, ([], []), luck(truth, seed))
        rates.append(shown[many].mean())
        gaps.append(likeness[shown & many].mean() - likeness[~shown & many].mean())
    spread = likeness[many].std()
    assert abs(np.mean(gaps)) < 0.05 * spread
    assert 0.35 < np.mean(rates) < 0.55


def test_popular_and_similar_pairs_are_likelier_visible(default: Collection) -> None:
    truth = default.truth["train"]
    measures = {
        "popularity": popularity(truth).astype(float),
        "similarity": similarity(truth, default.queries, default.passages()),
    }
    for mode, measure in measures.items():
        qrels = HelpdeskV1.model_validate({"withhold": mode}).load().qrels["train"]
        shown = qrels.contains(truth.queries, truth.documents)
        assert measure[shown].mean() - measure[~shown].mean() > 0.3 * measure.std()
        assert measure[~shown].max() > np.median(measure)  # chance still has a say


def slow_cosines(query: str, documents: list[str]) -> list[float]:
    """Score as the pooler says it does, with dictionaries."""

    def grams(text: str) -> Counter[int]:
        data = f" {text.lower()} ".encode()
        codes = (int.from_bytes(data[at : at + 4], "little") for at in range(len(data) - 3))
        return Counter((code * 2654435761 % 2**32) >> 16 for code in codes)

    counts = [grams(text) for text in documents]
    frequency = Counter(gram for count in counts for gram in count)

    def vector(count: Counter[int]) -> dict[int, int]:
        return {
            gram: times * round(64 * math.log(1 + len(documents) / max(frequency[gram], 1)))
            for gram, times in count.items()
        }

    def dot(one: dict[int, int], other: dict[int, int]) -> int:
        return sum(weight * other.get(gram, 0) for gram, weight in one.items())

    asked = vector(grams(query))
    vectors = [vector(count) for count in counts]
    return [dot(asked, v) / math.sqrt(dot(asked, asked)) / math.sqrt(dot(v, v)) for v in vectors]


def test_pooler_is_tfidf_over_character_ngrams() -> None:
    collection = HelpdeskV1(articles=100, queries=5, dev=1, test=1).load()
    documents = [*collection.passages(), "Ünïcode tèxt"]
    for query, cosines in zip(collection.queries, similarities(collection.queries, documents), strict=True):
        np.testing.assert_allclose(cosines, slow_cosines(query, documents), rtol=1e-12)


def test_pooling_shows_what_lies_within_one_depth() -> None:
    source = HelpdeskV1(articles=150, queries=30, dev=5, test=5, withhold="pooling")
    collection = source.load()
    truth, shown = collection.truth["train"], pairs(collection.qrels["train"])
    seen: list[int] = []
    hidden: list[int] = []
    for query, rows in truth.by_query().items():
        cosines = slow_cosines(collection.queries[query], collection.passages())
        ranks = {row: sum(c > cosines[row] + 1e-12 for c in cosines) for row in rows.tolist()}
        first = min(ranks, key=lambda row: ranks[row])
        assert (query, first) in shown
        for row in rows.tolist():
            if row != first:
                (seen if (query, row) in shown else hidden).append(ranks[row])
    assert seen
    assert hidden
    assert max(seen) < min(hidden)


def test_visible_labels_grow_with_the_rate() -> None:
    for mode in MODES:
        sets = [
            pairs(SMALL.model_copy(update={"withhold": mode, "label_rate": rate}).load().qrels["train"])
            for rate in (0.3, 0.6, 0.9)
        ]
        assert sets[0] < sets[1] < sets[2]


def test_test_questions_do_not_depend_on_the_training_set() -> None:
    one, other = SMALL.load(), SMALL.model_copy(update={"queries": 90}).load()
    assert pairs(one.truth["test"]) == pairs(other.truth["test"])
    assert one.queries[:30] == other.queries[:30]
    assert one.passages() == other.passages()


def test_some_hidden_labels_are_rewordings_of_a_visible_positive(default: Collection) -> None:
    articles = HelpdeskV1().world().articles
    shown = pairs(default.qrels["train"])
    hidden = pairs(default.truth["train"]) - shown
    twins = [
        (query, row)
        for query, row in hidden
        if (copied := int(articles.source[row])) >= 0
        and (query, copied) in shown
        and (articles.facets[row] == articles.facets[copied]).all()
    ]
    assert len(twins) > 20


def test_questions_are_worded_unlike_answers(default: Collection) -> None:
    words = [set(re.findall(r"\w+", passage.lower())) for passage in default.passages()]
    with_answer, among_answers = [], []
    for query, rows in default.truth["test"].by_query().items():
        asked = set(re.findall(r"\w+", default.queries[query].lower()))
        with_answer += [len(asked & words[row]) / min(len(asked), len(words[row])) for row in rows]
        among_answers += [
            len(words[a] & words[b]) / min(len(words[a]), len(words[b])) for a, b in itertools.combinations(rows, 2)
        ]
    assert 0 < np.mean(with_answer) < 0.75 * np.mean(among_answers)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bm25_is_neither_perfect_nor_hopeless(seed: int) -> None:
    import bm25s
    import ir_measures

    collection = HelpdeskV1(seed=seed).load()
    engine = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    engine.index(bm25s.tokenize(collection.passages(), stopwords="en", show_progress=False), show_progress=False)
    rows = collection.split_queries("test")
    asked = bm25s.tokenize([collection.queries[row] for row in rows], stopwords="en", show_progress=False)
    found, scores = engine.retrieve(asked, k=10, show_progress=False)
    run = {
        str(query): {str(row): float(score) for row, score in zip(documents, values, strict=True)}
        for query, documents, values in zip(rows, found, scores, strict=True)
    }
    qrels: dict[str, dict[str, int]] = {}
    for query, row in pairs(collection.truth["test"]):
        qrels.setdefault(str(query), {})[str(row)] = 1
    measure = ir_measures.nDCG @ 10
    assert 0.15 < ir_measures.calc_aggregate([measure], qrels, run)[measure] < 0.9


def test_a_bigger_help_centre_has_more_products() -> None:
    source = HelpdeskV1(articles=6000, queries=50, dev=5, test=5)
    world = source.world()
    assert len(set(world.articles.products)) == 6000 // 33
    assert len(set(source.load().passages())) == 6000
    assert np.mean([len(rows) for rows in world.questions.relevant]) < 12


def test_product_names_stay_distinct_beyond_the_syllables() -> None:
    from negbench.collections._helpdesk.things import NAMES, product_name

    assert len({product_name(index) for index in range(3 * NAMES)}) == 3 * NAMES


def test_asking_for_too_much_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no room for 99 different near-duplicates"):
        build(100, 99, 0, 0)


def test_fingerprint_follows_the_identity() -> None:
    assert HelpdeskV1().fingerprint() == HelpdeskV1(articles=1200).fingerprint()
    changes: list[dict[str, object]] = [{"seed": 1}, {"articles": 1201}, {"withhold": "pooling"}, {"label_rate": 0.4}]
    prints = {HelpdeskV1.model_validate(change).fingerprint() for change in [{}, *changes]}
    assert len(prints) == 5
    found = Source.model_validate("helpdesk(version=1, articles=300, withhold=pooling)")
    assert found == HelpdeskV1(articles=300, withhold="pooling")


@pytest.mark.parametrize(
    "wrong",
    [{"articles": 99}, {"label_rate": 0.0}, {"near_duplicates": 0.5}, {"rewordings": -0.1}, {"withhold": "luck"}],
)
def test_parameters_out_of_bounds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        HelpdeskV1.model_validate(wrong)
