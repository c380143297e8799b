"""Axes, encoders by language, manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_files import LONG, grid, refusals, with_line

from negbench.config.grid import read
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError


def test_a_mistake_that_all_points_share_is_told_once(tmp_path: Path) -> None:
    text = with_line("axes", "{seeds: [[0], [1]], train.epochs: [1, 2, 0]}").replace("random]", "randm]")
    assert [line.split(":")[2] for line in refusals(tmp_path, text)] == [" methods.1", " axes.train.epochs.2"]


def test_axes_multiply(tmp_path: Path) -> None:
    text = LONG + "axes:\n  train.epochs: [1, 2]\n  encoder.reinit_layers: [0, 1, 2]\n  split: [test]\n"
    points = grid(tmp_path, text).points
    assert [point for point, _ in points] == [
        {"train.epochs": epochs, "encoder.reinit_layers": layers, "split": "test"}
        for epochs in (1, 2)
        for layers in (0, 1, 2)
    ]
    for point, settings in points:
        assert settings.train.epochs == point["train.epochs"]
        assert settings.train.learning_rate == 1e-4  # what lies beside an axis stays
        assert settings.encoder == EncoderSpec(model="all-MiniLM-L6-v2", reinit_layers=point["encoder.reinit_layers"])


def test_an_axis_may_hold_whole_mappings(tmp_path: Path) -> None:
    points = grid(tmp_path, with_line("axes", "{train: [{epochs: 2}, {epochs: 3}], negatives: [1, 2]}")).points
    assert [(point, settings.train.epochs, settings.negatives) for point, settings in points] == [
        ({"train": {"epochs": epochs}, "negatives": negatives}, epochs, negatives)
        for epochs in (2, 3)
        for negatives in (1, 2)
    ]
    text = with_line("axes", "{start: {a: {train: {epochs: 2}}, b: {train.epochs: 3}}}")  # one at a time
    assert [settings.train.epochs for _, settings in grid(tmp_path, text).points] == [2, 3]


@pytest.mark.parametrize(
    ("axes", "refusal"),
    [
        (
            "{train.epochs: [1, 2], start: {a: {train: {epochs: 3}}}}",
            "axes.start: train and train.epochs, which the axis train.epochs sets, overlap",
        ),
        (
            "{start: {a: {train: {epochs: 3}}}, train.epochs: [1, 2]}",
            "axes.train.epochs: train.epochs and train, which the axis start sets, overlap",
        ),
        (
            "{train: [{epochs: 2}], train.warmup: [0.1, 0.2]}",
            "axes.train.warmup: train.warmup and train, which the axis",
        ),
        (
            "{encoder: [a, b], start: {c: {encoder.keep_layers: 1}}}",
            "axes.start: encoder.keep_layers and encoder, which",
        ),
        ("{start: {a: {train.epochs: 2, train: {}}}}", "axes.start.a.train: train.epochs and train overlap"),
    ],
)
def test_axes_that_overlap_are_refused(tmp_path: Path, axes: str, refusal: str) -> None:
    (line,) = refusals(tmp_path, with_line("axes", axes))
    assert line.startswith(f"grid.yaml:5: {refusal}")


def test_a_key_that_only_begins_alike_is_another(tmp_path: Path) -> None:
    points = grid(tmp_path, with_line("axes", "{train.warmup: [0.1, 0.2], start: {a: {warm_up: {epochs: 1}}}}")).points
    assert len(points) == 2


STARTS = "{start: {weak: {encoder: {model: a, keep_layers: 3}, train.epochs: 3}, strong: {encoder: b}}}"


def test_a_named_axis_sets_several_keys_together(tmp_path: Path) -> None:
    points = grid(tmp_path, with_line("axes", STARTS.replace("}}}", "}}, negatives: [1, 2]}"))).points
    assert [point for point, _ in points] == [
        {"start": start, "negatives": negatives} for start in ("weak", "strong") for negatives in (1, 2)
    ]
    found = [(it.encoder.spelling, it.train.epochs, it.negatives) for _, it in points]
    assert found == [("a(keep_layers=3)", 3, 1), ("a(keep_layers=3)", 3, 2), ("b", 1, 1), ("b", 1, 2)]


@pytest.mark.parametrize(
    ("axes", "refusal"),
    [
        ("{start: {}}", "5: axes.start: expected names with the keys that each sets, found none"),
        ("{start: {weak: 3}}", "5: axes.start.weak: expected a mapping of keys, as in {encoder:"),
        (
            "{start: {weak: {encodr: b}}}",
            "5: axes.start.weak.encodr: no key is called 'encodr'; did you mean encoder or vectors?",
        ),
        ("{start: {a: {train.epochs: 0}}}", "5: axes.start.a.train.epochs: expected at least 1, found 0"),
        ("{start: {a: {train: {epochs: 0}}}}", "5: axes.start.a.train.epochs: expected at least 1, found 0"),
        ("{start: {a: {name: other}}}", "5: axes.start: a grid has one name; put it outside of axes"),
        ("{start: {a: {axes: {}}}}", "5: axes.start: a grid has one axes; put it outside of axes"),
        ("{split: [dev], start: {a: {split: test}}}", "5: axes.start: split is set by the axis split too; keep one"),
        ("{encoder: {model: a}}", "5: axes.encoder: expected a list of values in [...], found {'model': 'a'}"),
    ],
)
def test_a_mistake_in_a_named_axis(tmp_path: Path, axes: str, refusal: str) -> None:
    (line,) = refusals(tmp_path, with_line("axes", axes))
    assert line.startswith(f"grid.yaml:{refusal}")


def test_set_cannot_change_what_a_named_axis_sets(tmp_path: Path) -> None:
    (line,) = refusals(tmp_path, with_line("axes", STARTS), ["encoder=c"])
    assert line.startswith("--set encoder: encoder is an axis of this grid; write --set 'axes.start={NAME: {encoder:")


def test_set_cannot_change_what_an_axis_sets_as_part_of_a_mapping(tmp_path: Path) -> None:
    text = with_line("axes", "{train.epochs: [1, 2]}")
    (line,) = refusals(tmp_path, text, ["train={epochs: 5}"])
    assert line.startswith("--set train: train.epochs is an axis of this grid; write --set 'axes.train.epochs=[...]'")
    points = grid(tmp_path, text, ["train={batch_size: 8}"]).points
    assert [(settings.train.epochs, settings.train.batch_size) for _, settings in points] == [(1, 8), (2, 8)]


@pytest.mark.parametrize(
    ("axes", "refusal"),
    [
        ("{train.epochs: [1, '1']}", "axes.train.epochs.1: '1' says the same as 1"),
        ("{train.learning_rate: [1e-5, 2e-5, '1e-5']}", "axes.train.learning_rate.2: '1e-5' says the same as 1e-05"),
        ("{train: [{}, {batch_size: 32}]}", "axes.train.1: {'batch_size': 32} says the same as {}"),
        (
            "{train.max_length: [64, {query: 64, document: 64}]}",
            "axes.train.max_length.1: {'query': 64, 'docu",
        ),
        ("{encoder: [some, {model: some}]}", "axes.encoder.1: {'model': 'some'} says the same as 'some'"),
        ("{repair: [replaced, replaced()]}", "axes.repair.1: 'replaced()' says the same as 'replaced'"),
        ("{seeds: [[0], [1]], negatives: [1, 2, '2']}", "axes.negatives.2: '2' says the same as 2"),
        ("{start: {a: {train.epochs: 1}, b: {}}}", "axes.start: 'b' says the same as 'a'"),
        (
            "{collection: [helpdesk, {collection: helpdesk, name: b}]}",
            "axes.collection.1.collection: 'b' says",
        ),
    ],
)
def test_points_that_say_the_same_are_refused(tmp_path: Path, axes: str, refusal: str) -> None:
    """Rows of one training would count as rows of two."""
    lines = with_line("axes", axes)
    lines = lines.replace("collection: helpdesk\n", "") if axes.startswith("{collection") else lines
    (line,) = refusals(tmp_path, lines)
    assert line.partition(": ")[2].startswith(refusal)
    assert line.endswith("; keep one")


def test_no_axes_are_one_point(tmp_path: Path) -> None:
    for value in ("", "{}", "null"):
        assert len(grid(tmp_path, with_line("axes", value)).points) == 1


@pytest.mark.parametrize(
    ("asked", "model", "prompt"),
    [
        ("{language: en, size: small}", "BAAI/bge-small-en-v1.5", None),
        ("{language: ZH, size: large}", "thenlper/gte-large-zh", None),
        ("{language: fr, size: small}", "OrdalieTech/Solon-embeddings-base-0.1", None),
        ("{language: de}", "intfloat/multilingual-e5-base", "query: "),
        ("{language: de, query_prompt: 'frage: ', reinit_layers: 1}", "intfloat/multilingual-e5-base", "frage: "),
    ],
)
def test_an_encoder_by_language_and_size(tmp_path: Path, asked: str, model: str, prompt: str | None) -> None:
    ((_, settings),) = grid(tmp_path, with_line("encoder", asked)).points
    assert (settings.encoder.model, settings.encoder.query_prompt) == (model, prompt)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ("{language: fr, size: tiny}", "3: encoder: size: expected one of small, base, large, found 'tiny'"),
        ("{language: french}", "3: encoder: language: expected two letters, as in en or fr, found 'french'"),
        ("{language: fr, model: a}", "3: encoder: give model, or language and size, not both"),
    ],
)
def test_a_mistake_in_a_language(tmp_path: Path, asked: str, refusal: str) -> None:
    (line,) = refusals(tmp_path, with_line("encoder", asked))
    assert line == f"grid.yaml:{refusal}"


def test_a_manifest_is_the_grid_that_it_came_from(tmp_path: Path) -> None:
    text = with_line("axes", "{train.epochs: [1, 2]}")
    made = grid(tmp_path, text, ["seeds=[7]", "axes.train.epochs=[3]"])
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"command": ["negbench"], "grid": made.text, "assignments": made.assignments}))
    again = read(path)
    assert (again.text, again.assignments, again.points) == (made.text, made.assignments, made.points)
    assert read(path, ["seeds=[8]"]).points[0][1].seeds == (8,)
    path.write_text('{"grid": 3')
    with pytest.raises(InputError, match=r"manifest.json:1: not valid JSON"):
        read(path)


def test_a_grid_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "grid.json"
    path.write_text(json.dumps({"name": "a", "collection": "helpdesk", "encoder": "some", "methods": ["random"]}))
    assert read(path).name == "a"
