"""What is said below a table of rates, of their reasons, and of teachers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from made_trials import rows, trial

from negbench.config.grid import Settings
from negbench.report import table
from negbench.runners.estimator_notes import teachers
from negbench.runners.legend import notes

RESTS = "upper of two normal components; no interval"


def settings(**keys: Any) -> Settings:
    return Settings.model_validate({"name": "g", "collection": "helpdesk", "encoder": "e", "methods": ["bm25"], **keys})


def mixture(method: str, shares: list[float | None], why: str = "not estimable: one fits", **more: Any) -> list[Any]:
    """The trials of a method that mines, with a share or none a seed."""
    found = []
    for seed, share in enumerate(shares):
        told = {"rate": share, "low": None, "high": None, "unit": "negative", "note": why if share is None else RESTS}
        drawn = {"draw": {"filled": 0.0}, "false_negatives": {"mixture": told}}
        found.append(trial(method, seed, 0.5, **drawn, **more))
    return found


def column(made: Sequence[Any]) -> list[str]:
    """The cells of the estimator's column; none where there is no such column."""
    heading, body = table.cells(rows(*made), "nDCG@10", None)
    places = [place for place, name in enumerate(heading) if name.startswith("mixture")]
    return [line[places[0]] for line in body] if places else []


def of_mixture(made: Sequence[Any]) -> str:
    (line,) = [line for line in notes({"trials": [*made]}, rows(*made), settings()) if line.startswith("mixture: ")]
    return line


class TestARowWithASeedThatHasNone:
    made = (*mixture("simans", [0.02, 0.04]), *mixture("bm25", [0.3, None, None]), *mixture("naive", [None, None]))

    def test_has_no_number(self) -> None:
        assert column(self.made) == ["3.00", "", ""]
        assert ["false_negatives/mixture/negative/rate" in row.estimates for row in rows(*self.made)] == [
            True,
            False,
            False,
        ]

    def test_is_named_with_the_reason(self) -> None:
        assert of_mixture(self.made) == (
            f"mixture: {RESTS}. A row has none where a seed has none: not estimable: one fits (bm25, 2 of 3 seeds; "
            "naive)."
        )

    def test_has_no_column_where_it_is_the_only_one(self) -> None:
        made = mixture("bm25", [0.3, None])
        assert column(made) == []
        assert not any(line.startswith("mixture: ") for line in notes({"trials": made}, rows(*made), settings()))

    def test_reasons_that_differ_in_numbers_are_one(self) -> None:
        apart = "the components are {} standard deviations apart"
        made = [
            *mixture("naive", [0.1]),
            *mixture("a", [None], apart.format(1.9)),
            *mixture("b", [None], apart.format(1.2)),
        ]
        assert of_mixture(made).endswith(": the components are 1.2 to 1.9 standard deviations apart (a; b).")

    def test_the_headline_follows_the_same_rule(self) -> None:
        """One of two seeds without a rate: the row has none, and no estimator."""
        whole = {"rate": 0.1, "low": 0.05, "high": 0.2, "unit": "negative", "note": "n"}
        seeds = [{"exact": whole}, {"exact": {**whole, "rate": None}}]
        made = [trial("bm25", seed, 0.5, false_negatives=found) for seed, found in enumerate(seeds)]
        (row,) = rows(*made)
        assert (row.rate, row.estimator) == (None, None)
        (row,) = rows(made[0])
        assert (row.rate, row.estimator) == (pytest.approx(0.1), "exact")


def tried(made: list[Any], **keys: Any) -> list[str]:
    return [it for it in notes({"trials": made}, rows(*made), settings(**keys)) if it.startswith("Estimators of false")]


class TestEstimatorsWithoutARate:
    def test_are_named_with_their_reasons_in_one_sentence(self) -> None:
        assert tried(mixture("bm25", [None])) == [
            "Estimators of false negatives that give no rate here: equal-texts (no unlabelled copies of labelled "
            "positives); exact (no fuller judgments); held-out (no labels are held out); judge (no judge); mixture "
            "(not estimable: one fits); ppi (no audited labels); propensity (no candidates with fixed ranks)."
        ]

    def test_leave_out_those_with_a_rate(self) -> None:
        made = mixture("bm25", [0.1])
        made[0]["false_negatives"]["exact-proxy"] = {**made[0]["false_negatives"]["mixture"], "note": "a proxy"}
        (line,) = tried(made)
        assert "mixture" not in line
        assert "exact" not in line
        assert tried(made, estimators=["exact", "mixture"]) == []

    def test_are_not_told_of_grids_that_mine_nothing(self) -> None:
        assert tried([trial("in-batch", 0, 0.5)]) == []


def drawn(method: str, shares: list[float], **axes: str) -> list[dict[str, Any]]:
    return [trial(method, seed, 0.5, axes=axes, draw={"teacher_auc": it}) for seed, it in enumerate(shares)]


class TestTeachers:
    def told(self, *made: list[dict[str, Any]]) -> str:
        (line,) = teachers([it for some in made for it in some])
        return line.partition("(50 % is chance): ")[2]

    def test_are_told_by_how_well_they_order(self) -> None:
        made = [drawn("a", [0.581]), drawn("b", [0.912]), drawn("c", [math.nan]), drawn("d", [0.58]), drawn("e", [1.0])]
        assert self.told(*made) == "100 % (e); 91 % (b); 58 % (a, d)."
        assert teachers([trial("e", 0, 0.5), *drawn("c", [math.nan])]) == []

    def test_have_one_entry_a_method_and_point_with_the_range_over_seeds(self) -> None:
        made = drawn("a", [0.876, 0.873, 0.879], start="weak"), drawn("a", [0.783], start="strong")
        assert self.told(*made) == "87 to 88 % (a (start=weak)); 78 % (a (start=strong))."

    def test_have_one_entry_where_all_points_have_the_same(self) -> None:
        made = drawn("a", [0.876, 0.884], negatives="1"), drawn("a", [0.88, 0.879], negatives="3")
        assert self.told(*made) == "88 % (a)."
