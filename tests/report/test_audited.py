"""Audited rates beside the estimated ones, and where the two contradict each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_trials import rate, rows, trial

from negbench.errors import InputError
from negbench.report import audited, table
from negbench.report.audited import Audited
from negbench.report.rows import Row

FOUND = Audited(
    method="bm25", negatives=("k0", "k1"), rate=0.12, low=0.06, high=0.2, labels=100, folder="audits/g", note="made up"
)


def row(found: list[Row], method: str) -> Row:
    (one,) = [one for one in found if one.method == method]
    return one


def with_audit(trials: list[dict[str, Any]]) -> list[Row]:
    plain = rows(*trials, baseline=None)
    return [
        replace(one, audited=0.12, audited_low=0.06, audited_high=0.2) if one.method == "bm25" else one for one in plain
    ]


def test_it_comes_back(tmp_path: Path) -> None:
    assert audited.read(tmp_path) == []
    audited.write(tmp_path, [FOUND])
    assert audited.read(tmp_path) == [FOUND]
    (tmp_path / audited.FILE).write_text('{"methods": [{"method": "bm25"}]}')
    with pytest.raises(InputError, match=r"audit\.json: damaged .* --audit FOLDER"):
        audited.read(tmp_path)


def test_a_column_of_its_own_where_there_is_an_audit() -> None:
    trials = [trial("in-batch", 0, 0.4), trial("bm25", 0, 0.5)]
    heading, _ = table.cells(rows(*trials, baseline=None), "nDCG@10", None)
    assert table.AUDITED not in heading
    heading, body = table.cells(with_audit(trials), "nDCG@10", None)
    cells = {line[0]: line[heading.index(table.AUDITED)] for line in body}
    assert cells == {"in-batch": "", "bm25": "12.00 [6.00, 20.00]"}


@pytest.mark.parametrize(
    ("estimator", "found", "told"),
    [
        ("mixture", {**rate(0.85, 0, 0), "low": None, "high": None}, True),  # no interval, outside of the audit's
        ("mixture", {**rate(0.15, 0, 0), "low": None, "high": None}, False),
        ("judge", rate(0.35, 0.21, 0.5), True),
        ("judge", rate(0.35, 0.19, 0.5), False),  # the ends overlap by a point
        ("judge", rate(0.01, 0.0, 0.05), True),
        ("judge/index", rate(0.9, 0.8, 1.0), False),  # no share of anything
        ("exact/query", {**rate(0.9, 0.8, 1.0), "unit": "query"}, False),
    ],
)
def test_a_contradiction_is_told(estimator: str, found: dict[str, Any], told: bool) -> None:
    trials = [
        trial(name, seed, 0.5, false_negatives={estimator: found}) for name in ("random", "bm25") for seed in (0, 1)
    ]
    lines = audited.disagreements(with_audit(trials), trials)
    assert len(lines) == told
    if told:
        assert lines[0].startswith(f"{estimator} and the audit disagree")
        assert "bm25" in lines[0]
        assert "random" not in lines[0]
        assert "12.0 % [6.0, 20.0]" in lines[0]
