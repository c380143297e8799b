from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_files import LONG, grid, refusals, with_line

from negbench.collections.resolve import source_of
from negbench.config.further import FurtherCollection
from negbench.config.grid import read
from negbench.encoders.spec import EncoderSpec
from negbench.methods import resolve
from negbench.registry import registered


def test_a_grid_that_uses_everything(tmp_path: Path) -> None:
    made = grid(tmp_path, LONG)
    assert made.name == "made"
    ((point, settings),) = made.points
    assert point == {}
    assert settings.collection == registered("collection")["helpdesk"]()
    assert settings.encoder == EncoderSpec(model="all-MiniLM-L6-v2", reinit_layers=2)
    assert [method.spelling for method in settings.methods] == [
        "in-batch",
        "rank-band",  # 10 and 110 are its defaults
        "simans",
        "denoised(depth=20)",
    ]
    assert settings.methods[3] == resolve("denoised(filters.denoise.depth=20)")
    assert (settings.seeds, settings.negatives, settings.baseline) == ((0, 1), 2, "in-batch")
    assert settings.train.epochs == 3
    assert settings.train.learning_rate == 0.0001
    assert isinstance(settings.train.learning_rate, float)
    assert settings.split == "test"
    assert settings.measures[0] == "nDCG@10"


def test_estimators_are_chosen_and_set_and_by_default_all_there_are(tmp_path: Path) -> None:
    ((_, settings),) = grid(tmp_path, with_line("name", "made")).points
    assert [estimator.name for estimator in settings.estimators] == list(registered("estimator"))
    chosen = LONG + 'estimators: [exact, "held-out(frequency=0.3)", {propensity: {frequency: 0.5}}]\n'
    ((_, settings),) = grid(tmp_path, chosen).points
    assert [it.spelling for it in settings.estimators] == [
        "exact",
        "held-out(frequency=0.3)",
        "propensity(frequency=0.5)",
    ]


def test_defaults(tmp_path: Path) -> None:
    ((_, settings),) = grid(tmp_path, with_line("name", "made")).points
    assert (settings.seeds, settings.negatives, settings.baseline, settings.train.epochs) == ((0,), 1, None, 1)


@pytest.mark.parametrize("spelled", ["simans(a=1)", "simans(a=1.0, b=0)", '"simans( a=1, depth=100 )"'])
def test_the_baseline_may_be_spelled_in_any_way(tmp_path: Path, spelled: str) -> None:
    text = "name: made\ncollection: helpdesk\nencoder: some\nmethods:\n- random\n- simans: {a: 1}\nbaseline: " + spelled
    ((_, settings),) = grid(tmp_path, text).points
    assert settings.baseline == settings.methods[1].spelling == "simans(a=1.0)"


METHOD = "expected a name, name(key=value) or a mapping {name: {key: value}}, found"
LIST = "expected a list in [...], found"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        # unknown keys
        ("methds", "[random]", "5: methds: no key is called 'methds'; did you mean methods"),
        ("zzz", "1", "5: zzz: no key is called 'zzz'; known: axes, baseline, collection, collections,"),
        ("train", "{epoch: 1}", "5: train.epoch: no key is called 'epoch'; did you mean epochs?"),
        (
            "encoder",
            "{model: a, precision: float32}",
            "3: encoder.precision: no key is called 'precision' here; it is a",
        ),
        ("encoder", "{model: a, pool: cls}", "3: encoder.pool: no key is called 'pool'; did you mean pooling"),
        ("encoder", "some(reinit=2)", "3: encoder.reinit: no key is called 'reinit'; did you mean reinit_layers"),
        # wrong types and bounds
        ("name", "3", "1: name: expected text (put quotes around it), found 3"),
        ("name", "2026-01-31", "1: name: expected text (put quotes around it), found 2026-01-31"),
        ("name", "", "1: name: expected text (put quotes around it), found nothing"),
        ("name", "a b", "1: name: expected letters, digits, '.', '_' and '-', found 'a b'; results go to a folder"),
        ("name", "../up", "1: name: expected letters, digits, '.', '_' and '-', found '../up'"),
        ("encoder", "3", "3: encoder: expected a mapping of keys to values, found 3"),
        ("encoder", '""', "3: encoder.model: expected some text, found ''"),
        ("encoder", "{reinit_layers: 2}", "3: encoder.model: is missing; add it"),
        ("encoder", "{model: a, reinit_layers: -1}", "3: encoder.reinit_layers: expected at least 0, found -1"),
        (
            "encoder",
            "{model: a, pooling: mid}",
            "3: encoder.pooling: expected 'mean', 'cls', 'max' or 'lasttoken', found",
        ),
        ("encoder", "some(2)", "3: encoder: expected key=value inside some(...), found '2'"),
        ("negatives", "0", "5: negatives: expected at least 1, found 0"),
        ("negatives", "1001", "5: negatives: expected at most 1000, found 1001"),
        ("negatives", "two", "5: negatives: expected a whole number, found 'two'"),
        ("negatives", "1.5", "5: negatives: expected a whole number, found 1.5"),
        ("negatives", "[1]", "5: negatives: expected a whole number, found [1]"),
        ("seeds", "0", f"5: seeds: {LIST} 0; write `seeds: [0]` for this seed alone, or `seeds: [0, 1, 2]` for three"),
        ("seeds", "[]", "5: seeds: expected a list with something in it, found []"),
        ("seeds", "[0, -1]", "5: seeds.1: expected at least 0, found -1"),
        ("seeds", "[a]", "5: seeds.0: expected a whole number, found 'a'"),
        ("seeds", "[0, 3, 0]", "5: seeds: 0 is given twice; keep one"),
        ("train", "{lr: 2e-5}", "5: train.lr: no key is called 'lr'; did you mean learning_rate?"),
        ("lr", "2e-5", "5: lr: no key is called 'lr' here; learning_rate is a key of train: put it there"),
        ("train", "3", "5: train: expected a mapping of keys to values, found 3"),
        ("train", "", "5: train: expected a mapping of keys to values, found nothing"),
        ("train", "{epochs: 0}", "5: train.epochs: expected at least 1, found 0"),
        ("train", "{learning_rate: 0}", "5: train.learning_rate: expected more than 0, found 0"),
        ("train", "{learning_rate: fast}", "5: train.learning_rate: expected a number, found 'fast'"),
        ("train", "{warmup: 1}", "5: train.warmup: expected less than 1, found 1"),
        ("train", "{precision: half}", "5: train.precision: expected 'auto', 'float32' or 'bfloat16', found 'half'"),
        ("split", "[test]", "5: split: expected text (put quotes around it), found ['test']"),
        ("measures", "nDCG@10", f"5: measures: {LIST} 'nDCG@10'"),
        ("measures", "[nDCG@10, nDGC@5]", "5: measures.1: ir-measures has no measure 'nDGC@5'"),
        ("measures", "[AP, AP]", "5: measures: AP is given twice; keep one"),
        ("measures", "[7]", "5: measures.0: expected text (put quotes around it), found 7"),
        # collections
        ("collection", "helpdesc", "2: collection: 'helpdesc' is no known source"),
        (
            "collection",
            "{beir: {pth: x}}",
            "2: collection: beir: no parameter of beir is called 'pth'; did you mean path",
        ),
        ("collection", "3", "2: collection: expected helpdesk, a folder"),
        # methods
        ("methods", "", f"4: methods: {LIST} nothing"),
        ("methods", "random", f"4: methods: {LIST} 'random'"),
        ("methods", "{random: {}}", f"4: methods: {LIST} {{'random': {{}}}}"),
        ("methods", "[]", "4: methods: expected a list with something in it, found []"),
        ("methods", "[random, 3]", f"4: methods.1: {METHOD} 3"),
        ("methods", "[random, null]", f"4: methods.1: {METHOD} None"),
        ("methods", "[simans: 3]", f"4: methods.0: {METHOD} {{'simans': 3}}"),
        ("methods", "[{simans: {}, bm25: {}}]", f"4: methods.0: {METHOD} {{'simans': {{}}, 'bm25': {{}}}}"),
        (
            "methods",
            "[simans: {1: 2}]",
            "4: methods.0: expected a name for each parameter of simans, found 1; quote it",
        ),
        ("methods", "[random, randm]", "4: methods.1: no method is called 'randm'; did you mean random"),
        (
            "methods",
            "[zzz]",
            "4: methods.0: no method is called 'zzz'; known: abs, adaptive-margin,",
        ),
        ("methods", "[random, bm25, random]", "4: methods: random is given twice; keep one"),
        ("methods", '[simans, "simans(a=0.5)"]', "4: methods: simans is given twice; keep one"),
        ("methods", "[simans: {dpth: 3}]", "4: methods.0: no parameter of simans is called 'dpth'; did you mean depth"),
        (
            "methods",
            "[simans: {zzz: 3}]",
            "4: methods.0: no parameter of simans is called 'zzz'; known: a, b, batching, candidates,",
        ),
        ("methods", "[simans: {a: -1}]", "4: methods.0.a: expected at least 0, found -1"),
        ("methods", "[simans: {a: sharp}]", "4: methods.0.a: expected a number, found 'sharp'"),
        ("methods", "[simans: {a: .nan}]", "4: methods.0.a: expected a finite number, found nan"),
        ("methods", "[simans: {form: both}]", "4: methods.0.form: expected 'paper', 'code' or 'laplace', found 'both'"),
        (
            "methods",
            '["random(depth=3)"]',
            "4: methods.0: random has several parameters called depth: say which of cand",
        ),
        ("methods", '["rank-band(low=200)"]', "4: methods.0: low=200 must be below high=110"),
        ("methods", '["bm25(selection=tpo)"]', "4: methods.0.selection: no sampler is called 'tpo'; did you mean top"),
        (
            "methods",
            "[bm25: {selection: {top: {dept: 1}}}]",
            "4: methods.0.selection: no parameter of top is called 'dept'",
        ),
        ("methods", '["bm25(selection=top(depth=0))"]', "4: methods.0.selection.depth: expected at least 1, found 0"),
        ("methods", '["simans(filters=rank-band)"]', f"4: methods.0.filters: {LIST} 'rank-band'"),
        ("methods", '["in-batch(candidates=dense)"]', "4: methods.0: candidates and selection go together: give both"),
        (
            "methods",
            "[denoised: {teacher: {trained-cross-encoder: {folds: 1}}}]",
            "4: methods.0.teacher.folds: expected at least 2, found 1",
        ),
        # baseline
        ("baseline", "bm25", "5: baseline: bm25 is not one of the methods; expected one of in-batch, random"),
        ("baseline", "in-bach", "5: baseline: no method is called 'in-bach'; did you mean in-batch"),
        ("baseline", "[random]", "5: baseline: expected text (put quotes around it), found ['random']"),
        # axes
        ("axes", "3", "5: axes: expected a mapping from dotted keys to lists of values"),
        ("axes", "{negatives: 3}", "5: axes.negatives: expected a list of values in [...], found 3"),
        ("axes", "{negatives: []}", "5: axes.negatives: expected a list of values in [...], found []"),
        ("axes", "{negatives: [1, 2, 1]}", "5: axes.negatives: 1 is given twice; keep one"),
        ("axes", "{baseline: [random]}", "5: axes.baseline: a grid has one baseline; put it outside of axes"),
        ("axes", "{2: [1]}", "5: axes.2: expected a dotted key, as in train.epochs"),
        ("axes", "{negatvs: [1]}", "5: axes.negatvs.0: no key is called 'negatvs'; did you mean negatives?"),
        ("axes", "{train.epchs: [1]}", "5: axes.train.epchs.0: no key is called 'epchs'; did you mean epochs?"),
        ("axes", "{trian.epochs: [1]}", "5: axes.trian.epochs.0: no key is called 'trian'; did you mean train?"),
        ("axes", "{negatives: [1, 0]}", "5: axes.negatives.1: expected at least 1, found 0"),
        ("axes", "{train: [{}, {epochs: 0}]}", "5: axes.train.1.epochs: expected at least 1, found 0"),
        (
            "axes",
            "{encoder.pooling: [cls]}",
            "5: axes.encoder.pooling.0: encoder holds no keys, so encoder.pooling leads",
        ),
        ("axes", "{methods: [[random], [randm]]}", "5: axes.methods.1.0: no method is called 'randm'; did you mean"),
    ],
)
def test_one_mistake_is_one_line_with_file_line_and_key(tmp_path: Path, key: str, value: str, expected: str) -> None:
    (line,) = refusals(tmp_path, with_line(key, value))
    assert line.startswith(f"grid.yaml:{expected}")


@pytest.mark.parametrize("key", ["name", "collection", "encoder", "methods"])
def test_a_missing_key(tmp_path: Path, key: str) -> None:
    text = "".join(line for line in with_line("name", "made").splitlines(True) if not line.startswith(key))
    (line,) = refusals(tmp_path, text)
    assert line == f"grid.yaml:1: {key}: is missing; a grid needs name, collection, encoder, methods"


def test_a_spelling_that_yaml_has_split_says_what_to_quote(tmp_path: Path) -> None:
    first, second = refusals(tmp_path, with_line("methods", "[random, simans(a=0.5, depth=100)]"))
    assert first.startswith(
        "grid.yaml:4: methods.1: 'simans(a=0.5' has no closing bracket; inside a YAML list in [...]"
    )
    assert 'quote it, as in ["simans(a=0.5, depth=100)"]' in first
    assert second.startswith("grid.yaml:4: methods.2: expected a name or name(key=value), found 'depth=100)'; a comma")
    assert "quote" in second
    quoted = grid(tmp_path, with_line("methods", '[random, "simans(a=0.5, depth=100)"]'))
    assert [method.spelling for method in quoted.points[0][1].methods] == ["random", "simans"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  - simans: {a: 0.5, scale", "  - simans: {a: -0.5, scale", "grid.yaml:9: methods.2.a: expected at least 0"),
        ("rank-band(low=10", "rank-band(low=-1", "grid.yaml:8: methods.1.low: expected at least 0, found -1"),
        ("depth: 20", "depth: 0", "grid.yaml:10: methods.3.depth: expected at least 1, found 0"),
        (
            "threshold: 0.1",
            "unit: quantile\n      threshold: 7",
            "grid.yaml:10: methods.3: threshold=7.0 as a quantile",
        ),
        ("  reinit_layers: 2", "  reinit_layers: [2]", "grid.yaml:5: encoder.reinit_layers: expected a whole number"),
        ("[0, 1]", "\n  - 0\n  - 1\n  - one", "grid.yaml:16: seeds.2: expected a whole number, found 'one'"),
    ],
)
def test_the_line_is_that_of_the_entry(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in LONG
    (line,) = refusals(tmp_path, LONG.replace(old, new))
    assert line.startswith(expected)


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """\
name: a b
encoder: {model: some, poling: cls}
methods:
- randm
- simans: {a: -1}
- in-batch
seeds: [0, x]
negatives: 0
train: {epochs: 0, precision: half}
baseline: in-batch
what: 1
"""
    found = refusals(tmp_path, text)
    assert {tuple(line.split(":")[1:3]) for line in found} == {
        ("1", " name"),
        ("1", " collection"),
        ("2", " encoder.poling"),
        ("4", " methods.0"),
        ("5", " methods.1.a"),
        ("7", " seeds.1"),
        ("8", " negatives"),
        ("9", " train.epochs"),
        ("9", " train.precision"),
        ("11", " what"),
    }
    assert len(found) == 10


@pytest.mark.parametrize(
    ("assignment", "read_back"),
    [
        ("train.learning_rate=1e-4", lambda settings: settings.train.learning_rate == 1e-4),
        ("seeds=[4, 5]", lambda settings: settings.seeds == (4, 5)),
        ("methods=[bm25]", lambda settings: settings.methods == (resolve("bm25"),)),
        ("methods=['simans(a=2, b=1)']", lambda settings: settings.methods == (resolve("simans(a=2, b=1)"),)),
        ("encoder=other", lambda settings: settings.encoder == EncoderSpec(model="other")),
        ("baseline=random", lambda settings: settings.baseline == "random"),
    ],
)
def test_set(tmp_path: Path, assignment: str, read_back: Any) -> None:
    ((_, settings),) = grid(tmp_path, with_line("negatives", "2"), [assignment]).points
    assert read_back(settings)
    assert settings.negatives == 2


def test_the_last_of_two_sets_wins(tmp_path: Path) -> None:
    ((_, settings),) = grid(tmp_path, with_line("name", "a"), ["negatives=2", "train.epochs=3", "negatives=4"]).points
    assert (settings.negatives, settings.train.epochs) == (4, 3)


def test_set_reaches_axes(tmp_path: Path) -> None:
    text = with_line("axes", "{train.epochs: [1, 2]}")
    points = grid(tmp_path, text, ["axes.train.epochs=[3, 4]", "axes.negatives=[5]"]).points
    assert [point for point, _ in points] == [{"train.epochs": epochs, "negatives": 5} for epochs in (3, 4)]
    assert len(grid(tmp_path, text, ["axes={}"]).points) == 1


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("negatives=0", "--set negatives: expected at least 1, found 0"),
        ("train={epochs: 0}", "--set train.epochs: expected at least 1, found 0"),
        ("train.epochs=few", "--set train.epochs: expected a whole number, found 'few'"),
        ("trian.epochs=2", "--set trian: no key is called 'trian'; did you mean train?"),
        ("methods=[randm]", "--set methods.0: no method is called 'randm'; did you mean random"),
        ("axes.negatives=[1, 0]", "--set axes.negatives.1: expected at least 1, found 0"),
        ("axes=3", "--set axes: expected a mapping from dotted keys to lists of values"),
        ("axes.x=3", "--set axes.x: expected a list of values in [...], found 3"),
        ("split=dev", "--set split: split is an axis of this grid; write --set 'axes.split=[...]'"),
        ("epochs", "--set epochs: expected key=value, as in --set train.epochs=3"),
    ],
)
def test_a_mistake_on_the_command_line_is_said_to_be_there(tmp_path: Path, assignment: str, expected: str) -> None:
    (line,) = refusals(tmp_path, with_line("axes", "{split: [test, dev]}"), [assignment])
    assert line.startswith(expected)


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "configs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_grids_that_ship_are_right(path: Path) -> None:
    made = read(path, ["collection=helpdesk", "evaluate_on=[helpdesk]"])
    assert made.name == path.stem
    for _, settings in made.points:
        methods = [method.spelling for method in settings.methods]
        assert settings.baseline in methods if len(methods) > 1 else settings.baseline is None


def test_a_further_collection_may_be_pairs_that_add_to_another() -> None:
    value = {"pairs": "mined.jsonl", "collection": "helpdesk"}
    assert FurtherCollection.model_validate(value).collection == source_of(value)
