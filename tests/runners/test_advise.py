"""Advice on a collection: every figure against a count by hand, and a grid that passes ``plan``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pools import candidate_pool
from ruamel.yaml import YAML

import negbench as nb
from negbench.api.advice import duration
from negbench.collections import profile
from negbench.collections.duplicates import equal_texts
from negbench.errors import InputError
from negbench.evaluation import rank_bands
from negbench.methods import resolve
from negbench.runners.suggested_grid import SuggestedGrid
from negbench.types import Collection, Qrels

Command = Callable[..., Any]

ROSE = "roses like a bright window with morning sun and loose soil"
TEXTS = [ROSE, ROSE.upper() + "!", ROSE + " too", "ferns hate frost", "water basil daily", "cut mint in spring"]
QUERIES = ["do roses like sun", "bright window plants", "frost", "water basil", "spring mint", "mint"]


def made(**changes: Any) -> Collection:
    """Six documents: 0 and 1 have the same words, 2 one more; six queries, four of training, two of test."""
    parts: dict[str, Any] = {
        "name": "made",
        "document_ids": [f"d{at}" for at in range(6)],
        "titles": [""] * 6,
        "texts": TEXTS,
        "query_ids": [f"q{at}" for at in range(6)],
        "queries": QUERIES,
        "qrels": {
            "train": Qrels.of([(0, 0, 1), (0, 2, 1), (1, 0, 1), (2, 3, 1), (3, 4, 1), (3, 5, 0)]),
            "test": Qrels.of([(4, 5, 1), (5, 0, 1)]),
        },
        "equal_texts": equal_texts(TEXTS),
    }
    return Collection(**{**parts, **changes})


class TestProfile:
    def test_positives(self) -> None:
        found = profile.Positives.of(made(), "train")
        assert (found.queries, found.mean, found.single) == (4, 5 / 4, 3 / 4)

    def test_what_queries_share(self) -> None:
        assert profile.sharing(made(), "train") == 2 / 4
        assert profile.sharing(made(), "test") == 0
        assert profile.trained_on(made(), "train", "test") == 1

    def test_copies_and_near_duplicates(self) -> None:
        assert profile.copies(made()) == 2
        found = profile.near_duplicates(made(), "train")
        # 9 shingles of roses, 10 with one more word: Jaccard 0.9; positives 0 and 2 of 0, 2, 3, 4
        assert (found.share, found.positives, found.documents, found.sampled) == (2 / 4, 4, 6, False)

    def test_a_large_corpus_is_sampled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(profile, "MOST_DOCUMENTS", 3)
        rows = profile.sample_documents(made())
        assert len(rows) == 3
        assert rows.tolist() == sorted(rows.tolist()) == profile.sample_documents(made()).tolist()
        assert profile.near_duplicates(made(), "train").sampled

    def test_lexical_overlap(self) -> None:
        # "do roses like sun" has 3 of 4 words in both; 2 of 3; 1 of 1; 2 of 2
        assert profile.lexical_overlap(made(), "train") == pytest.approx(np.median([3 / 4, 2 / 3, 1, 1]))

    def test_words(self) -> None:
        assert profile.median_words(["a b c", "a", "a b"]) == 2
        assert math.isnan(profile.median_words([]))


def test_rates_by_rank() -> None:
    """Two queries; of the first, rank 1 of the pool is a known positive, so its rank 2 counts as rank 1."""
    pool = candidate_pool(
        [[0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6]],
        documents=[range(4), range(4)],
        known=[[True, False, False, False], [False] * 4],
        positives=[[0], [9]],
    )
    first, second = pool.queries.tolist()
    truth = Qrels.of([(first, 0, 1), (first, 1, 2), (second, 1, 1), (second, 2, 0), (first, 3, 1)])
    top, middle, low = rank_bands.false_negatives(pool, truth)
    assert (top.rate, top.queries) == (1 / 2, 2)
    assert middle.rate == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert 0 <= middle.low < middle.rate < middle.high <= 1
    assert low.queries == 0
    assert math.isnan(low.rate)


@pytest.mark.parametrize(("documents", "given"), [(199, False), (200, True)])
def test_methods_by_rule(documents: int, given: bool) -> None:
    grid = SuggestedGrid(
        name="x/y: z",
        collection={"pairs": "a b.csv"},
        encoder="tiny",
        documents=documents,
        rows=20,
        queries=20,
        split="dev",
        max_length=64,
        held_out=0.3,
        given=given,
        static=False,
    )
    assert list(grid.methods) == ["in-batch", "random", "bm25", *["rank-band"] * given, "margin", *["given"] * given]
    assert grid.trials == 3 * len(grid.methods)
    assert 'collection: {"pairs": "a b.csv"}' in str(grid)
    keys = YAML(typ="safe", pure=True).load(str(grid))
    assert (keys["split"], keys["held_out"], keys["methods"]) == ("dev", 0.3, list(grid.methods))
    assert keys["train"] == {"epochs": 20, "batch_size": 20, "learning_rate": 2e-5, "max_length": 64}
    assert keys["name"] == "x-y-z"
    assert all(re.search(r" # \w", line) for line in str(grid).splitlines())
    assert YAML(typ="safe", pure=True).load(str(replace(grid, name="faq.jsonl.gz")))["name"] == "faq"


@pytest.mark.parametrize(("rows", "method"), [(49, "margin"), (50, "margin(positive=highest)")])
def test_a_margin_below_the_highest_of_many_positives(rows: int, method: str) -> None:
    """The lowest of many scores below all candidates, so that only random documents would be drawn."""
    grid = SuggestedGrid(
        name="x", collection="x", encoder="tiny", documents=100, rows=rows, queries=10, split="test", max_length=64,
        held_out=None, given=False, static=False,
    )  # fmt: skip
    assert [name for name in grid.methods if name.startswith("margin")] == [method]
    listed = YAML(typ="safe", pure=True).load(str(grid))["methods"]
    assert [resolve(name).spelling for name in listed] == ["in-batch", "random", "bm25", method]


@pytest.mark.parametrize(
    ("rows", "epochs", "steps"), [(20, 20, 20), (486, 13, 208), (3200, 2, 200), (6400, 1, 200), (50_000, 1, 1563)]
)
def test_epochs_that_move_an_encoder(rows: int, epochs: int, steps: int) -> None:
    """In batches of 32, the last of which may be smaller: 486 rows are 16 steps an epoch."""
    grid = SuggestedGrid(
        name="x", collection="x", encoder="tiny", documents=100, rows=rows, queries=rows, split="test", max_length=64,
        held_out=None, given=False, static=True,
    )  # fmt: skip
    train = YAML(typ="safe", pure=True).load(str(grid))["train"]
    assert (train["epochs"], train["learning_rate"], grid.steps) == (epochs, 2e-3, steps)
    assert re.search(rf"^train: +# {steps:,} steps a training", str(grid), re.MULTILINE)
    assert ("few: more labelled pairs" in str(grid)) == (steps < 200)


class TestAdvise:
    def test_of_a_folder(self, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path, negbench: Command) -> None:
        """The garden: 24 training queries with 1, 2, 3, 1, ... positives, 48 in all, so half can be hidden."""
        out = tmp_path / "advised.yaml"
        command = ("advise", tiny_collection, "--encoder", tiny_encoder, "--no-timing", "--out", out)
        said = negbench(*command, "--json", cwd=tmp_path)
        assert said.code == 0, said.err
        data = json.loads(said.out)
        figures = {it["name"]: it["value"] for it in data["figures"]}
        assert (figures["documents"], figures["train queries"], figures["test queries"]) == (60, 24, 10)
        assert figures["positives a train query"] == 2
        assert figures["train queries with one positive"] == pytest.approx(1 / 3)
        assert "BM25 rank 1" not in figures
        assert data["kind"] == "held-out"
        assert "24 of 48 labels can be hidden" in data["why"]
        assert "label at most 385 pairs" in data["why"]
        assert any(it.startswith("10 test queries, fewer than 50") for it in data["warnings"])
        assert data["minutes"] is None
        assert data["steps"] == 40  # 2 batches of 48 pairs, 20 times
        assert any(it.startswith("40 steps a training, fewer than 200") for it in data["warnings"])
        assert out.read_text() == data["grid"]
        planned = negbench("plan", out, cwd=tmp_path)
        assert planned.code == 0, planned.err
        assert "steps, 40 a training" in planned.out
        again = negbench(*command, cwd=tmp_path)
        assert (again.code, again.out) == (2, "")
        assert "exists already" in again.err
        assert "Traceback" not in again.err

    def test_with_a_truth(self, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Rank 1 of BM25 is what the method bm25 draws."""
        monkeypatch.chdir(tmp_path)
        text = "helpdesk(articles=100, queries=24, dev=6, test=12)"
        found = nb.advise(text, encoder=tiny_encoder, store=tmp_path / "store")
        mined = nb.mine("bm25", text, encoder=tiny_encoder, store=tmp_path / "store")
        assert mined.false_negatives is not None
        assert found.found.kind == "exact"
        assert found.figures_by_name["BM25 rank 1"] == pytest.approx(mined.false_negatives.rate)
        measured = nb.evaluate("bm25", text, measures="nDCG@10", store=tmp_path / "store")
        assert found.figures_by_name["BM25 nDCG@10 on test"] == measured.metrics["nDCG@10"]
        assert found.found.minutes is not None
        assert found.found.minutes > 0
        assert found.grid is not None
        assert found.grid in found.table
        assert found.to_pandas()["name"].tolist() == list(found.figures_by_name)

    def test_without_training(self, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
        folder = tmp_path / "exam"
        (folder / "qrels").mkdir(parents=True)
        for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
            (folder / name).write_text((tiny_collection / name).read_text())
        found = nb.advise(folder, encoder=tiny_encoder, timing=False, store=tmp_path / "store")
        assert (found.found.kind, found.grid) == ("none", None)
        assert found.found.warnings[0].startswith("no train split")
        with pytest.raises(InputError, match=r"exam: no training queries.*qrels/train\.tsv"):
            nb.advise(folder, encoder=tiny_encoder, out=tmp_path / "grid.yaml", store=tmp_path / "store")
        assert not (tmp_path / "grid.yaml").exists()

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("nowhere",), "nowhere"),
            (("helpdesk", "--encoder", "nobody/nothing"), "nobody/nothing"),
            (("helpdesk", "--out", "none/grid.yaml"), "there is no folder none"),
        ],
    )
    def test_bad_input(
        self, options: tuple[str, ...], said: str, tiny_encoder: Path, tmp_path: Path, negbench: Command
    ) -> None:
        encoder = () if "--encoder" in options else ("--encoder", str(tiny_encoder))
        found = negbench("advise", *options, *encoder, cwd=tmp_path)
        assert (found.code, found.out) == (2, "")
        assert said in found.err
        assert len(found.err.strip().splitlines()) == 1


def test_durations_in_words() -> None:
    said = [duration(minutes) for minutes in (0.9, 1.2, 1.6, 119.4, 150)]
    assert said == ["a minute or less", "a minute", "2 minutes", "119 minutes", "2 hours"]
