from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from negbench.config.grid import read
from negbench.errors import InputError
from negbench.plan.trials import Trial, trials
from negbench.report import inspect
from negbench.report.inspect import SHOWN, Example, ShownNegative, examples, terminal
from negbench.stages.inputs import read_collection
from negbench.store import Store
from negbench.types import Negatives


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Trial], Store]:
    """Two methods that need no encoder, drawn and not trained."""
    here = tmp_path_factory.mktemp("inspect")
    (here / "encoder").mkdir()
    (here / "encoder/model.safetensors").write_bytes(b"weights")
    grid = {
        "name": "g",
        "collection": "helpdesk(articles=200, queries=60, dev=10, test=20)",
        "encoder": str(here / "encoder"),
        "methods": ["in-batch", "random", "bm25"],
        "negatives": 2,
        "seeds": [0, 1],
    }
    (here / "grid.yaml").write_text(json.dumps(grid))
    found, store = trials(read(here / "grid.yaml")), Store(here / "store")
    for trial in found:
        if trial.negatives is not None:
            store.ensure(trial.negatives)
    return found, store


def test_labels_are_those_of_the_truth_and_texts_those_of_the_collection(drawn: tuple[list[Trial], Store]) -> None:
    found, store = drawn
    collection = read_collection(store.path(found[0].evaluation.collection))
    rows = {name: row for row, name in enumerate(collection.document_ids)}
    asked = {name: row for row, name in enumerate(collection.query_ids)}
    truth = collection.truth["train"].at_least(1).by_query()
    labels = collection.qrels["train"].at_least(1).by_query()
    shown = examples(found, store, [], 40)
    assert len({example.query for example in shown}) == 40
    seen = set()
    for example in shown:
        query = asked[example.query]
        assert example.text == collection.queries[query]
        assert [rows[document] for document, _ in example.positives] == labels[query].tolist()
        assert list(example.drawn) == ["random seed 0", "bm25 seed 0"]
        for one in [one for many in example.drawn.values() for one in many]:
            false = rows[one.document] in truth[query].tolist()
            assert one.label == ("false negative" if false else "not relevant")
            assert collection.texts[rows[one.document]] in one.text
            seen.add(one.label)
    assert seen == {"false negative", "not relevant"}
    counts = [sum(one.label == "false negative" for many in it.drawn.values() for one in many) for it in shown]
    assert counts == sorted(counts, reverse=True)  # the telling ones come first


def test_a_query_is_found_by_its_id_and_bm25_s_best_rank_first(drawn: tuple[list[Trial], Store]) -> None:
    found, store = drawn
    (some,) = examples(found, store, [], 1)
    (again,) = examples(found, store, [some.query])
    assert again == some
    ranks = [one.rank for one in again.drawn["bm25 seed 0"]]
    assert ranks == sorted(ranks)  # type: ignore[type-var]
    console = Console(width=160, file=io.StringIO())
    console.print(terminal([again]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(one.document in text for many in again.drawn.values() for one in many)


def test_a_long_list_is_cut_and_the_rest_is_counted() -> None:
    labels = ["not relevant"] * (SHOWN + 1) + ["false negative"] * 2
    many = tuple(ShownNegative(f"d{at}", "text", 0.5, at + 1, label) for at, label in enumerate(labels))
    example = Example("q", "what", (), {"long": many, "clean": many[: SHOWN + 1], "short": many[:SHOWN]})
    told = [(len(drawn), more) for _, drawn, more in example.brief]
    assert told == [(SHOWN, "and 3 more, 2 of them false negatives"), (SHOWN, "and 1 more"), (SHOWN, "")]
    console = Console(width=160, file=io.StringIO())
    console.print(terminal([example]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("and 3 more") == text.count("and 1 more") == 1
    assert f"d{SHOWN}" not in text


def test_a_document_of_several_rounds_is_told_once(
    drawn: tuple[list[Trial], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, store = drawn
    (once,) = examples(found, store, [], 1)
    real = inspect._negatives

    def twice(trial: Trial, store: Store) -> Negatives:
        table = real(trial, store)
        places = {name: np.tile(getattr(table, name), (1, 2)) for name in ("documents", "origins", "ranks", "scores")}
        return replace(table, **places)

    monkeypatch.setattr(inspect, "_negatives", twice)
    assert examples(found, store, [once.query]) == [once]


def test_what_is_not_there_is_one_line(drawn: tuple[list[Trial], Store], tmp_path: Path) -> None:
    found, store = drawn
    with pytest.raises(InputError, match="no training query has the id 'nobody'; did you mean '"):
        examples(found, store, ["nobody"])
    with pytest.raises(InputError, match="no negatives are stored for this grid; run it first"):
        examples(found, Store(tmp_path / "empty"), [])
