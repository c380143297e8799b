"""An ensemble of teachers: the mean of those that gave a score, and a judge that its own members betray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from negbench.config.grid import read
from negbench.errors import InputError
from negbench.plan.trials import trials
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder
from negbench.teachers.ensemble import Ensemble
from negbench.types import Float32

SAID = {"a": [0.0, 0.5, np.nan, np.nan], "b": [0.5, np.nan, 1.0, np.nan], "c": [1.0, 0.25, 0.0, np.nan]}
"""What each bi-encoder, by its model, says of four pairs."""


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> None:
    def score(self: BiEncoder, pairs: Sequence[tuple[str, str]], *_: object) -> Float32:
        return np.array(SAID[self.model][: len(pairs)], np.float32)

    monkeypatch.setattr(BiEncoder, "score", score)
    monkeypatch.setattr(BiEncoder, "may_refuse", True)
    monkeypatch.setattr(BiEncoder, "fingerprint", lambda self: f"weights of {self.model}")


def of(*models: str) -> Ensemble:
    return Ensemble(judges=tuple(BiEncoder(model=model) for model in models))


def test_the_mean_leaves_out_who_gave_no_score(scored: None) -> None:
    found = of("a", "b", "c").score([("q", "d")] * 4, None, "float32")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0.5, 0.375, 0.5, np.nan])
    np.testing.assert_array_equal(of("c", "a", "b").score([("q", "d")] * 4, None, "float32"), found)
    assert of("a", "b").score([], None, "float32").shape == (0,)


def test_its_fingerprint_follows_those_of_its_members(scored: None) -> None:
    prints = [it.fingerprint() for it in (of("a", "b"), of("a", "c"), of("a", "b", "c"), BiEncoder(model="a"))]
    assert len(set(prints)) == 4
    assert of("a", "b").fingerprint() == prints[0]
    nested = Ensemble(judges=(of("a", "b"), BiEncoder(model="c")))
    assert [member.parameters["model"] for member in nested.members] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "ensemble(judges=[bi-encoder, cross-encoder])",
        'ensemble(judges=[bi-encoder(model=x/y, query_prompt="a, b: "), llm(model=m, letters=500)])',
        "ensemble(judges=[ensemble(judges=[bi-encoder, cross-encoder]), llm])",
    ],
)
def test_its_spelling_parses_back(text: str) -> None:
    made = Teacher.model_validate(text)
    assert made.spelling == text
    assert Teacher.model_validate(made.spelling) == made
    assert hash(Teacher.model_validate(made.spelling)) == hash(made)


@pytest.mark.parametrize(
    ("judges", "said"),
    [
        ([], "expected two or more teachers, no two the same, found none"),
        (["llm"], "expected two or more teachers, no two the same, found llm"),
        (["llm", "llm"], "found llm, llm"),
        (["llm", "trained-cross-encoder"], "trained-cross-encoder is trained here"),
        (["llm", "nobody"], "no teacher is called 'nobody'"),
    ],
)
def test_what_is_no_ensemble_is_refused(judges: list[str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Teacher.model_validate({"ensemble": {"judges": judges}})


GRID = """
name: judged
collection: "helpdesk(articles=100, queries=20, dev=5, test=8)"
encoder: {encoder}
methods: [bm25, {method}]
judge: {{ensemble: {{judges: ["bi-encoder(model={encoder}, max_length=32)", "llm(model=m)"]}}}}
"""


def test_a_grid_takes_one_as_its_judge(tmp_path: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.format(encoder=tiny_encoder, method="naive"))
    judge = read(path).points[0][1].judge
    assert isinstance(judge, Ensemble)
    again = tmp_path / "again.yaml"
    again.write_text(GRID.format(encoder=tiny_encoder, method="naive").partition("judge:")[0] + f"judge: '{judge}'\n")
    assert read(again).points[0][1].judge == judge
    keys = [
        [trial.false_negatives.key for trial in trials(read(it)) if trial.false_negatives is not None]
        for it in (path, again)
    ]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 2


@pytest.mark.parametrize(
    "teacher",
    [
        "bi-encoder(model={encoder}, max_length=64)",
        "llm(model=m)",
        "ensemble(judges=[bi-encoder(model={encoder}), cross-encoder(model={encoder})])",
    ],
)
def test_a_judge_may_not_hold_the_teacher(tmp_path: Path, tiny_encoder: Path, teacher: str) -> None:
    path = tmp_path / "grid.yaml"
    method = f'"denoised(teacher={teacher.format(encoder=tiny_encoder)})"'
    path.write_text(GRID.format(encoder=tiny_encoder, method=method))
    with pytest.raises(InputError, match="cannot judge how many are false"):
        trials(read(path))


def test_one_that_is_trained_here_is_refused_in_a_line(tmp_path: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "grid.yaml"
    text = GRID.format(encoder=tiny_encoder, method="naive")
    path.write_text(text.replace("llm(model=m)", "trained-cross-encoder"))
    with pytest.raises(InputError, match=r"grid.yaml:6: judge.*: trained-cross-encoder is trained here"):
        read(path)
