from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_trials import trial

from negbench.evaluation.intervals import proportion
from negbench.evaluation.shares import Share
from negbench.report import details
from negbench.stages.evaluation import breakdown_files


def share(hits: list[float], totals: list[float], beside: float) -> Share:
    return Share(np.array([hits, totals]), beside)


TRIALS = [trial("bm25", 0, 0.5), trial("bm25", 1, 0.5), trial("simans", 0, 0.5), trial("in-batch", 0, 0.5)]
FOUND: dict[str, dict[str, dict[str, Share]]] = {
    TRIALS[0]["name"]: {"rank": {"1-4": share([1, 0], [4, 4], 0.8), "filled": share([0, 1], [1, 1], 0.2)}},
    TRIALS[1]["name"]: {"rank": {"1-4": share([3, 0], [6, 4], 1.0)}},
    TRIALS[2]["name"]: {
        "precision": {"1. margin": share([1, 1], [2, 2], 0.25), "2. denoise": share([0, 0], [0, 0], 0.25)},
        "recall": {"1. margin": share([1, 1], [1, 4], 0.5), "2. denoise": share([0, 0], [1, 4], 0.0)},
        "gradient": {"mined, start": share([1, 1], [5, 5], 0.125), "mined, trained": share([2, 2], [5, 5], 0.125)},
    },
    TRIALS[3]["name"]: {},
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for at, found in enumerate(FOUND.values()):
        folder = tmp_path / str(at)
        folder.mkdir()
        breakdown_files.write(found, folder)
        again = breakdown_files.read(folder)
        assert list(again) == list(found)
        for group, shares in found.items():
            assert list(again[group]) == list(shares)
            for name, one in shares.items():
                np.testing.assert_array_equal(again[group][name].clusters, one.clusters)
                assert again[group][name].reference == one.reference


def test_seeds_are_pooled_query_by_query() -> None:
    first, filled = [one for one in details.pooled(TRIALS, FOUND) if one.method == "bm25"]
    assert (first.group, first.name, first.reference) == ("rank", "1-4", pytest.approx(0.9))
    wanted = proportion(np.array([2.0, 0.0]), np.array([5.0, 4.0]))
    assert (first.rate, first.low, first.high) == pytest.approx(wanted)
    # nothing was filled with the second seed
    assert (filled.name, filled.reference, filled.rate) == ("filled", pytest.approx(0.1), pytest.approx(0.5))


def test_a_share_of_nothing_is_not_known() -> None:
    found = {one.name: one for one in details.pooled(TRIALS, FOUND) if one.group == "precision"}
    assert (found["2. denoise"].rate, found["2. denoise"].low) == (None, None)
    assert found["1. margin"].rate == 0.5


def test_the_csv_holds_every_share() -> None:
    trials: list[dict[str, Any]] = [{**one, "axes": {"negatives": 2}} for one in TRIALS]
    shares = details.pooled(trials, FOUND)
    lines = list(csv.DictReader(io.StringIO(details.to_csv(shares))))
    assert [(line["method"], line["group"], line["name"]) for line in lines] == [
        (one.method, one.group, one.name) for one in shares
    ]
    assert {line["negatives"] for line in lines} == {"2"}
    assert float(lines[0]["rate"]) == shares[0].rate


def test_tables_for_filters_and_for_the_gradient() -> None:
    filters, gradient = details.tables(details.pooled(TRIALS, FOUND))
    low, high = proportion(np.array([1.0, 1.0]), np.array([2.0, 2.0]))[1:]
    assert filters["body"][0][:5] == [
        "simans",
        "1. margin",
        "50.0",
        "25.0",
        f"50.0 [{100 * low:.1f}, {100 * high:.1f}]",
    ]
    assert filters["body"][1][3:5] == ["25.0", ""]
    (line,) = gradient["body"]
    assert line[:2] == ["simans", "12.5"]
    assert line[2].startswith("20.0 [")
    assert line[3].startswith("40.0 [")
    assert line[4:] == ["", "", ""]
    for table in (filters, gradient):
        assert {len(line) for line in table["body"]} == {len(table["heading"])}
    assert details.tables([]) == []
