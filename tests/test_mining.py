from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import ranked_pool
from scipy.stats import chisquare

from negbench import mining
from negbench.filters import Filter
from negbench.filters.rank_band import RankBand
from negbench.filters.score_cap import ScoreCap
from negbench.labels import LabelRule, Labels
from negbench.mining import Rules
from negbench.retrieval.dense import Dense
from negbench.retrieval.pool import build
from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.samplers.mixture import Mixture
from negbench.samplers.simans import SimANS
from negbench.samplers.top import Top
from negbench.samplers.uniform import Uniform
from negbench.types import Bool, CandidatePool, Collection, Negatives, Qrels


def mine(pool: CandidatePool, k: int, corpus: int, own: Any = None, **changed: Any) -> Negatives:
    rows = np.full(len(pool.queries), -1, np.int32) if own is None else np.array(own, np.int32)
    seed = changed.pop("seed", 0)
    return mining.mine(pool, Rules(**{"sampler": Top(), **changed}), k, seed, rows, corpus)


@st.composite
def cases(draw: st.DrawFn) -> tuple[CandidatePool, int, int, list[int], Sampler]:
    corpus, count = draw(st.integers(1, 60)), draw(st.integers(0, 3))
    row = st.integers(0, corpus - 1)
    lists = [draw(st.lists(row, max_size=8, unique=True)) for _ in range(count)]
    positives = [draw(st.lists(row, max_size=5, unique=True)) for _ in range(count)]
    own = [draw(st.integers(-1, corpus - 1)) for _ in range(count)]
    pool = ranked_pool(lists, positives)
    known = pool.known | (pool.documents == np.array(own, np.int32).reshape(-1, 1)) & (pool.documents >= 0)
    sampler = draw(st.sampled_from([Top(depth=2), Uniform(), SimANS(depth=3)]))
    return replace(pool, known=known), draw(st.integers(0, 10)), corpus, own, sampler


@given(cases())
def test_draw_and_fill_by_contract(case: tuple[CandidatePool, int, int, list[int], Sampler]) -> None:
    pool, k, corpus, own, sampler = case
    found = mine(pool, k, corpus, own, sampler=sampler)
    plain = sampler.draw(pool, k, CounterRNG(0, sampler.spelling)).positions
    for field in ("documents", "origins", "ranks", "scores"):
        assert getattr(found, field).shape == (len(own), k)
    assert found.ranks.tolist() == plain.tolist()
    for query, documents in enumerate(found.documents.tolist()):
        forbidden = {*pool.positives[query].tolist(), own[query]} - {-1}
        here = [document for document in documents if document >= 0]
        assert all(document < corpus for document in here)
        assert not forbidden & set(here)
        assert len(set(here)) == len(here)
        assert len(here) == min(k, corpus - len(forbidden))  # a slot is empty only where the corpus has no more
        for slot, document in enumerate(documents):
            rank = int(found.ranks[query, slot])
            if rank >= 0:
                assert found.origins[query, slot] == 0
                assert document == pool.documents[query, rank]
                assert found.scores[query, slot] == pool.scores[query, rank]
            else:
                assert found.origins[query, slot] == 1
                assert np.isnan(found.scores[query, slot])


@pytest.mark.parametrize("corpus", [24, 200])  # little is left, so all is shuffled; and much is left
def test_the_fill_is_uniform_over_what_is_allowed(corpus: int) -> None:
    count = 6000
    pool = ranked_pool([[3, 7]] * count, [[0, 7]] * count)
    found = mine(pool, 4, corpus, [11] * count)
    assert (found.documents[:, 0] == 3).all()
    allowed = [row for row in range(corpus) if row not in (0, 3, 7, 11)]
    for slot in (1, 2, 3):
        seen = np.bincount(found.documents[:, slot], minlength=corpus)
        assert np.flatnonzero(seen).tolist() == allowed
        assert chisquare(seen[allowed]).pvalue > 1e-3
    low, high = np.sort(found.documents[:, 1:3], axis=1).T  # two slots of a query are independent, but differ
    place = {row: at for at, row in enumerate(allowed)}
    gaps = np.array([place[b] - place[a] for a, b in zip(low.tolist(), high.tolist(), strict=True)])
    size = len(allowed)
    expected = np.array([size - gap for gap in range(1, size)], float)
    grouped = [np.array_split(np.bincount(gaps, minlength=size)[1:], 10), np.array_split(expected, 10)]
    seen_, wanted = ([part.sum() for part in parts] for parts in grouped)
    assert chisquare(seen_, np.array(wanted) * count / expected.sum()).pvalue > 1e-3


@given(st.integers(0, 2**64 - 1), st.integers(1, 500), st.integers(1, 12), st.sets(st.integers(-1, 20), max_size=9))
def test_the_fill_takes_the_counters_one_by_one(query: int, size: int, count: int, taken: set[int]) -> None:
    source, found, counter = CounterRNG(0, "fill"), list[int](), 0
    left = set(range(size)) - taken
    if len(left) > 8 * count:  # the definition: draw 0, 1, 2, ... and pass over what is taken
        while len(found) < count:
            row = int(source.bits(query, counter)) % size
            found += [row] if row not in {*taken, *found} else []
            counter += 1
    else:
        found = sorted(left, key=lambda row: int(source.bits(query, row)))[:count]
    assert mining.uniform(source, np.uint64(query), size, count, set(taken)) == found


def test_a_query_is_filled_the_same_in_any_company() -> None:
    candidates = [[n % 40, (n * 7 + 1) % 40][: n % 3] for n in range(30)]
    pool, own = ranked_pool(candidates, [[(n + 5) % 40] for n in range(30)]), np.arange(30) % 7 - 1
    everyone = mine(pool, 5, 40, own)
    rows = np.random.default_rng(0).permutation(30)[:12]
    table = {field.name: getattr(pool, field.name) for field in fields(pool)}
    some = replace(pool, **{name: value[rows] for name, value in table.items() if isinstance(value, np.ndarray)})
    assert mine(some, 5, 40, own[rows]).documents.tolist() == everyone.documents[rows].tolist()
    assert mine(pool, 5, 40, own, seed=1).documents.tolist() != everyone.documents.tolist()


def test_the_fill_is_the_same_for_every_method() -> None:
    pool = ranked_pool([[50, 51]] * 20, [[]] * 20)
    one, other = mine(pool, 6, 100), mine(pool, 6, 100, sampler=Uniform())
    assert one.documents[:, 2:].tolist() == other.documents[:, 2:].tolist()


BANDS = st.lists(
    st.sampled_from([RankBand(low=0, high=2), RankBand(low=1, high=5), ScoreCap(cap=980.0)]), max_size=3, unique=True
)


@given(cases(), BANDS)
def test_unchecked_fills_come_from_below_every_filter_and_then_from_the_corpus(
    case: tuple[CandidatePool, int, int, list[int], Sampler], filters: list[Filter]
) -> None:
    pool, k, corpus, own, sampler = case
    found = mine(pool, k, corpus, own, sampler=sampler, filters=filters, fill="below-filters")
    below = max([rule.needed_depth for rule in filters], default=0)
    chance = CounterRNG(0, "unchecked fill")
    for query, documents in enumerate(found.documents.tolist()):
        drawn = [row for row, rank in zip(documents, found.ranks[query].tolist(), strict=True) if rank >= 0]
        taken = {*drawn, *pool.positives[query].tolist(), own[query]}
        left = np.flatnonzero(pool.available()[query, below:]) + below  # whatever filters threw out there
        names = pool.document_keys[query] ^ pool.query_keys[query]
        ranks = sorted(left.tolist(), key=lambda rank: int(chance.bits(names[rank])))
        expected = [row for row in pool.documents[query, ranks].tolist() if row not in taken][: k - len(drawn)]
        taken |= set(expected)
        rest = k - len(drawn) - len(expected)
        expected += mining.uniform(CounterRNG(0, "fill"), pool.query_keys[query], corpus, rest, taken)
        slots = found.ranks[query] < 0
        filled = np.array(documents, np.int32)[slots].tolist()
        assert filled == expected + [-1] * (len(filled) - len(expected))
        assert (found.origins[query] == slots).all()


def test_after_unchecked_fills_the_corpus_gives_others() -> None:
    pool = ranked_pool([[0, 1, 2, 3, 4, 5]] * 20, [[]] * 20)
    found = mine(pool, 9, 9, sampler=Top(depth=2), fill="below-filters").documents
    assert (found[:, :2] == [0, 1]).all()
    assert (np.sort(found[:, 2:6]) == [2, 3, 4, 5]).all()
    assert (np.sort(found[:, 6:]) == [6, 7, 8]).all()


def test_queries_with_the_same_candidates_have_unchecked_fills_of_their_own() -> None:
    pool = ranked_pool([list(range(40, 60))] * 30, [[]] * 30)
    found = mine(pool, 3, 100, filters=(RankBand(low=0, high=1),), fill="below-filters").documents
    assert (found[:, 0] == 40).all()
    assert len({tuple(row) for row in found[:, 1:].tolist()}) > 20


@pytest.mark.parametrize(
    "rules",
    [
        {"sampler": Uniform()},
        {"filters": (RankBand(low=0, high=1),), "fill": "below-filters"},
        {"sampler": Top(depth=1)},
    ],
)
def test_another_seed_draws_and_fills_otherwise(rules: dict[str, Any]) -> None:
    pool = ranked_pool([list(range(40, 60))] * 30, [[]] * 30)
    one, again, other = (mine(pool, 3, 100, seed=seed, **rules).documents for seed in (4, 4, 5))
    assert one.tolist() == again.tolist()
    assert (one != other).any(axis=1).sum() > 25


def test_a_slot_that_is_left_to_the_batch_has_no_document_and_no_rank() -> None:
    pool = ranked_pool([[50, 51, 52]] * 40, [[]] * 40)
    found = mine(pool, 3, 100, sampler=Mixture(share=0.5))
    left = found.documents < 0
    assert 20 < left.sum() < 100
    assert (found.ranks[left] == -1).all()
    assert (found.origins == 0).all()


class Says(LabelRule):
    """Promotes a column and halves the weights."""

    column: int = 0

    def apply(self, pool: CandidatePool, labels: Labels) -> Labels:
        promoted = labels.promoted | (np.arange(pool.depth) == self.column)
        return Labels(promoted, labels.positive_weights * np.float32(0.5))


def test_label_rules_build_on_one_another() -> None:
    pool = ranked_pool([[50, 51, 52, 53]], [[7, 9]])
    rules = [Says.model_construct(column=0), Says.model_construct(column=2)]
    found = mine(pool, 2, 100, labels=rules)
    assert found.promoted.tolist() == [[50, 52]]
    assert found.positive_weights.tolist() == [[0.25, 0.25]]
    assert found.documents.tolist() == [[51, 53]]


def test_an_exhausted_corpus_leaves_slots_empty() -> None:
    found = mine(ranked_pool([[0, 1], [4]], [[1, 2], []]), 6, 5, [3, -1])
    assert sorted(found.documents[0].tolist()) == [-1, -1, -1, -1, 0, 4]
    assert sorted(found.documents[1].tolist()) == [-1, 0, 1, 2, 3, 4]
    assert found.documents[:, -1].tolist() == [-1, -1]


class Seen(Filter):
    """Throws out the given columns, and notes what it was shown."""

    columns: tuple[int, ...] = ()
    log: Any = None

    def reject(self, pool: CandidatePool) -> Bool:
        self.log.append(pool)
        return np.broadcast_to(np.isin(np.arange(pool.depth), self.columns), pool.documents.shape)


def test_filters_come_in_order_and_see_raw_ranks() -> None:
    pool = ranked_pool([[60, 61, 62, 63, 64, 65, 66]], [[61]])
    log: list[CandidatePool] = []
    rules = [Seen.model_construct(columns=(0, 4), log=log), Seen.model_construct(columns=(2,), log=log)]
    band = RankBand(low=2, high=6)
    found = mine(pool, 2, 100, filters=(*rules, band))
    assert log[0].excluded is None
    assert log[1].excluded is not None
    assert np.flatnonzero(log[1].excluded[0]).tolist() == [0, 4]
    assert all(seen.documents.tolist() == pool.documents.tolist() for seen in log)
    assert found.documents.tolist() == [[63, 65]]
    assert found.ranks.tolist() == [[3, 5]]
    assert found.origins.tolist() == [[0, 0]]
    turned = mine(pool, 2, 100, filters=(band, *reversed(rules)))
    assert turned.documents.tolist() == found.documents.tolist()


def small(count: int, documents: int, labels: Qrels) -> tuple[Collection, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    tables = [rng.standard_normal((n, 12)).astype(np.float32) for n in (count, documents)]
    vectors = [table / np.linalg.norm(table, axis=1, keepdims=True) for table in tables]
    texts = [f"document {n}" for n in range(documents)]
    names = [[f"{side}{n}" for n in range(size)] for side, size in (("d", documents), ("q", count))]
    queries = [f"query {n}" for n in range(count)]
    collection = Collection(
        name="vectors",
        document_ids=names[0],
        titles=[""] * documents,
        texts=texts,
        query_ids=names[1],
        queries=queries,
        qrels={"train": labels},
    )
    return collection, vectors[0], vectors[1]


@dataclass
class Vectors:
    """Stands in for a model of the peer: it knows the vector of each text."""

    table: dict[str, np.ndarray]
    device: str = "cpu"

    def encode_query(self, texts: list[str], **_: Any) -> np.ndarray:
        return np.stack([self.table[text] for text in texts])

    encode_document = encode_query

    def similarity(self, one: Any, other: Any) -> Any:
        import torch

        return torch.as_tensor(one) @ torch.as_tensor(other).T

    def similarity_pairwise(self, one: Any, other: Any) -> Any:
        import torch

        return (torch.as_tensor(one) * torch.as_tensor(other)).sum(dim=1)


def test_the_hardest_are_those_of_sentence_transformers() -> None:
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    rng = np.random.default_rng(3)
    pairs = [(query, int(row), 1) for query in range(25) for row in rng.choice(80, 1 + query % 3, replace=False)]
    collection, queries, documents = small(25, 80, Qrels.of(pairs))
    rows = np.arange(25, dtype=np.int32)
    pool = build(Dense(depth=60), collection, rows, "train", 0, queries, documents)
    texts, asked = collection.texts, collection.queries
    peer = Vectors(dict(zip([*texts, *asked], [*documents, *queries], strict=True)))
    labelled = {"query": [asked[query] for query, _, _ in pairs], "answer": [texts[row] for _, row, _ in pairs]}
    theirs = mine_hard_negatives(
        Dataset.from_dict(labelled),
        peer,  # type: ignore[arg-type]
        corpus=texts,
        range_max=60,
        num_negatives=5,
        sampling_strategy="top",
        output_format="n-tuple",
        verbose=False,
    )
    expected = {line["query"]: [texts.index(line[f"negative_{n}"]) for n in range(1, 6)] for line in theirs}
    assert len(expected) == 25
    assert pool.known[:, :5].sum() > 3  # positives stood in the way
    assert mine(pool, 5, 80).documents.tolist() == [expected[text] for text in asked]


@pytest.mark.parametrize(
    ("method", "margin"),
    [
        ("margin(filters.margin.margin=0.1)", {"absolute_margin": 0.1}),
        ("margin(filters.margin.margin=0.3)", {"absolute_margin": 0.3}),
        ("percent(filters.margin.margin=0.05)", {"relative_margin": 0.05}),
        ("percent(filters.margin.margin=0.5)", {"relative_margin": 0.5}),
        ("abs(cap=0.3)", {"max_score": 0.3}),
    ],
)
def test_positive_aware_mining_is_that_of_sentence_transformers(method: str, margin: dict[str, float]) -> None:
    """Where it is right: scores of positives above 0 (below, its earlier releases kept the wrong side)."""
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    from negbench.methods import resolve

    rng = np.random.default_rng(3)
    labels = Qrels.of([(query, int(row), 1) for query in range(25) for row in rng.choice(80, 1 + query % 3, False)])
    collection, queries, documents = small(25, 80, labels)
    scores = queries @ documents.T
    by_query = labels.by_query()
    kept = [query for query in range(25) if min(scores[query, by_query[query]]) > 0]
    assert len(kept) >= 6
    pool = build(Dense(depth=80), collection, np.array(kept, np.int32), "train", 0, queries[kept], documents)
    chosen = resolve(method)
    assert chosen.selection is not None
    found = mine(pool, 3, 80, filters=chosen.filters, sampler=chosen.selection)
    texts, asked = collection.texts, collection.queries
    peer = Vectors(dict(zip([*texts, *asked], [*documents, *queries], strict=True)))
    pairs = [(query, int(row)) for query in kept for row in by_query[query]]
    theirs = mine_hard_negatives(
        Dataset.from_dict({"query": [asked[q] for q, _ in pairs], "answer": [texts[row] for _, row in pairs]}),
        peer,  # type: ignore[arg-type]
        corpus=texts,
        range_max=80,
        num_negatives=3,
        sampling_strategy="top",
        output_format="n-tuple",
        verbose=False,
        **margin,  # type: ignore[arg-type]
    )
    expected = {line["query"]: [texts.index(line[f"negative_{n}"]) for n in (1, 2, 3)] for line in theirs}
    assert len(expected) >= 3
    whole = (found.ranks >= 0).all(axis=1)
    assert {asked[kept[at]] for at in np.flatnonzero(whole)} == set(expected)  # it drops what is short, we fill it
    for at in np.flatnonzero(whole):
        assert found.documents[at].tolist() == expected[asked[kept[at]]]
