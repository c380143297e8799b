"""Judgments that are codes: what each stands for, and that a folder without them is what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from beir_folders import DATA, load, pairs, real, write
from pydantic import ValidationError

from negbench.collections.beir import Beir
from negbench.collections.resolve import source_of
from negbench.errors import InputError

CODES = {1: 4, 2: 3, 3: 2, 4: 1, -1: 0}
"""Cranfield's."""


def test_codes_stand_for_grades_in_qrels_and_truth(folder: Path) -> None:
    write(folder / "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t-1\nq2\td1\t4\nq2\td3\t2\n")
    write(folder / "extra/test.tsv", "q1\td1\t4\nq1\td3\t3\nq1\td2\t-1\n")
    plain, turned = load(folder), load(folder, grades=CODES, truth="extra/{split}.tsv")
    grades = {("q1", "d1"): 4, ("q1", "d2"): 0, ("q2", "d1"): 1, ("q2", "d3"): 3}
    assert pairs(turned, turned.qrels["test"]) == grades
    assert pairs(turned, turned.truth["test"]) == {("q1", "d1"): 1, ("q1", "d3"): 2, ("q2", "d1"): 1, ("q2", "d3"): 3}
    assert pairs(plain, plain.qrels["test"]) == {("q1", "d1"): 1, ("q1", "d2"): -1, ("q2", "d1"): 4, ("q2", "d3"): 2}
    assert load(folder, grades={code: code + 5 for code in (-1, 1, 2, 4)}).split_queries("test").tolist() == [0, 1]
    zero = {-1: 1, 1: 0, 2: 0, 4: 0}
    assert load(folder, grades=zero).split_queries("test").tolist() == [0]  # q2 has no positive then


def test_a_code_without_a_grade_is_named_with_file_and_line(folder: Path) -> None:
    write(folder / "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td3\t5\n")
    with pytest.raises(InputError) as caught:
        load(folder, grades=CODES)
    assert str(caught.value) == (
        f"{folder}/qrels/test.tsv:3: grades has no grade for the code 5, only for -1, 1, 2, 3, 4; add it"
    )


@pytest.mark.parametrize("grades", [{}, "1:4", [[1, 4], [1, 3]], {1: -1}, {1: "best"}, {1: 10**9}, [[1, 2, 3]], 3])
def test_what_is_no_map_of_codes_is_refused(grades: Any) -> None:
    with pytest.raises(ValidationError, match="grades"):
        Beir(path="x", grades=grades)


def test_grades_are_spelled_and_hashed() -> None:
    made = source_of({"beir": {"path": "x", "grades": CODES}})
    assert made.spelling == "beir(path=x, grades=[[-1, 0], [1, 4], [2, 3], [3, 2], [4, 1]])"
    again = source_of(made.spelling)
    assert again == made
    assert hash(again) == hash(made)
    assert again.identity() == made.identity() != Beir(path="x").identity()


def test_the_digest_of_a_source_without_grades_is_what_it_was(folder: Path) -> None:
    """Digests of before there were grades: stored results are found by them."""
    bare = Beir(path=str(folder))
    assert bare.fingerprint() == "f0849bbd23ef4087b3aeda0c863cec6585eb18b59f60bea6561ba4b1b1a7493d"
    marks = [bare, *(Beir(path=str(folder), grades=grades) for grades in (CODES, {**CODES, -1: 1}))]
    assert len({mark.fingerprint() for mark in marks}) == 3


@real
def test_cranfields_own_codes(tmp_path: Path) -> None:
    """Of its 1,837 judgments 363 have code 1, the best, 734 code 2, 225 are source papers."""
    for name in ("corpus.jsonl.gz", "queries.jsonl.gz"):
        (tmp_path / name).symlink_to(DATA / "cranfield" / name)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels/test.tsv.gz").symlink_to(DATA / "cranfield/extra/graded.tsv.gz")
    found = load(tmp_path, grades=CODES).qrels["test"]
    assert [len(found), *(len(found.at_least(grade)) for grade in (1, 2, 3, 4))] == [1837, 1612, 1484, 1097, 363]
