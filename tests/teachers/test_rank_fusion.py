"""Ranks of several teachers fused, and a query's likelihood by a language model, against sums made one by one."""

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
from negbench.teachers.query_likelihood import BETWEEN, QueryLikelihood
from negbench.teachers.rank_fusion import RankFusion
from negbench.types import Float32

NAN = np.nan
PAIRS = [("q", "1"), ("r", "2"), ("q", "3"), ("q", "4"), ("r", "5"), ("q", "6")]
SAID = {"a": [0.9, 0.2, 0.1, 0.5, 0.3, 0.5], "b": [0.3, 0.8, 0.2, NAN, NAN, 0.1], "c": [NAN, 0.1, 0.4, NAN, 0.2, 0.1]}
"""What each bi-encoder, by its model, says of the pairs."""


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> None:
    def score(self: BiEncoder, pairs: Sequence[tuple[str, str]], *_: object) -> Float32:
        return np.array([SAID[self.model][PAIRS.index(pair)] for pair in pairs], np.float32)

    monkeypatch.setattr(BiEncoder, "score", score)
    monkeypatch.setattr(BiEncoder, "may_refuse", True)


def of(*models: str) -> RankFusion:
    return RankFusion(judges=tuple(BiEncoder(model=model) for model in models))


def test_ranks_are_those_among_the_passages_of_a_query(scored: None) -> None:
    found = of("a", "b").checked_scores(PAIRS, None, "float32")
    # of q by a: 1st, 4th, 2nd twice; by b: 1st, 2nd, none, 3rd. Of r by a: 2nd, 1st; by b: 1st, none.
    wanted = [(1 + 1) / 2, (1 / 2 + 1) / 2, (1 / 4 + 1 / 2) / 2, (1 / 2 + 0) / 2, (1 + 0) / 2, (1 / 2 + 1 / 3) / 2]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_what_nobody_scored_has_no_score_and_the_order_does_not_matter(scored: None) -> None:
    found = of("b", "c").checked_scores(PAIRS, None, "float32")
    assert np.isnan(found).tolist() == [False, False, False, True, False, False]
    order = [4, 0, 5, 1, 3, 2]
    again = of("c", "b").checked_scores([PAIRS[at] for at in order], None, "float32")
    np.testing.assert_allclose(again, found[order], rtol=1e-6)


GRID = """
name: fused
collection: "helpdesk(articles=100, queries=20, dev=5, test=8)"
encoder: {encoder}
methods: [bm25, {method}]
{more}
"""
FUSED = "rank-fusion(judges=[bi-encoder(model={encoder}), bi-encoder(model={encoder}, max_length=32)])"


def _read(tmp_path: Path, encoder: Path, method: str, more: str = "") -> None:
    path = tmp_path / "grid.yaml"
    fused = FUSED.format(encoder=encoder)
    path.write_text(GRID.format(encoder=encoder, method=method.format(fused), more=more.format(fused)))
    trials(read(path))


def test_what_asks_about_single_pairs_cannot_have_ranks(tmp_path: Path, tiny_encoder: Path) -> None:
    _read(tmp_path, tiny_encoder, '"gecko(teacher={})"')
    with pytest.raises(InputError, match="rank-fusion ranks a query's candidates, and its loss asks about pairs"):
        _read(tmp_path, tiny_encoder, "margin-mse: {{loss: {{margin-mse: {{teacher: '{}'}}}}}}")
    with pytest.raises(InputError, match=r"grid.yaml:6: judge.*: rank-fusion ranks a query's passages"):
        _read(tmp_path, tiny_encoder, "naive", 'judge: "{}"')


def test_judges_are_several_and_given(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="expected two or more teachers"):
        Teacher.model_validate("rank-fusion(judges=[bi-encoder])")
    assert Teacher.model_validate("ensemble(judges=[llm, rank-fusion(judges=[bi-encoder, llm])])").listwise


class TestQueryLikelihood:
    def test_it_is_the_mean_log_probability_of_the_query_token_by_token(self, tiny_causal: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        pairs = [("who?", "somebody"), ("where is the moss", "on the bark, " * 5), ("who?", ""), ("when", "x")]
        found = QueryLikelihood(model=str(tiny_causal), max_length=2000, batch_size=3).score(pairs, None, "float32")
        tokenizer = AutoTokenizer.from_pretrained(tiny_causal)
        causal = AutoModelForCausalLM.from_pretrained(tiny_causal).double()
        for score, (query, passage) in zip(found, pairs, strict=True):
            ids = tokenizer(f"Passage: {passage}{BETWEEN}")["input_ids"]
            logs = []
            for token in tokenizer(f" {query}", add_special_tokens=False)["input_ids"]:
                with torch.inference_mode():
                    logs.append(causal(torch.tensor([ids])).logits[0, -1].log_softmax(0)[token].item())
                ids = [*ids, token]
            assert len(logs) == len(query) + 1  # its tokens are bytes
            assert score == pytest.approx(np.exp(np.mean(logs)), rel=1e-4)
        assert len(set(found.tolist())) == 4

    def test_a_long_passage_is_cut_and_the_query_stays(self, tiny_causal: Path) -> None:
        teacher = QueryLikelihood(model=str(tiny_causal), max_length=300)
        short, long = teacher.score([("q", "a" * 300), ("q", "a" * 4000)], None, "float32")
        assert short == pytest.approx(long, abs=1e-6)
        assert 0 < short < 1
