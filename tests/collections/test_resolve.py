from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from negbench.collections.beir import Beir
from negbench.collections.hub import Hub
from negbench.collections.ir_datasets import IrDatasets
from negbench.collections.pairs import Pairs
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.registry import registered


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder beside one that NEGBENCH_DATA names."""
    (tmp_path / "here/local").mkdir(parents=True)
    (tmp_path / "data/socks").mkdir(parents=True)
    (tmp_path / "data/local").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("NEGBENCH_DATA", str(tmp_path / "data"))
    return tmp_path


def test_every_form_of_text(here: Path) -> None:
    assert source_of("hub:mteb/scifact") == Hub(id="mteb/scifact")
    assert source_of("ir_datasets:beir/scifact") == IrDatasets(id="beir/scifact")
    assert source_of("beir(path=data, dev=0.2)") == Beir(path="data", dev=0.2)
    assert source_of("hub(id=a/b, revision=v1)") == Hub(id="a/b", revision="v1")
    assert source_of(str(here / "data/socks")) == Beir(path=str(here / "data/socks"))
    assert source_of("../data/socks") == Beir(path="../data/socks")
    assert source_of("socks") == Beir(path=str(here / "data/socks"))
    assert source_of(" local ") == Beir(path="local")  # a folder here goes before one under NEGBENCH_DATA


def test_files_and_datasets_are_pairs(here: Path) -> None:
    (here / "here/faq.csv").write_text("question,answer\na,b\n")
    (here / "data/other.csv").write_text("question,answer\na,b\n")
    (here / "data/saved").mkdir()
    (here / "data/saved/dataset_info.json").write_text("{}")
    (here / "data/split").mkdir()
    (here / "data/split/train.csv").write_text("question,answer\na,b\n")
    assert source_of("faq.csv") == Pairs(path="faq.csv")
    assert source_of({"pairs": "faq.csv", "dev": 0}) == Pairs(path="faq.csv", dev=0)
    assert source_of({"source": "faq.csv", "dev": 0}) == Pairs(path="faq.csv", dev=0)
    for name in ("other.csv", "saved", "split"):
        assert source_of(name) == Pairs(path=str(here / "data" / name)), name
    (here / "data/split/corpus.jsonl").write_text("")
    assert source_of("split") == Beir(path=str(here / "data/split"))


def test_a_part_without_parameters_is_its_name() -> None:
    for name, part in registered("collection").items():
        if not any(field.is_required() for field in part.model_fields.values()):
            assert source_of(name) == part()


def test_every_form_of_mapping(here: Path) -> None:
    assert source_of({"beir": {"path": "x", "test": 0}}) == Beir(path="x", test=0)
    truth = "extra/{split}.tsv"
    assert source_of({"source": "socks", "truth": truth}) == Beir(path=str(here / "data/socks"), truth=truth)
    assert source_of({"source": "beir(path=x, dev=0.2)", "test": 0}) == Beir(path="x", dev=0.2, test=0)
    assert source_of({"source": "beir(path=x, dev=0.2)", "dev": 0.3}) == Beir(path="x", dev=0.3)
    assert source_of({"source": "hub:a/b", "revision": "v1"}) == Hub(id="a/b", revision="v1")


@pytest.mark.parametrize(
    "value", ["socks", "hub:a/b", {"source": "local", "truth": "extra/{split}.3-2-1.tsv.gz", "dev": 0}]
)
def test_what_is_resolved_can_be_spelled_and_resolved_again(value: Any) -> None:
    source = source_of(value)
    assert source_of(source.spelling) == source


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("sokcs", "'sokcs' is no known source, no folder, and no folder under NEGBENCH_DATA ({}/data); did you"),
        ("zzzzzzzz", "give helpdesk, a folder, a file of pairs, a name under NEGBENCH_DATA, hub:ID or ir_datasets:ID"),
        ("", "'' is no known source"),
        ("hub:", "'hub:' has no id after the colon"),
        ("git:a/b", "'git:a/b' is no known source"),
        ("beir", "beir: path: is missing"),
        ("beir(path=x, dev=0.9)", "dev: expected less than 0.5, found 0.9"),
        ("beir(path=x", "has no closing bracket"),
        ({"beir": {"path": "x", "truth": "all.tsv"}}, "beir: truth: expected a path with {{split}} in it"),
        ({"beer": {"path": "x"}}, "beer: no collection is called 'beer'; did you mean beir?"),
        ({"beir": {"path": "x"}, "hub": {"id": "a/b"}}, "expected a name, name(key=value) or a mapping"),
        ({}, "expected a name, name(key=value) or a mapping"),
        ({"source": "hub:a/b", "truth": "x"}, "hub:a/b: no parameter of hub is called 'truth'; known"),
        ({"source": {"beir": {}}}, "source must be text"),
        (3, "found 3"),
        (None, "found None"),
    ],
)
def test_what_cannot_be_resolved_is_told_in_one_line(here: Path, value: Any, says: str) -> None:
    with pytest.raises(InputError) as caught:
        source_of(value)
    message = str(caught.value)
    assert message.startswith("collection")
    assert says.format(here) in message
    assert "\n" not in message


def test_a_near_name_is_named_once(here: Path) -> None:
    (here / "data/nfcorpus").mkdir()
    with pytest.raises(InputError) as caught:
        source_of("nfcorpuss")
    assert str(caught.value).count("nfcorpus or") + str(caught.value).count("nfcorpus?") == 1


@pytest.mark.parametrize(
    "mapping", [{"pairs": "faq.csv", "query": "my frage", "positive": "antwort"}, {"helpdesk": {"articles": 100}}]
)
def test_a_mapping_may_be_given_as_text(here: Path, mapping: dict[str, Any]) -> None:
    """As YAML in one line, of which JSON is a kind."""
    assert source_of(json.dumps(mapping)) == source_of(mapping)


def test_a_mapping_as_text_that_is_no_yaml_is_told_in_one_line() -> None:
    with pytest.raises(InputError, match=r"collection \{pairs: faq.csv: not valid YAML: "):
        source_of("{pairs: faq.csv")


def test_without_the_variable_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEGBENCH_DATA")
    with pytest.raises(InputError, match="NEGBENCH_DATA is not set"):
        source_of("socks")


def test_a_name_of_the_hub_with_a_folders_parameter_says_where_no_folder_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NEGBENCH_DATA")
    with pytest.raises(InputError, match=r"'truth'.*nfcorpus is hub:mteb/nfcorpus here.*NEGBENCH_DATA is not set"):
        source_of({"source": "nfcorpus", "truth": "extra.tsv"})


def test_resolving_loads_nothing_heavy() -> None:
    heavy = ("torch", "datasets", "ir_datasets", "pyarrow", "huggingface_hub")
    code = (
        "import sys; from negbench.collections.resolve import source_of; source_of('hub:a/b'); "
        f"sys.exit(', '.join(name for name in {heavy!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_names_of_beir_are_datasets_of_the_hub_unless_a_folder_is_called_so(here: Path) -> None:
    assert source_of("fiqa") == Hub(id="mteb/fiqa")
    assert source_of("webis-touche2020") == Hub(id="mteb/touche2020")
    assert source_of({"source": "arguana", "revision": "v1"}) == Hub(id="mteb/arguana", revision="v1")
    (here / "data/fiqa").mkdir()
    assert source_of("fiqa") == Beir(path=str(here / "data/fiqa"))
    (here / "here/fiqa").mkdir()
    assert source_of("fiqa") == Beir(path="fiqa")
