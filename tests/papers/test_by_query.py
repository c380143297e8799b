"""``by_query.csv`` gives back what was written: values, seeds, queries, hits and totals."""

from __future__ import annotations

import numpy as np
from made_papers import additive, sample

from negbench.papers import table
from negbench.papers.samples import Sample, rate
from negbench.papers.statements import Value


def test_what_is_written_is_read() -> None:
    values = additive(0.3, [0.1, -0.1], [0.1, 0.1, -0.2])
    with_gap = np.where(np.arange(3) == 1, np.nan, values)
    hits, totals = np.array([[1.0, 0, 2]] * 2), np.array([[4.0, 4, 3]] * 2)
    queries = ("t/a", "t/b", "t/c")
    written = {
        Value("nDCG@10", "a"): sample(values),
        Value("nDCG@10", "start"): sample(values[:1], False),
        Value("RR@10", "a"): sample(with_gap),
        Value("rate", "a"): rate(hits, totals, queries, (0, 1)),
        Value("cost/seconds", "a"): Sample(np.array([[1.5], [2.5]]), ("",), (0, 1)),
    }
    text = table.write(written)
    assert text.splitlines()[0] == "measure,query,a seed 0,a seed 1,start"
    assert "rate: hits,t/c,2,2," in text.splitlines()
    assert "rate: of,t/c,3,3," in text.splitlines()
    found = table.read(text)
    assert found.keys() == written.keys()
    for value, expected in written.items():
        kept = ~np.isnan(expected.values).all(axis=0)
        assert found[value].seeds == expected.seeds
        assert found[value].queries == tuple(np.array(expected.queries)[kept])
        np.testing.assert_allclose(found[value].values, expected.values[:, kept], rtol=1e-8)
    counts = found[Value("rate", "a")].counts
    assert counts is not None
    np.testing.assert_array_equal(counts, [hits, totals])
    assert table.write(found) == text
