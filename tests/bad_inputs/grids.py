"""Bad grids: what YAML can hold and a grid cannot, and values of the wrong kind under every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

from case import Case, grid, in_grid, in_set
from pydantic import BaseModel

from negbench.config.grid import Settings
from negbench.encoders.spec import EncoderSpec
from negbench.training.lora import LoRA
from negbench.training.recipe import Recipe

NO_VALUES = {
    "a date": "2020-01-01",
    "a time": "2001-12-14t21:59:43.10-05:00",
    "a tagged date": "!!timestamp 2020-01-01",
    "no whole number": "!!int abc",
    "no number": "!!float abc",
    "no truth value": "!!bool abc",
    "5,000 digits": "9" * 5000,
    "5,000 digits after a point": f"1.{'9' * 5000}",
    "5,000 hexadecimal digits": f"0x{'f' * 5000}",
    "too large a number": "1e999",
    "bytes": "!!binary aGVsbG8=",
    "a set": "!!set {x, y}",
    "an ordered mapping": "!!omap [x: 1]",
    "a tag of its own": "!made x",
    "a tag of Python": "!!python/object/apply:os.system [ls]",
    "a tag with an address": "!<tag:yaml.org,2002:int> xyz",
    "deep lists": "[" * 200 + "]" * 200,
    "deep mappings": "{a: " * 200 + "1" + "}" * 200,
    "deep and open": "[" * 3000,
    "a list in itself": "&a [*a]",
    "a mapping in itself": "&a {b: *a}",
    "a mapping merged into itself": "&a {<<: *a}",
    "a list deep in itself": "&a [1, [2, {b: [*a]}]]",
    "half a character": '"\\ud800"',
    "the other half": '"\\udfff x"',
    "a list as a key": "{[a]: 1}",
    "a mapping as a key": "{{a: 1}: 2}",
    "a merge of text": "{<<: text}",
    "a merge of a list of texts": "{<<: [a, b]}",
    "an alias of nothing": "*gone",
    "a sequence that is text": "!!seq abc",
    "a mapping that is text": "!!map abc",
    "a tab": "\tx: [",
    "an open quote": "'x",
    "an open bracket": "[1, 2",
    "two colons": "b: c: 3",
    "a key twice": "{a: 1, a: 2}",
    "a stray bracket": "]",
    "a percent sign": "%x",
    "an at sign": "@x",
    "a backtick": "`x`",
    "an escape of no character": '"\\q"',
}
"""Texts that are no value of a grid, whatever the key."""


def values_of_no_kind() -> Iterator[Case]:
    """What a YAML file may hold and Python, or a grid, cannot: in a file, below a key, in a list, in --set."""
    for name, text in NO_VALUES.items():
        yield in_grid(f"{name} in a file", grid(seeds=text), "grid.yaml:")
        yield in_grid(f"{name} below a key", grid(train=f"\n  epochs: {text}"), "grid.yaml:")
        yield in_set(f"{name} in --set", f"train.epochs={text}", "--set train.epochs")


BROKEN = {
    "an empty file": ("", "grid.yaml:1"),
    "nothing but a comment": ("# here\n", "grid.yaml:1"),
    "a list": ("- a\n- b\n", "grid.yaml:1"),
    "a word": ("word\n", "grid.yaml:1"),
    "a number": ("17\n", "grid.yaml:1"),
    "two documents": (grid() + "---\na: 1\n", "grid.yaml:5"),
    "another version of YAML": ("%YAML 9.9\n---\na: 1\n", "grid.yaml:1"),
    "no text": (b"name: \xff\xfe\n", "grid.yaml:1"),
    "no text in line 3": (b"a: 1\nb: 2\nc: \xff\n", "grid.yaml:3"),
    "UTF-16": ("name: made".encode("utf-16"), "grid.yaml"),
    "a zero": ("name: \x00\n", "grid.yaml"),
    "a control character": ("name: \x07\n", "grid.yaml"),
    "a program": (b"\x7fELF\x02\x01\x01\x00" * 40, "grid.yaml"),
    "a picture": (b"\x89PNG\r\n\x1a\n" * 40, "grid.yaml"),
    "zeros": (bytes(4096), "grid.yaml"),
    "a key twice": (grid() + "name: other\n", "grid.yaml:5"),
    "a key twice below another": ("train:\n  epochs: 1\n  epochs: 1\n", "grid.yaml:3"),
    "a missing colon": ("name made\ncollection: helpdesk\n", "grid.yaml:"),
    "a wrong indentation": ("name: made\n   collection: helpdesk\n", "grid.yaml:2"),
    "an expansion": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{now}: &{now} [{', '.join([f'*{before}'] * 9)}]\n"
            for before, now in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "grid.yaml:4",
    ),
    "an expansion by merging": (
        "a: &a {x: [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"
        + "".join(
            f"{now}: &{now} {{{', '.join(f'{key}: *{before}' for key in 'pqrstuvwyz')}}}\n"
            for before, now in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "grid.yaml:",
    ),
    "100,000 values": (grid(seeds=f"[{', '.join(map(str, range(100_000)))}]"), "grid.yaml"),
    "6,000 values": (grid(seeds=f"[{', '.join(map(str, range(6_000)))}]"), "grid.yaml:5"),
    "a very long text": (grid(name="x" * 300_000), "grid.yaml"),
    "6,000 keys": ("".join(f"key{at}: 1\n" for at in range(6_000)), "grid.yaml:"),
}


def texts_that_are_no_grid() -> Iterator[Case]:
    """Files that are no YAML mapping, or one that is too large."""
    for name, (text, place) in BROKEN.items():
        yield Case(name=name, arguments=("plan", "grid.yaml"), named=(place,), files={"grid.yaml": text})


WRONG_KINDS = {"words": "two words", "a list": "[[1]]", "a mapping": "{a: {b: 1}}", "truth": "true"}
"""Values that no number is."""


def _numbers(model: type[BaseModel]) -> list[str]:
    """Return the fields that take numbers alone."""

    def leaves(kind: Any) -> set[Any]:
        return set().union(*map(leaves, get_args(kind))) if get_args(kind) else {kind}

    kinds = {name: leaves(field.annotation) - {type(None)} for name, field in model.model_fields.items()}
    return [name for name, found in kinds.items() if found and found <= {int, float}]


def values_of_a_wrong_kind() -> Iterator[Case]:
    """Words, lists, mappings and truth values where numbers belong, and numbers that are too large or none."""
    for prefix, model in (
        ("", Settings),
        ("train.", Recipe),
        ("warm_up.", Recipe),
        ("encoder.", EncoderSpec),
        ("train.lora.", LoRA),
    ):
        for field in _numbers(model):
            key = prefix + field
            outer = ["--set", "encoder={model: ../shared/weights}"] if prefix == "encoder." else []
            for name, value in WRONG_KINDS.items():
                case = in_set(f"{key}: {name}", f"{key}={value}", f"--set {key}")
                yield Case(
                    name=case.name,
                    arguments=(*case.arguments[:2], *outer, *case.arguments[2:]),
                    named=case.named,
                    files=case.files,
                )
    for key in (
        "negatives",
        "curve_points",
        "train.epochs",
        "train.batch_size",
        "train.learning_rate",
        "held_out",
        "seeds",
    ):
        for name, value in (("minus one", "-1"), ("no number", ".nan"), ("infinite", ".inf")):
            yield in_set(f"{key}: {name}", f"{key}={value}", f"--set {key}")


STRUCTURE = {
    "no name": (grid(name=None), ("grid.yaml:1: name",)),
    "no collection": (grid(collection=None), ("grid.yaml:1: collection",)),
    "no encoder": (grid(encoder=None), ("grid.yaml:1: encoder",)),
    "no methods": (grid(methods=None), ("grid.yaml:1: methods",)),
    "no methods in the list": (grid(methods="[]"), ("grid.yaml:4: methods",)),
    "a name that is a path": (grid(name="../up"), ("grid.yaml:1: name",)),
    "a name that is a number": (grid(name="17"), ("grid.yaml:1: name",)),
    "a name that is empty": (grid(name="''"), ("grid.yaml:1: name",)),
    "a name with a line end": (grid(name='"a\\nb"'), ("grid.yaml:1: name",)),
    "a key that is not there": (grid(trian="{epochs: 1}"), ("grid.yaml:5: trian", "train")),
    "a key of train": (grid(epochs="1"), ("grid.yaml:5: epochs", "train")),
    "a key that is a number": (grid() + "7: x\n", ("grid.yaml:5: 7",)),
    "a key with a line end": (grid() + '"a\\nb": x\n', ("grid.yaml:5",)),
    "a key in train": (grid(train="\n  epohcs: 1"), ("grid.yaml:6: train.epohcs", "epochs")),
    "a key in encoder": (grid(encoder="{model: x, modle: y}"), ("grid.yaml:3: encoder.modle",)),
    "train is a list": (grid(train="[1]"), ("grid.yaml:5: train",)),
    "train is a number": (grid(train="1"), ("grid.yaml:5: train",)),
    "encoder is a list": (grid(encoder="[x]"), ("grid.yaml:3: encoder",)),
    "encoder without a model": (grid(encoder="{pooling: mean}"), ("grid.yaml:3: encoder",)),
    "methods are a mapping": (grid(methods="{a: 1}"), ("grid.yaml:4: methods",)),
    "methods are a number": (grid(methods="3"), ("grid.yaml:4: methods",)),
    "a method is null": (grid(methods="[in-batch, null]"), ("grid.yaml:4: methods.1",)),
    "a method is a number": (grid(methods="[in-batch, 4]"), ("grid.yaml:4: methods.1",)),
    "a revision of a folder": (
        grid(encoder="{model: ../shared/weights, revision: main}"),
        ("grid.yaml:3: encoder", "revision"),
    ),
    "a method twice": (grid(methods="[random, random]"), ("grid.yaml:4: methods", "random")),
    "a method that is not there": (grid(methods="[simnas]"), ("grid.yaml:4: methods.0", "simans")),
    "a seed twice": (grid(seeds="[1, 1]"), ("grid.yaml:5: seeds",)),
    "a seed below 0": (grid(seeds="[0, -1]"), ("grid.yaml:5: seeds.1",)),
    "a seed that is text": (grid(seeds="[zero]"), ("grid.yaml:5: seeds.0",)),
    "a seed that is a fraction": (grid(seeds="[0.5]"), ("grid.yaml:5: seeds.0",)),
    "no seeds": (grid(seeds="[]"), ("grid.yaml:5: seeds",)),
    "a baseline of no method": (grid(baseline="bm25"), ("grid.yaml:5: baseline",)),
    "a measure that is not there": (grid(measures="[nDGC@10]"), ("grid.yaml:5: measures.0",)),
    "no measures": (grid(measures="[]"), ("grid.yaml:5: measures",)),
    "an estimator twice": (grid(estimators="[exact, exact]"), ("grid.yaml:5: estimators",)),
    "an estimator that is not there": (grid(estimators="[exacct]"), ("grid.yaml:5: estimators.0", "exact")),
    "a teacher that is not there": (grid(teacher="crossencoder"), ("grid.yaml:5: teacher", "cross-encoder")),
    "a judge that is trained": (grid(judge="trained-cross-encoder"), ("grid.yaml:5: judge",)),
    "a repair that is not there": (grid(repair="mended"), ("grid.yaml:5: repair",)),
    "equal texts of another kind": (grid(equal_texts="maybe"), ("grid.yaml:5: equal_texts",)),
    "a whole share": (grid(held_out="1"), ("grid.yaml:5: held_out",)),
    "axes are a list": (grid(axes="[1]"), ("grid.yaml:5: axes",)),
    "an axis without values": (grid(axes="{train.epochs: []}"), ("grid.yaml:5: axes.train.epochs",)),
    "an axis with one value": (grid(axes="{train.epochs: 3}"), ("grid.yaml:5: axes.train.epochs",)),
    "an axis with a value twice": (grid(axes="{train.epochs: [3, 3]}"), ("grid.yaml:5: axes.train.epochs",)),
    "an axis that is a number": (grid(axes="{3: [1, 2]}"), ("grid.yaml:5: axes.3",)),
    "an axis of names": (grid(axes="{name: [a, b]}"), ("grid.yaml:5: axes.name",)),
    "an axis of a key that is not there": (grid(axes="{train.epohcs: [1, 2]}"), ("train.epohcs", "epochs")),
    "an axis through a number": (grid(axes="{negatives.x: [1, 2]}", negatives="3"), ("negatives",)),
    "axes that overlap": (grid(axes="{train: [{epochs: 1}], train.epochs: [1, 2]}"), ("train",)),
    "a named axis without names": (grid(axes="{start: {}}"), ("grid.yaml:5: axes.start",)),
    "a named axis of values": (grid(axes="{start: {weak: 1}}"), ("grid.yaml:5: axes.start.weak",)),
    "keys of one choice that overlap": (
        grid(axes="{start: {weak: {train: {epochs: 1}, train.epochs: 2}}}"),
        ("grid.yaml:5: axes.start.weak", "overlap"),
    ),
    "a million points": (
        grid(
            axes="{"
            + ", ".join(
                f"train.{key}: [{', '.join(map(str, range(1, 101)))}]" for key in ("epochs", "batch_size", "max_length")
            )
            + "}"
        ),
        ("grid.yaml:5: axes", "1,000,000 points"),
    ),
    "collection and collections": (grid(collections="[helpdesk]"), ("grid.yaml:5: collections",)),
    "no collections": (grid(collection=None, collections="[]"), ("grid.yaml:4: collections",)),
    "collections are text": (grid(collection=None, collections="helpdesk"), ("grid.yaml:4: collections",)),
    "a collection is a number": (grid(collection=None, collections="[3]"), ("grid.yaml:4: collections.0",)),
    "a collection twice": (grid(collection=None, collections="[helpdesk, helpdesk]"), ("grid.yaml:4: collections",)),
    "a collection with a bad name": (
        grid(collection=None, collections="[{collection: helpdesk, name: a/b}]"),
        ("grid.yaml:4: collections.0",),
    ),
    "a collection that is not there": (grid(collection="helpdsek"), ("grid.yaml:2: collection", "helpdesk")),
    "a collection without an id": (grid(collection="'hub:'"), ("grid.yaml:2: collection",)),
    "a collection of two parts": (grid(collection="{beir: {path: a}, hub: {id: b}}"), ("grid.yaml:2: collection",)),
    "a collection of an empty mapping": (grid(collection="{}"), ("grid.yaml:2: collection",)),
    "an encoder that is not there": (grid(encoder="./nowhere"), ("grid.yaml:3: encoder: ", "./nowhere")),
    "an encoder of no hub id": (grid(encoder="a/b/c"), ("grid.yaml:3: encoder: ", "a/b/c")),
    "an encoder of an axis": (
        grid(encoder=None, axes="{encoder: [../shared/weights, ./nowhere]}"),
        ("grid.yaml:4: axes.encoder.1: ", "./nowhere"),
    ),
    "a folder that holds no collection": (grid(collection="../shared"), ("grid.yaml:2: collection: ", "corpus")),
    "a truth of no file": (
        grid(collection='{beir: {path: ../shared/socks, truth: "gone/{split}.tsv"}}'),
        ("grid.yaml:2: collection: ", "gone/{split}.tsv"),
    ),
    "a truth without a split": (
        grid(collection="{beir: {path: ../shared/socks, truth: gone.tsv}}"),
        ("grid.yaml:2: collection: ", "truth"),
    ),
    "a further collection without files": (
        grid(evaluate_on="[../shared/socks, ../shared]"),
        ("grid.yaml:5: evaluate_on.1: ", "corpus"),
    ),
    "a key of a merge": (
        "base: &base\n  epohcs: 3\n" + grid(train="\n  <<: *base"),
        ("grid.yaml:2: train.epohcs",),
    ),
    "further collections that are a number": (grid(evaluate_on="3"), ("grid.yaml:5: evaluate_on",)),
    "a further collection that is not there": (grid(evaluate_on="[nowhere]"), ("grid.yaml:5: evaluate_on.0",)),
    "a further collection with an unknown key": (
        grid(evaluate_on="[{collection: ../shared/socks, query_promt: x}]"),
        ("grid.yaml:5: evaluate_on.0.query_promt", "did you mean query_prompt"),
    ),
    "a teacher of a method that is not there": (
        grid(methods='[in-batch, {denoised: {teacher: "cross-encoder(model=./nowhere)"}}]'),
        ("grid.yaml:4: methods.1: ", "./nowhere"),
    ),
    "a run file of a method that is not there": (
        grid(methods="[in-batch, {bm25: {candidates: {run-file: {path: nowhere.trec}}}}]"),
        ("grid.yaml:4: methods.1: ", "nowhere.trec"),
    ),
    "a split that is not there": (grid(split="exam"), ("grid.yaml:2: collection: ", "no split 'exam'; give one of ")),
    "an encoder in a folder of a system": (grid(encoder="/proc"), ("grid.yaml:3: encoder: /proc",)),
}


SEVERAL = {"a key of a merge": 2, "an axis of a key that is not there": 2}
"""How many problems a grid has: a key that is merged stands at another place, too, and an axis has two values."""


def keys_that_do_not_fit() -> Iterator[Case]:
    """Keys that are missing, unknown, twice, at odds with others, or whose values are out of bounds."""
    for name, (text, named) in STRUCTURE.items():
        problems = SEVERAL.get(name, 1)
        yield in_grid(name, text, *named, problems=problems)


SPELLINGS = (
    "simans(",
    "simans)",
    "simans(a=1",
    "simans(a)",
    "simans(=1)",
    "simans(a=)",
    "simans(a=1, a=2)",
    "simans(a=1)(b=2)",
    "simans(a=[1, 2)",
    'simans(a="x)',
    "simans(a=1;b=2)",
    "simans(a=x)",
    "simans(a=true)",
    "simans(a=1e999)",
    "simans(a=nan)",
    f"simans(a={'9' * 5000})",
    "simans(a=-1)",
    "simans(depth=0)",
    "simans(depth=1.5)",
    "sim ans",
    "",
    " ",
    "(a=1)",
    "[INST]",
    "simans(a=[/INST])",
    "bm25(filters=[margni])",
    "bm25(filters=[margin(margin=x)])",
    "random(selection=" + "mixture(of=" * 20 + "top" + ")" * 21,
    "random(selection=" + "mixture(of=" * 2000 + "top" + ")" * 2001,
    "random(loss=infonce(temperature=0))",
    "random(loss=infnce)",
)


def spellings() -> Iterator[Case]:
    """Methods whose short form is broken, or names what is not there."""
    for text in SPELLINGS:
        name = f"{len(text)} letters, {text[:40]!r}"
        yield in_grid(name, grid(methods=f"[{json.dumps(text)}]"), "grid.yaml:4: methods.0")


ASSIGNMENTS = {
    "no equals sign": ("train.epochs", "--set train.epochs"),
    "no key": ("=3", "--set =3"),
    "nothing": ("", "--set"),
    "a key below a number": ("name.x=3", "--set name.x"),
    "a key in a list": ("methods.0=random", "--set methods.0"),
    "a key of dots": ("...=3", "--set ..."),
    "a key with a line end": ("a\nb=3", "--set a b"),
    "a value with a line end": ("seeds=[1,\n2", "--set seeds"),
    "a key with half a character": ("a\udcff=3", "--set a"),
    "a value with half a character": ("name=a\udcff", "--set name"),
    "an axis that is set": ("axes.train.epochs=3", "--set axes.train.epochs"),
    "axes of a number": ("axes=3", "--set axes"),
    "a key of 100,000 letters": (f"{'k' * 100_000}=3", "--set kkk"),
    "a value of 300,000 letters": (f"name={'k' * 300_000}", "--set name"),
}


def assignments() -> Iterator[Case]:
    """Assignments that are no KEY=VALUE, or whose key leads nowhere."""
    for name, (text, named) in ASSIGNMENTS.items():
        yield in_set(name, text, named)
