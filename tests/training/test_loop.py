"""The loop against bare torch, and what a comparison of methods rests on: repeatability and equal work."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_rows import RECIPE, rows_with
from sentence_transformers import SentenceTransformer

from negbench.batching.random import Random
from negbench.collections.beir import Beir
from negbench.encoders.encode import encode, encode_as_is
from negbench.encoders.tokens import tokenised
from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.training import loop
from negbench.training.batches import all_batches, epoch_batches
from negbench.training.data import Instances
from negbench.training.job import TrainingJob
from negbench.training.loop import TrainingError, train
from negbench.training.recipe import Recipe
from negbench.types import Collection

Weights = dict[str, torch.Tensor]


@dataclass
class Trained:
    """What a training leaves: the model, its saved folder, curves and cost, and the batches the loop read."""

    model: SentenceTransformer
    folder: Path
    curves: dict[str, list[tuple[int, float]]]
    cost: dict[str, float]
    seen: list[list[int]]

    @property
    def weights(self) -> Weights:
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


@pytest.fixture(scope="module")
def trained(garden: Collection, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    """Return a function that trains the tiny encoder; asked again for the same, it gives the same back."""

    @cache
    def run(recipe: Recipe = RECIPE, k: int = 1, seed: int = 0, loss: Loss | None = None, again: int = 0) -> Trained:
        model = SentenceTransformer(str(tiny_encoder))
        folder = tmp_path_factory.mktemp("trained")
        seen: list[list[int]] = []

        class Watched(loop.Collator):
            def __call__(self, features: Any) -> dict[str, Any]:
                seen.append([feature["row"] for feature in features])
                return super().__call__(features)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "Collator", Watched)
            data = rows_with(garden, k, recipe)
            curves, cost = train(
                model,
                TrainingJob(data=data, collection=garden, loss=loss or InfoNCE(), recipe=recipe, seed=seed),
                folder / "scratch",
            )
        model.save_pretrained(str(folder / "model"), create_model_card=False)
        return Trained(model, folder / "model", curves, cost, seen)

    return run


def bare_loop(folder: Path, data: Instances, garden: Collection, seed: int) -> tuple[Weights, list[float], list[float]]:
    """Train by RECIPE in plain torch and transformers; return weights, losses and gradient norms by step."""
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    model.eval()  # which turns dropout off
    passages, labelled = garden.passages(), garden.qrels["train"].by_query()
    rows = len(data.keys)
    batches = [
        batch
        for epoch in (0, 1)
        for batch in epoch_batches(data.queries[:rows], data.keys, 16, seed, epoch, "each", Random())
    ]
    decayed = [value for name, value in model.named_parameters() if "bias" not in name and "LayerNorm" not in name]
    others = [value for name, value in model.named_parameters() if "bias" in name or "LayerNorm" in name]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.999), eps=1e-8)
    rising = int(np.ceil(0.3 * len(batches)))

    def vectors(texts: list[str]) -> torch.Tensor:
        inputs = tokenizer(texts, padding=True, truncation=True, max_length=16, return_tensors="pt")
        mask = inputs["attention_mask"][:, :, None]
        hidden = model(**inputs).last_hidden_state
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)

    losses, norms = [], []
    for step, batch in enumerate(batches):
        share = step / rising if step < rising else (len(batches) - step) / (len(batches) - rising)
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * share
        documents = sorted({*data.positives[batch].tolist(), *data.negatives[batch].ravel().tolist()})
        queries = vectors([garden.queries[row] for row in data.queries[batch]])  # here each row asks for itself
        scores = queries @ vectors([passages[row] for row in documents]).T / 0.05
        total = torch.zeros(())
        for row, (query, positive) in enumerate(zip(data.queries[batch], data.positives[batch], strict=True)):
            counts = [at for at, doc in enumerate(documents) if doc == positive or doc not in labelled[int(query)]]
            total = total + scores[row, counts].logsumexp(0) - scores[row, documents.index(positive)]
        mean = total / len(batch)
        optimizer.zero_grad()
        mean.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 4.0).item())
        optimizer.step()
        losses.append(mean.item())
    return dict(model.state_dict()), losses, norms


def values(curve: list[tuple[int, float]]) -> list[float]:
    return [value for _, value in curve]


class TestAgainstBareTorch:
    def test_weights_losses_and_gradients(
        self, garden: Collection, tiny_encoder: Path, trained: Callable[..., Trained]
    ) -> None:
        found = trained()
        weights, losses, norms = bare_loop(tiny_encoder, rows_with(garden, 1), garden, 0)
        np.testing.assert_allclose(values(found.curves["loss"]), losses, rtol=1e-4)
        np.testing.assert_allclose(values(found.curves["grad_norm"]), norms, rtol=1e-3)
        assert max(norms) > 4 > min(norms)  # some steps were clipped and some were not
        ours = found.model[0].auto_model.state_dict()
        start = SentenceTransformer(str(tiny_encoder))[0].auto_model.state_dict()
        assert ours.keys() == weights.keys()
        for name, value in weights.items():
            if "key.bias" not in name:  # softmax cancels it: its gradient is rounding noise, which AdamW blows up
                np.testing.assert_allclose(ours[name], value, atol=1e-5, err_msg=name)
        moved = [name for name in ours if not torch.equal(ours[name], start[name])]
        assert len(moved) > len(ours) - 4  # all but the pooler's, which nothing uses

    def test_the_loss_goes_down(self, trained: Callable[..., Trained]) -> None:
        losses = values(trained().curves["loss"])
        assert np.mean(losses[-2:]) < np.mean(losses[:2]) - 0.3


def test_weights_that_the_last_step_breaks_are_refused(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    """The loss of the only step was a number; nothing is read by the weights that it leaves."""
    recipe = RECIPE.model_copy(update={"epochs": 1, "batch_size": 64, "learning_rate": 1e39, "warmup": 0.0})
    model = SentenceTransformer(str(tiny_encoder))
    with pytest.raises(TrainingError, match=r"after step 1 \d+ of \d+ tensors hold NaN or infinite numbers: 0\.model"):
        train(
            model,
            TrainingJob(data=rows_with(garden, 1, recipe), collection=garden, loss=InfoNCE(), recipe=recipe, seed=0),
            tmp_path,
        )


class TestRepeatability:
    def test_twice_is_the_same_to_the_byte(self, trained: Callable[..., Trained]) -> None:
        first, second = trained(), trained(again=1)
        assert first.folder != second.folder
        names = {path.relative_to(first.folder) for path in first.folder.rglob("*") if path.is_file()}
        assert Path("model.safetensors") in names
        for name in names:
            assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name
        assert (first.curves, first.cost, first.seen) == (second.curves, second.cost, second.seen)

    def test_what_lies_around_in_the_process_has_no_say(self, trained: Callable[..., Trained]) -> None:
        """Nor does a training in bfloat16 in between, whose settings accelerate keeps in global state."""
        trained(RECIPE.model_copy(update={"precision": "bfloat16"}))
        torch.manual_seed(99)
        found = trained(again=2)
        assert (found.folder / "model.safetensors").read_bytes() == (
            trained().folder / "model.safetensors"
        ).read_bytes()

    def test_global_random_states_are_left_alone(self, trained: Callable[..., Trained]) -> None:
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)
        wanted = random.random(), np.random.rand(), torch.rand(1).item()
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)
        trained(again=3)
        assert (random.random(), np.random.rand(), torch.rand(1).item()) == wanted

    def test_the_seed_changes_the_batches(self, trained: Callable[..., Trained]) -> None:
        assert trained().seen != trained(seed=1).seen

    def test_dropout_is_off_unless_it_is_asked_for(self, trained: Callable[..., Trained]) -> None:
        with_dropout = RECIPE.model_copy(update={"dropout": None, "epochs": 1})
        first, second = trained(with_dropout), trained(with_dropout, again=1)
        assert first.curves == second.curves  # its masks follow from the seed
        without = trained(RECIPE.model_copy(update={"epochs": 1}))
        assert first.curves["loss"][0] != without.curves["loss"][0]
        set_to = [m.p for m in without.model.modules() if isinstance(m, torch.nn.Dropout)]
        assert set_to
        assert not any(set_to)

    def test_the_seed_changes_the_dropout_masks(self, trained: Callable[..., Trained]) -> None:
        """One batch of all rows: without dropout its loss is the same for every seed, whatever the order of rows."""
        process_group = RECIPE.model_copy(update={"epochs": 1, "batch_size": 64})
        first, second = (values(trained(process_group, seed=seed).curves["loss"]) for seed in (0, 1))
        assert first == pytest.approx(second, rel=1e-5)
        dropping = process_group.model_copy(update={"dropout": None})
        first, second = (values(trained(dropping, seed=seed).curves["loss"]) for seed in (0, 1))
        assert first != pytest.approx(second, rel=1e-3)


class TestEqualWork:
    @pytest.mark.parametrize("positives", ["each", "one"])
    def test_every_method_sees_the_same_rows_in_the_same_batches(
        self, garden: Collection, trained: Callable[..., Trained], positives: str
    ) -> None:
        recipe = RECIPE.model_copy(update={"positives": positives})
        none, two = trained(recipe, k=0), trained(recipe, k=2)
        assert none.seen == two.seen
        epochs = all_batches(rows_with(garden, 1, recipe), recipe, 0)
        assert none.seen == [batch.tolist() for epoch in epochs for batch in epoch]
        assert none.cost["steps"] == two.cost["steps"] == len(none.seen) == len(none.curves["loss"])
        assert sum(map(len, none.seen)) == 2 * (48 if positives == "each" else 24)
        assert none.seen[: len(none.seen) // 2] != none.seen[len(none.seen) // 2 :]  # each epoch has its own order

    def test_what_was_read_is_counted(self, garden: Collection, trained: Callable[..., Trained]) -> None:
        found, data = trained(k=2), rows_with(garden, 2)
        tokenizer, passages = found.model.tokenizer, garden.passages()

        def tokens(texts: list[str]) -> int:
            return sum(min(16, len(tokenizer.tokenize(text)) + 2) for text in texts)

        wanted = {"queries_read": 0, "documents_read": 0, "tokens_read": 0}
        for batch in found.seen:
            asked = set(data.queries[batch].tolist())
            read = {*data.positives[batch].tolist(), *data.negatives[batch].ravel().tolist()}
            wanted["queries_read"] += len(asked)
            wanted["documents_read"] += len(read)
            wanted["tokens_read"] += tokens([garden.queries[row] for row in asked])
            wanted["tokens_read"] += tokens([passages[row] for row in read])
        assert found.cost == {"steps": float(len(found.seen)), **wanted}

    def test_curves_have_a_point_a_step(self, trained: Callable[..., Trained]) -> None:
        found = trained()
        steps = list(range(1, len(found.seen) + 1))
        assert set(found.curves) == {"loss", "grad_norm", "learning_rate"}
        for name, curve in found.curves.items():
            assert [step for step, _ in curve] == steps, name
        assert max(values(found.curves["learning_rate"])) == pytest.approx(3e-3)


class TestBfloat16:
    @pytest.fixture(scope="class")
    def fast(self, trained: Callable[..., Trained]) -> Trained:
        return trained(RECIPE.model_copy(update={"precision": "bfloat16"}))

    def test_weights_stay_float32_and_come_close(self, fast: Trained, trained: Callable[..., Trained]) -> None:
        assert {value.dtype for value in fast.weights.values()} == {torch.float32}
        losses, exact = values(fast.curves["loss"]), values(trained().curves["loss"])
        assert losses != exact  # bfloat16 was at work
        np.testing.assert_allclose(losses, exact, rtol=0.05)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_encoding_afterwards_is_that_of_the_saved_folder(
        self, fast: Trained, garden: Collection, precision: Any
    ) -> None:
        """Accelerate wraps the forward pass for good; encoding must not inherit it."""
        fresh = encode(SentenceTransformer(str(fast.folder)), garden.passages(), "document", precision)
        np.testing.assert_array_equal(encode(fast.model, garden.passages(), "document", precision), fresh)

    def test_it_can_be_trained_again(self, fast: Trained, garden: Collection, tmp_path: Path) -> None:
        again, fresh = SentenceTransformer(str(fast.folder)), SentenceTransformer(str(fast.folder))
        once = RECIPE.model_copy(update={"epochs": 1})
        for model in (again, fresh):
            train(
                model,
                TrainingJob(data=rows_with(garden, 0, once), collection=garden, loss=InfoNCE(), recipe=once, seed=3),
                tmp_path,
            )
        for name, value in again.state_dict().items():
            assert torch.equal(value, fresh.state_dict()[name]), name


class TestWhatGoesWrong:
    def test_a_loss_that_is_no_number_names_its_step(self, trained: Callable[..., Trained]) -> None:
        class BreaksAtThree(InfoNCE):
            """InfoNCE that is NaN at the third step."""

            def rows(self, batch: ScoredBatch) -> torch.Tensor:
                steps.append(1)
                return super().rows(batch) * (float("nan") if len(steps) == 3 else 1.0)

        steps: list[int] = []
        with pytest.raises(TrainingError, match=r"loss is nan at step 3; lower the learning rate"):
            trained(loss=BreaksAtThree())
        assert len(steps) == 3

    def test_a_gradient_without_a_finite_norm(self, trained: Callable[..., Trained]) -> None:
        """Its loss is finite, and clipping by an infinite norm would leave every weight as it was."""

        class Steep(InfoNCE):
            """InfoNCE times 1e30."""

            def rows(self, batch: ScoredBatch) -> torch.Tensor:
                return super().rows(batch) * 1e30

        with pytest.raises(TrainingError, match=r"^the norm of the gradient is inf at step 1; lower the learning rate"):
            trained(loss=Steep())

    def test_a_learning_rate_out_of_this_world(self, trained: Callable[..., Trained]) -> None:
        with pytest.raises(TrainingError, match=r"at step \d; lower the learning rate"):
            trained(RECIPE.model_copy(update={"learning_rate": 1e30, "warmup": 0.0}))

    def test_no_rows(self, garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
        rows = rows_with(garden, 1)
        none = rows.queries[:0]
        empty = Instances(
            queries=none,
            positives=none,
            negatives=rows.negatives[:0],
            weights=rows.weights[:0],
            known=rows.known,
            keys=rows.keys[:0],
        )
        with pytest.raises(TrainingError, match="no labelled pair"):
            train(
                SentenceTransformer(str(tiny_encoder)),
                TrainingJob(data=empty, collection=garden, loss=InfoNCE(), recipe=RECIPE, seed=0),
                tmp_path,
            )


def test_a_row_of_weight_0_teaches_nothing_but_stays_in_its_batch(
    garden: Collection, tiny_encoder: Path, tmp_path: Path
) -> None:
    """The loss of the first step is the mean over the rows that weigh, against all documents of the batch."""
    recipe = RECIPE.model_copy(update={"epochs": 1, "batch_size": 64})
    data = rows_with(garden, 1, recipe)
    model = SentenceTransformer(str(tiny_encoder))
    model.max_seq_length = recipe.max_length.query
    (batch,) = all_batches(data, recipe, 0)[0]
    weights = (np.arange(len(data.queries)) % 3 == 0).astype(np.float32)
    passages = garden.passages()
    documents = sorted({*data.positives.tolist(), *data.negatives.ravel().tolist()})
    queries = torch.as_tensor(encode_as_is(model, tokenised(model, [garden.queries[q] for q in data.queries], "query")))
    read = torch.as_tensor(encode_as_is(model, tokenised(model, [passages[d] for d in documents], "document")))
    target = torch.tensor([documents.index(positive) for positive in data.positives.tolist()])
    relevant = torch.from_numpy(data.known.contains(data.queries[:, None], np.array(documents)))
    rows = InfoNCE().rows(
        ScoredBatch(
            scores=queries @ read.T, positive_column=target, known_mask=relevant, mined_mask=torch.zeros_like(relevant)
        )
    )
    wanted = rows[torch.from_numpy(weights) > 0].mean().item()
    weighed = replace(data, weights=weights)
    curves, _ = train(
        model, TrainingJob(data=weighed, collection=garden, loss=InfoNCE(), recipe=recipe, seed=0), tmp_path
    )
    assert len(batch) == len(rows)
    assert curves["loss"][0][1] == pytest.approx(wanted, rel=1e-4)
    assert wanted != pytest.approx(rows.mean().item(), rel=1e-3)


def test_nothing_is_left_in_the_working_directory(
    trained: Callable[..., Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained(again=4)
    assert not list(tmp_path.iterdir())
