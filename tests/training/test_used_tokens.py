"""A training without unused token embeddings: equal weights, for all layouts of models, and what is left as it is."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from made_models import LAYOUTS, Maker
from made_rows import RECIPE, rows_with
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.spec import EncoderSpec
from negbench.losses import Loss
from negbench.losses.infonce import InfoNCE
from negbench.training import used_tokens
from negbench.training.hooks import DevEvaluation
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.recipe import Recipe

FREE = RECIPE.model_copy(update={"weight_decay": 0.0, "max_grad_norm": 1e9})
"""A recipe that does not clip gradients, so that sums over fewer of them are equal to the bit."""
NOT_CUT = ("relative positions", "decoder that looks both ways")
"""Layouts whose tables stay whole: shared by two modules, scaled."""


@pytest.fixture
def make(tmp_path: Path, tiny_encoder: Path) -> Maker:
    return Maker(tmp_path, tiny_encoder)


def trained(
    folder: Path, collection: Path, scratch: Path, recipe: Recipe, used: bool, loss: Loss | None = None, **more: Any
) -> SentenceTransformer:
    garden, model = Beir(path=str(collection)).load(), build(EncoderSpec(model=str(folder)), 0)
    data = rows_with(garden, 1, recipe)
    job = TrainingJob(data=data, collection=garden, loss=loss or InfoNCE(), recipe=recipe, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        if not used:
            patch.setattr(used_tokens, "only_used_tokens", lambda *_: nullcontext())
        train(model, job, scratch / "scratch", **more)
    return model


def rows_of(model: SentenceTransformer) -> list[int]:
    return [len(module.used) for module in model.modules() if isinstance(module, used_tokens._UsedRows)]


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "words"])  # which are not trained
def test_weights_are_those_of_whole_tables(layout: str, make: Maker, tiny_collection: Path, tmp_path: Path) -> None:
    """To the bit, and so are vectors of texts whose tokens were not trained with."""
    folder, cut = LAYOUTS[layout](make), []

    def look(model: Any, *rest: Any) -> Any:
        cut.extend(rows_of(model))
        return own(model, *rest)

    from negbench.training import loop

    own = loop._run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_run", look)
        ours = trained(folder, tiny_collection, tmp_path, FREE, used=True)
    wanted = trained(folder, tiny_collection, tmp_path, FREE, used=False)
    assert bool(cut) == (layout not in NOT_CUT)
    assert all(count < make.words() for count in cut)
    assert not rows_of(ours)
    assert ours.state_dict().keys() == wanted.state_dict().keys()
    for name, value in wanted.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name]), name
    texts = ["zebra quartz", "water my basil"]
    assert (encode(ours, texts, "query", "float32") == encode(wanted, texts, "query", "float32")).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adamw_torch"},
        {"optimizer": "adagrad"},
        {"optimizer": "rmsprop"},
        {"optimizer": "sgd"},
        {"optimizer": "adafactor"},
        {"weight_decay": 0.1},
        {"gradient_cache": True},
        {"gradient_checkpointing": True},
        {"dtype": "bfloat16"},
        {"dropout": 0.2},
    ],
    ids=str,
)
def test_with_every_recipe(changes: dict[str, Any], tiny_collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = FREE.model_copy(update={"epochs": 1, **changes})
    ours, wanted = (trained(tiny_encoder, tiny_collection, tmp_path, recipe, used) for used in (True, False))
    for name, value in wanted.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name]), name


@pytest.mark.slow
def test_with_two_processes(tiny_collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """Each has the same rows, so that their gradients can be summed; sums in another order round otherwise."""
    recipes = [FREE.model_copy(update={"optimizer": "sgd", "processes": count}) for count in (1, 2)]
    ours, wanted = (trained(tiny_encoder, tiny_collection, tmp_path, recipe, used=True) for recipe in recipes)
    torch.testing.assert_close(ours.state_dict(), dict(wanted.state_dict()), rtol=1e-4, atol=1e-6)


def test_with_clipped_gradients(tiny_collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """Up to the rounding of their norm."""
    recipe = FREE.model_copy(update={"max_grad_norm": 0.5})
    ours, wanted = (trained(tiny_encoder, tiny_collection, tmp_path, recipe, used) for used in (True, False))
    torch.testing.assert_close(ours.state_dict(), dict(wanted.state_dict()), rtol=1e-4, atol=1e-5)


def test_an_evaluation_in_between_reads_all_tokens(tiny_collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """The model then has the trained rows in its whole table, and the training goes on as without."""
    seen: list[Any] = []

    def measure(model: SentenceTransformer) -> float:
        assert not rows_of(model)
        with torch.no_grad():
            seen.append(model.encode(["zebra quartz", "water my basil"]))
        model.train()
        return 0.0

    watch = DevEvaluation("watched", 3, measure)
    ours = trained(tiny_encoder, tiny_collection, tmp_path, FREE, used=True, watch=watch)
    wanted = trained(tiny_encoder, tiny_collection, tmp_path, FREE, used=False, watch=watch)
    assert len(seen) == 6
    for mine, theirs in zip(seen[:3], seen[3:], strict=True):
        assert (mine == theirs).all()
    assert not (seen[0] == seen[1]).all()
    assert all(torch.equal(value, ours.state_dict()[name]) for name, value in wanted.state_dict().items())


def test_other_tokens_cannot_be_read_meanwhile(tiny_encoder: Path) -> None:
    """They would have no embedding; none of another token is taken in its place."""
    from negbench.encoders.tokens import tokenised

    model = build(EncoderSpec(model=str(tiny_encoder)), 0)
    tokens = {"query": tokenised(model, ["water"], "query"), "document": tokenised(model, ["soil"], "document")}
    with used_tokens.only_used_tokens(model, tokens, FREE):
        model.encode(["soil water"])
        with pytest.raises(IndexError):
            model.encode(["frost"])
        with used_tokens.whole_tables(model):
            model.encode(["frost"])
        with pytest.raises(IndexError):
            model.encode(["frost"])
    model.encode(["frost"])
