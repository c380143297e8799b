"""Sizes of collections, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from negbench.collections.beir import Beir
from negbench.report.sizes import Sizes


def test_sizes_are_those_of_the_files(tiny_collection: Path) -> None:
    sizes = Sizes.of("garden", Beir(path=str(tiny_collection)).load(), "test")
    lines = {
        split: (tiny_collection / f"qrels/{split}.tsv").read_text().splitlines()[1:]
        for split in ("train", "dev", "test")
    }
    for split, judged in lines.items():
        queries = len({line.split("\t")[0] for line in judged})
        assert sizes.splits[split] == (queries, pytest.approx(len(judged) / queries))
    assert str(sizes) == "garden: 60 documents; queries (positives a query): 24 train (2.0), 6 dev (1.0), 10 test (1.0)"
    assert sizes.data()["splits"]["train"] == {"queries": 24, "positives_a_query": 2.0}


@pytest.mark.parametrize(("queries", "told"), [(1, True), (49, True), (50, False), (300, False)])
def test_fewer_than_fifty_queries_are_told_with_the_interval(queries: int, told: bool) -> None:
    sizes = Sizes(name="socks", documents=9, split="test", splits={"test": (queries, 1.0)})
    found = sizes.warning("nDCG@10", "in-batch", 0.0848)
    assert bool(found) == told
    if told:
        assert f"socks: {queries} test quer" in found[0]
        assert "the 95 % interval of in-batch reaches 0.0848 nDCG@10 to either side" in found[0]
        for method, half in ((None, None), ("in-batch", 0.0)):
            assert "interval" not in sizes.warning("nDCG@10", method, half)[0]
