"""What a teacher says is looked at before anybody rests on it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench.errors import InputError
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder
from negbench.teachers.ensemble import Ensemble
from negbench.teachers.llm import LanguageModel
from negbench.types import Float32

PAIRS = [("q", "one"), ("q", "two"), ("r", "three")]


def says(monkeypatch: pytest.MonkeyPatch, kind: type[Teacher], *scores: float) -> Teacher:
    """Return a teacher of a kind that gives these scores whatever it is asked."""

    def score(self: Teacher, *_: Any) -> Float32:
        return np.array(scores, np.float32)

    monkeypatch.setattr(kind, "score", score)
    return kind()


def test_numbers_pass_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    found = says(monkeypatch, BiEncoder, 0, 0.25, 1).checked_scores(PAIRS, None, "float32")
    assert found.tolist() == [0, 0.25, 1]
    assert found.dtype == np.float32


def test_a_refusal_passes_where_it_may_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    found = says(monkeypatch, LanguageModel, 0, math.nan, 1).checked_scores(PAIRS, None, "float32")
    np.testing.assert_array_equal(found, np.array([0, np.nan, 1], np.float32))
    with pytest.raises(InputError, match=r"teacher bi-encoder: 1 of 3 scores are NaN or infinite.*query 'q'"):
        says(monkeypatch, BiEncoder, 0, math.nan, 1).checked_scores(PAIRS, None, "float32")


@pytest.mark.parametrize("kind", [BiEncoder, LanguageModel])
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_score_never_passes(monkeypatch: pytest.MonkeyPatch, kind: type[Teacher], value: float) -> None:
    with pytest.raises(InputError, match=f"teacher {kind.name}.*: 1 of 3 scores are NaN or infinite.*query 'r'"):
        says(monkeypatch, kind, 0, 1, value).checked_scores(PAIRS, None, "float32")


def test_one_score_for_all_pairs_is_none_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"scores of shape \(1,\) for 3 pairs"):
        says(monkeypatch, BiEncoder, 0.5).checked_scores(PAIRS, None, "float32")


def test_what_keeps_it_from_scoring_is_told_with_its_name(tmp_path: Path) -> None:
    teacher = BiEncoder(model=str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"^teacher bi-encoder\(model=.*\): encoder .*: no such folder"):
        teacher.checked_scores(PAIRS, None, "float32")


def test_an_ensemble_is_of_all_its_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Ensemble(judges=(says(monkeypatch, BiEncoder, 0, 0.5, 1), says(monkeypatch, LanguageModel, 1, math.nan, 0)))
    assert both.checked_scores(PAIRS, None, "float32").tolist() == [0.5, 0.5, 0.5]
    assert not both.may_refuse  # whoever never refuses gives each pair a score
    says(monkeypatch, LanguageModel, math.nan, math.nan, math.nan)
    with pytest.raises(InputError, match="teacher llm: none of the 3 pairs has a score"):
        both.checked_scores(PAIRS, None, "float32")
    says(monkeypatch, LanguageModel, 1, 1, 1)
    says(monkeypatch, BiEncoder, 0, math.nan, 1)
    with pytest.raises(InputError, match="teacher bi-encoder: 1 of 3 scores"):
        both.checked_scores(PAIRS, None, "float32")
