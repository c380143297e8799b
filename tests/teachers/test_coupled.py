"""The coupled cross-encoder: its weights and losses, what it is trained on, and which of its two models is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_ranked import planted, ranked_pool
from pydantic import ValidationError
from safetensors.torch import load_file

from negbench.errors import InputError
from negbench.registry import registered
from negbench.teachers.coupled_cross_encoder import CoupledCrossEncoder, coupled, weight
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.training.teacher import fold_of, train_fold


class TestLosses:
    def test_a_weight_is_one_over_the_chance_of_not_being_selected(self) -> None:
        scores = torch.linspace(-8, 8, 33, dtype=torch.float64)
        for temperature in (1.0, 2.0, 10.0):
            found = weight(scores, temperature)
            torch.testing.assert_close(found, 1 / (1 - torch.sigmoid(scores / temperature)))
            assert (found.diff() > 0).all()
            assert found[0] >= 1
        assert weight(torch.tensor([5.0]), 2.0) > weight(torch.tensor([5.0]), 10.0)  # a higher temperature weighs less

    def test_each_pair_costs_its_cross_entropy_times_the_other_s_weight(self) -> None:
        r, o = torch.randn(2, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        wanted = 0.0
        for n in range(5):
            for mine, other in ((r, o), (o, r)):
                p = torch.softmax(mine[:, n], 0)[0]
                wanted += float(-torch.log(p) / (1 - torch.sigmoid(other[1, n] / 3.0))) / 5
        assert coupled(r, o, 3.0).item() == pytest.approx(wanted)
        assert coupled(o, r, 3.0).item() == pytest.approx(wanted)

    def test_no_gradient_flows_through_a_weight(self) -> None:
        """In closed form: each model is pushed by its own sigmoid, times the other's weight."""
        r, o = torch.randn(2, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        r, o = r.requires_grad_(), o.requires_grad_()
        coupled(r, o, 2.0).backward()  # type: ignore[no-untyped-call]
        for mine, other in ((r, o), (o, r)):
            with torch.no_grad():
                push = torch.sigmoid(mine[1] - mine[0]) / (1 - torch.sigmoid(other[1] / 2.0)) / 5
            assert mine.grad is not None
            torch.testing.assert_close(mine.grad, torch.stack([-push, push]))


class TestRows:
    def test_each_negative_stands_beside_a_positive_of_its_query(self) -> None:
        pairs = [(0, 0, 1.0), (0, 1, 1.0), (0, 2, 0.0), (0, 3, 0.0), (0, 4, 0.0), (2, 5, 1.0), (2, 6, 0.0), (1, 7, 1.0)]
        found = CoupledCrossEncoder().columns(pairs, ["a", "b", "c"], [f"d{n}" for n in range(8)])
        rows = list(zip(*found.values(), strict=True))
        assert list(found) == ["query", "positive", "negative"]
        assert rows == [("a", "d0", "d2"), ("a", "d1", "d3"), ("a", "d0", "d4"), ("c", "d5", "d6")]

    def test_none_has_a_negative(self) -> None:
        with pytest.raises(InputError, match="no training query has a candidate that can be a negative"):
            CoupledCrossEncoder().columns([(0, 0, 1.0)], ["a"], ["d"])

    def test_there_is_no_level_to_correct(self) -> None:
        with pytest.raises(ValidationError, match="prior"):
            CoupledCrossEncoder.model_validate({"prior": 0.1})

    def test_the_plain_teacher_is_what_it_was(self) -> None:
        """Its key, by which trained copies are found, holds none of this."""
        fields = {"model", "folds", "negatives", "positives", "depth", "epochs", "batch_size", "learning_rate"}
        fields |= {"max_length", "keep_layers", "prior"}
        identity = TrainedCrossEncoder().identity()
        assert set(identity["parameters"]) == fields
        assert (identity["name"], identity["version"]) == ("trained-cross-encoder", 2)
        assert registered("teacher")["coupled-cross-encoder"] is CoupledCrossEncoder


def tiny(tiny_encoder: Path, **changed: Any) -> CoupledCrossEncoder:
    recipe = {"batch_size": 8, "learning_rate": 3e-3, "max_length": 48, "depth": 20, "negatives": 2}
    return CoupledCrossEncoder.model_validate({"model": str(tiny_encoder), **recipe, **changed})


class TestTraining:
    def test_what_can_be_learnt_holds_for_queries_never_seen(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = planted()
        teacher = tiny(tiny_encoder, epochs=4, batch_size=4)
        train_fold(teacher, pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path / "scratch")
        unseen = np.flatnonzero(fold_of(collection.queries, 2) == 0)
        for query in unseen:
            pairs = [(collection.queries[query], collection.texts[row]) for row in pool.documents[query]]
            scores = teacher.score(pairs, tmp_path / "m", "float32")
            assert scores[0] > scores[1:].max()

    def test_twice_is_the_same_to_the_byte(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = planted()
        costs = []
        for name in ("first", "second"):
            torch.manual_seed(len(costs))
            teacher = tiny(tiny_encoder)
            costs.append(train_fold(teacher, pool, collection, 0, 0, "float32", tmp_path / name, tmp_path / "scratch"))
        first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second"))
        assert first == second
        triples = 2 * int((fold_of(collection.queries, 2) != 0).sum())
        assert costs[0] == costs[1] == {"steps": float(-(-triples // 8)), "pairs_read": 4.0 * triples}

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_both_models_learn_and_the_one_of_relevance_is_kept(
        self, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: Any
    ) -> None:
        collection, pool = planted()
        seen: list[Any] = []
        starts: list[dict[str, torch.Tensor]] = []
        made = CoupledCrossEncoder.loss

        def watched(self: CoupledCrossEncoder, *given: Any) -> Any:
            seen.append(made(self, *given))
            starts.append({name: value.clone() for name, value in seen[0].state_dict().items()})
            return seen[0]

        monkeypatch.setattr(CoupledCrossEncoder, "loss", watched)
        train_fold(tiny(tiny_encoder), pool, collection, 0, 0, precision, tmp_path / "m", tmp_path / "scratch")
        ends = seen[0].state_dict()
        head = "classifier.weight"
        r, o = (next(name for name in ends if name.startswith(it) and name.endswith(head)) for it in ("model", "obs"))
        assert not torch.equal(starts[0][r], starts[0][o])
        assert all(not torch.equal(starts[0][name], ends[name]) for name in (r, o))
        kept = load_file(tmp_path / "m/model.safetensors")
        assert torch.equal(kept[head], ends[r])
        assert {value.dtype for value in kept.values()} == {torch.float32}

    def test_a_head_that_both_would_share_is_refused(self, tiny_encoder: Path, tmp_path: Path) -> None:
        from negbench.teachers.cross_encoder import load

        load(tiny_encoder, 48, new_head=True).save_pretrained(str(tmp_path / "cross"))
        collection, pool = planted()
        with pytest.raises(InputError, match="both models would start from the same head"):
            train_fold(tiny(tmp_path / "cross"), pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path)

    def test_a_pool_of_positives_alone(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, _ = planted()
        pool = ranked_pool([[query] for query in range(16)], [[query] for query in range(16)])
        with pytest.raises(InputError, match="no training query has a candidate"):
            train_fold(tiny(tiny_encoder), pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path)
