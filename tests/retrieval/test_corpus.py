from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from negbench.retrieval import Search
from negbench.retrieval.corpus import Corpus
from negbench.rng import CounterRNG, keys


def search(queries: Sequence[str], size: int, seed: int = 0) -> Search:
    documents = [f"d{n}" for n in range(size)]
    positives = np.full((len(queries), 1), -1, np.int32)
    return Search(
        queries=list(queries),
        documents=documents,
        query_keys=keys(queries),
        document_keys=keys(documents),
        positives=positives,
        rng=CounterRNG(seed, "corpus"),
    )


def names(count: int) -> list[str]:
    return [f"q{n}" for n in range(count)]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10, 19, 20, 21, 500])
@pytest.mark.parametrize("depth", [1, 10, 200])
def test_distinct_rows_until_the_corpus_ends(size: int, depth: int) -> None:
    found = Corpus(depth=depth).rank(search(names(30), size))
    here = min(size, depth)
    assert found.documents.shape == found.scores.shape == (30, depth)
    for mine in found.documents.tolist():
        assert len(set(mine[:here])) == here
        assert all(0 <= row < size for row in mine[:here])
        assert mine[here:] == [-1] * (depth - here)
    assert (found.scores[:, :here] == 0).all()
    assert np.isnan(found.scores[:, here:]).all()
    assert np.isnan(found.positive_scores).all()
    assert found.recall == 1.0


@pytest.mark.parametrize("depth", [4, 15])  # passing over repeats, and shuffling the whole
def test_each_document_is_as_likely_at_each_rank(depth: int) -> None:
    found = Corpus(depth=depth).rank(search(names(6000), 25))
    for column in found.documents.T:
        assert chisquare(np.bincount(column, minlength=25)).pvalue > 1e-4
    # the first draw says nothing of the second, but that it is another, nor of the next query's
    first, second = found.documents[:, 0], found.documents[:, 1]
    assert chisquare(np.bincount((second - first) % 25, minlength=25)[1:]).pvalue > 1e-4
    table = np.zeros((25, 25))
    np.add.at(table, (first[::2], first[1::2]), 1)
    assert chi2_contingency(table).pvalue > 1e-4


@pytest.mark.parametrize("depth", [4, 15])
def test_a_query_draws_the_same_in_any_company(depth: int) -> None:
    everyone = Corpus(depth=depth).rank(search(names(40), 25)).documents
    order = np.random.default_rng(0).permutation(40)[:17]
    some = Corpus(depth=depth).rank(search([names(40)[n] for n in order], 25)).documents
    assert some.tolist() == everyone[order].tolist()
    assert Corpus(depth=depth).rank(search(names(40), 25, seed=1)).documents.tolist() != everyone.tolist()


def test_a_deeper_draw_begins_with_the_shallower_one() -> None:
    inputs = search(names(40), 1000)
    deep = Corpus(depth=400).rank(inputs).documents
    for depth in (1, 7, 150):
        assert Corpus(depth=depth).rank(inputs).documents.tolist() == deep[:, :depth].tolist()
