from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from negbench.config.document import Document, place
from negbench.errors import InputError

TEXT = """\
# a comment
name: made
train:
  epochs: 3
  learning_rate: 1e-4

methods:
  - in-batch
  - simans: {a: 0.5}
  - rank-band:
      low: 10
flow: {one: [1,
  2], two: 3}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "grid.yaml"


def read(file: Path, text: str) -> Document:
    file.write_text(text)
    return Document.read(file)


def refusal(file: Path, text: str | bytes) -> str:
    """The message for a broken file, without the path."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError) as caught:
        Document.read(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert "\n" not in message
    return message.removeprefix(str(file))


def test_the_data_is_plain(file: Path) -> None:
    data = read(file, TEXT).data
    assert data["train"] == {"epochs": 3, "learning_rate": 0.0001}
    assert data["methods"] == ["in-batch", {"simans": {"a": 0.5}}, {"rank-band": {"low": 10}}]
    kinds = {
        type(node) for node in (data, data["train"], data["methods"], data["train"]["learning_rate"], data["name"])
    }
    assert kinds == {dict, list, float, str}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2e-5", 2e-5),
        ("1E3", 1000.0),
        ("-1.5e+2", -150.0),
        (".5", 0.5),
        ("010", 10),  # YAML 1.1 would say 8
        ("0x10", 16),
        ("yes", "yes"),  # YAML 1.1 would say true
        ("off", "off"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("'1e-4'", "1e-4"),
        ("simans(a=0.5, depth=100)", "simans(a=0.5, depth=100)"),
        ("[random, simans(a=0.5, depth=100)]", ["random", "simans(a=0.5", "depth=100)"]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(file: Path, text: str, value: object) -> None:
    found = read(file, f"key: {text}\n").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_key_knows_its_line(file: Path) -> None:
    document = read(file, TEXT)

    def line(*location: str | int) -> str:
        where = document.where(location)
        assert where == f"{file}:{where.removeprefix(f'{file}:').partition(':')[0]}: {'.'.join(map(str, location))}"
        return where.removeprefix(f"{file}:").partition(":")[0]

    assert line("name") == "2"
    assert line("train") == "3"
    assert line("train", "learning_rate") == "5"
    assert line("methods", 0) == "8"
    assert line("methods", 1) == line("methods", 1, "simans", "a") == "9"
    assert line("methods", 2, "rank-band", "low") == "11"
    assert line("flow", "one", 1) == "13"
    # what the file does not have is where its last known part is
    assert line("train", "epoch") == "3"
    assert line("methods", 1, "a") == "9"
    assert line("methods", 7) == "7"
    assert line("missing") == line("missing", "more") == "1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2\nb: 3\n", ":2: not valid YAML: while parsing a flow sequence expected ',' or ']'"),
        ("a: 1\n\tb: 2\n", ":2: not valid YAML: while scanning for the next token found character '\\t'"),
        ("a: 'x\n", ":2: not valid YAML: while scanning a quoted scalar found unexpected end of stream"),
        ("a: 1\nb: c: 3\n", ":2: not valid YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", ":2: not valid YAML: expected a single document in the stream but found another"),
        ("a: 1\nb: *gone\n", ":2: not valid YAML: found undefined alias 'gone'"),
        ("a: 1\nb: !made {x: 3}\n", ":2: not valid YAML: could not determine a constructor for the tag '!made'"),
        ("a: !!python/object/apply:os.system [ls]\n", ":1: not valid YAML: could not determine a constructor"),
        ("name: a\nseeds: [1]\nname: b\n", ':3: duplicate key "name"; keep one of them'),
        ("train:\n  epochs: 1\n  epochs: 1\n", ':3: duplicate key "epochs"; keep one of them'),
        ("m:\n- simans: {a: 1, a: 1}\n", ':2: duplicate key "a"; keep one of them'),
        ("a: \x00\n", ": not valid YAML: "),
        (b"a: \xff\n", ":1: not UTF-8 text: invalid start byte; save it as UTF-8"),
        ("", ":1: expected a mapping of keys such as name, collection, encoder, methods"),
        ("# nothing but this\n", ":1: expected a mapping of keys such as"),
        ("- a\n- b\n", ":1: expected a mapping of keys such as"),
        ("just words\n", ":1: expected a mapping of keys such as"),
    ],
)
def test_what_is_no_mapping_is_refused_with_its_line(file: Path, text: str | bytes, expected: str) -> None:
    assert refusal(file, text).startswith(expected)


def test_data_in_place_of_a_grid_is_told_how_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "my faq.csv.gz"
    path.write_bytes(b"question,answer\n")
    with pytest.raises(InputError) as caught:
        Document.read(path)
    assert str(caught.value) == f"{path}: this is data, no grid file; write a grid for it with `negbench init '{path}'`"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml: no such file; give the path of a grid file"):
        Document.read(tmp_path / "gone.yaml")
    with pytest.raises(InputError, match="is a folder; give the path of a grid file"):
        Document.read(tmp_path)


@pytest.mark.parametrize(
    ("assignment", "key", "value"),
    [
        ("train.learning_rate=3e-5", ["train", "learning_rate"], 3e-5),
        ("train.epochs = 7", ["train", "epochs"], 7),
        ("seeds=[1, 2]", ["seeds"], [1, 2]),
        ("train={epochs: 9}", ["train"], {"epochs": 9}),
        ("new.deep.key=x", ["new", "deep", "key"], "x"),
        ("name=a=b", ["name"], "a=b"),
        ("name=", ["name"], None),
        ("methods=['simans(a=0.5, depth=100)']", ["methods"], ["simans(a=0.5, depth=100)"]),
        ("axes.train.epochs=[1, 2]", ["axes", "train.epochs"], [1, 2]),
    ],
)
def test_set_changes_one_key(file: Path, assignment: str, key: list[str], value: Any) -> None:
    document = read(file, TEXT)
    before = read(file, TEXT).data
    document.set(assignment)
    node = document.data
    for step in key:
        node = node[step]
    assert node == value
    assert type(node) is type(value)
    untouched = [name for name in before if name != key[0]]
    assert [document.data[name] for name in untouched] == [before[name] for name in untouched]
    assert document.where(assignment.partition("=")[0].strip().split(".")).startswith("--set ")
    assert document.where(["methods" if key[0] != "methods" else "flow"]).startswith(str(file))


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("epochs", "--set epochs: expected key=value, as in --set train.epochs=3"),
        ("=3", "--set =3: expected key=value, as in --set train.epochs=3"),
        ("seeds=[1", "--set seeds=[1: not valid YAML: while parsing a flow sequence"),
        ("x={a: 1, a: 2}", '--set x={a: 1, a: 2}: duplicate key "a"; keep one of them'),
        ("name.x=3", "--set name.x=3: name holds no keys, so name.x leads nowhere; set the whole of name"),
        ("methods.0=random", "--set methods.0=random: methods holds no keys, so methods.0 leads nowhere"),
    ],
)
def test_a_bad_assignment_is_refused(file: Path, assignment: str, expected: str) -> None:
    document = read(file, TEXT)
    with pytest.raises(InputError) as caught:
        document.set(assignment)
    assert str(caught.value).startswith(expected)
    assert document.data == read(file, TEXT).data


def test_a_mapping_that_was_made_by_hand_is_no_line_of_the_file(file: Path) -> None:
    document = read(file, TEXT)
    document.set("trian.epochs=2")
    assert document.where(["trian"]) == "--set trian"
    assert document.where(["train"]) == f"{file}:3: train"


def test_place_sets_a_dotted_key_in_place() -> None:
    data: dict[str, Any] = {"a": {"b": 1}, "d": 2}
    place(data, "a.c", 3, "here")
    place(data, "e.f.g", 4, "here")
    assert data == {"a": {"b": 1, "c": 3}, "d": 2, "e": {"f": {"g": 4}}}
    with pytest.raises(InputError, match=r"^here: d holds no keys, so d\.x leads nowhere"):
        place(data, "d.x", 5, "here")
