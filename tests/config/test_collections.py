"""Several collections in a grid: ``collections``, which is the axis ``collection``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from negbench.collections.beir import Beir
from negbench.collections.helpdesk import Helpdesk
from negbench.config.grid import Grid, read
from negbench.errors import InputError

BASE: dict[str, Any] = {"name": "made", "encoder": "some", "methods": ["in-batch", "random"]}


def grid(collections: Any, **more: Any) -> Grid:
    return read({**BASE, "collections": collections, **more})


def labels(made: Grid) -> list[Any]:
    return [axes["collection"] for axes, _ in made.points]


def test_each_entry_is_a_point_and_may_change_keys_of_the_grid(tmp_path: Path) -> None:
    (tmp_path / "socks").mkdir()
    made = grid(
        [
            "helpdesk",
            {"source": str(tmp_path / "socks"), "grades": {1: 2, 2: 1}},
            {
                "collection": {"source": str(tmp_path / "socks"), "truth": "t/{split}.tsv"},
                "name": "socks-full",
                "train.max_length": 96,
                "train.epochs": 3,
                "split": "dev",
                "query_prompt": "query: ",
            },
        ],
        train={"epochs": 2, "learning_rate": 1e-4},
        axes={"negatives": [1, 2]},
    )
    assert labels(made) == ["helpdesk", "helpdesk", "socks", "socks", "socks-full", "socks-full"]
    assert [axes["negatives"] for axes, _ in made.points] == [1, 2] * 3
    first, graded, full = (settings for axes, settings in made.points if axes["negatives"] == 1)
    assert first.collection == Helpdesk()
    assert isinstance(graded.collection, Beir)
    assert graded.collection.grades == ((1, 2), (2, 1))
    assert (full.split, first.split) == ("dev", "test")
    assert (full.train.epochs, full.train.max_length.query, full.train.learning_rate) == (3, 96, 1e-4)
    assert (first.train.epochs, first.train.max_length.query) == (2, 256)
    assert (full.encoder.model, full.encoder.query_prompt) == ("some", "query: ")
    assert first.encoder.query_prompt is None


@pytest.mark.parametrize("encoder", ["some(keep_layers=2)", {"model": "some", "keep_layers": 2}])
def test_a_prompt_of_one_collection_leaves_the_encoder_as_it_is_written(encoder: Any) -> None:
    made = grid(["helpdesk", {"collection": "helpdesk", "name": "b", "document_prompt": "text: "}], encoder=encoder)
    plain, prompted = (settings.encoder for _, settings in made.points)
    assert prompted == plain.model_copy(update={"document_prompt": "text: "})
    assert plain.keep_layers == 2


def test_a_recipe_changes_its_keys_and_leaves_the_others() -> None:
    nested, dotted = (
        grid(["helpdesk", {"collection": "helpdesk", "name": "b", **own}], train={"learning_rate": 3e-4, "epochs": 2})
        for own in ({"train": {"epochs": 5, "max_length": {"query": 16, "document": 32}}},
                    {"train.epochs": 5, "train.max_length": {"query": 16, "document": 32}})
    )  # fmt: skip
    assert nested.points == dotted.points
    recipe = nested.points[1][1].train
    assert (recipe.learning_rate, recipe.epochs, recipe.max_length.query) == (3e-4, 5, 16)
    with pytest.raises(InputError, match=r"collections.1.train.epoch: no key is called 'epoch'"):
        grid(["helpdesk", {"collection": "helpdesk", "name": "b", "train": {"epoch": 5}}])


def test_a_list_a_mapping_and_an_axis_say_the_same() -> None:
    listed = grid(["helpdesk", {"collection": "helpdesk", "name": "b", "negatives": 2}])
    mapped = grid({"helpdesk": None, "b": {"collection": "helpdesk", "negatives": 2}})
    axis = {"helpdesk": "helpdesk", "b": {"collection": "helpdesk", "negatives": 2}}
    assert listed.points == mapped.points == read({**BASE, "axes": {"collection": axis}}).points


def test_names_are_those_of_folders() -> None:
    values = [
        "hub:mteb/fiqa",
        "ir_datasets:beir/arguana",
        {"hidden": {"collection": "helpdesk", "label_rate": 0.8}},
        "helpdesk(version=1)",
    ]
    assert labels(grid(values)) == ["fiqa", "arguana", "hidden-helpdesk", "helpdesk"]


@pytest.mark.parametrize(
    ("collections", "message"),
    [
        ([], "collections: expected at least one collection, found none"),
        ("helpdesk", "collections: expected a list of collections in [...], found 'helpdesk'"),
        (["helpdesk", "helpdesk"], "two collections are called helpdesk; name one of them"),
        (["helpdesk", {"collection": "hidden(collection=helpdesk)", "name": "helpdesk"}], "called helpdesk; name one"),
        ([3], "collections.0: expected a collection, or a mapping"),
        ([{"collection": "helpdesk", "name": "a/b"}], "expected a name of letters, digits"),
        ([{"collection": "helpdesk", "baseline": "random"}], "a grid has one baseline"),
        ([{"collection": "helpdesk", "epochs": 2}], "no key is called 'epochs' here; it is a key of train"),
        ([{"collection": "helpdesk", "train.epochs": 0}], "collections.0.train.epochs"),
        (["helpdsk", "helpdesk"], "did you mean helpdesk"),
    ],
)
def test_bad_ones_are_one_line(collections: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        grid(collections)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("other", [{"collection": "helpdesk"}, {"axes": {"collection": ["helpdesk"]}}])
def test_a_grid_says_it_once(other: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"grid: collections: the grid has (axes\.)?collection, too; give one of them"):
        grid(["helpdesk"], **other)


def test_a_mistake_has_its_line(tmp_path: Path) -> None:
    text = "name: made\nencoder: some\nmethods: [in-batch]\ncollections:\n  - helpdesk\n  - helpdsk\n"
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(InputError, match=r"grid.yaml:6: collections.1: 'helpdsk' is no known source"):
        read(tmp_path / "grid.yaml")


def test_the_command_line_may_list_them() -> None:
    made = read({**BASE, "collection": "helpdesk"}, ["axes.negatives=[1]"])
    assert labels(read({**BASE}, ["collections=[helpdesk, {collection: helpdesk(seed=1), name: b}]"])) == [
        "helpdesk",
        "b",
    ]
    assert "collection" not in made.points[0][0]


class TestPathsStartFromTheFolderOfTheGrid:
    @pytest.fixture(autouse=True)
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Stand above the folder ``study`` that the grid is in; ``socks`` is in both, two are in one."""
        for folder in ("study/socks", "socks", "study/near", "far"):
            (tmp_path / folder).mkdir(parents=True)
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("NEGBENCH_DATA", raising=False)
        return tmp_path

    def read(self, collection: str, *changes: str, manifest: str | None = None) -> Grid:
        text = f"name: made\nencoder: some\nmethods: [in-batch]\ncollection: {collection}\n"
        Path("study/grid.yaml").write_text(text)
        return read(Path("study/grid.yaml"), changes)

    @staticmethod
    def path(made: Grid) -> object:
        source = made.points[0][1].collection
        inner = source.parameters.get("collection", source)
        return inner.parameters["path"]

    @pytest.mark.parametrize(
        "written",
        ["near", "beir(path=near)", "{beir: {path: near}}", "{source: near, dev: 0}", "hidden(collection=near)"],
    )
    def test_in_every_form(self, written: str) -> None:
        made = self.read(written)
        assert (self.path(made), made.notes, made.folder) == ("study/near", (), "study")

    def test_it_goes_before_the_working_directory(self) -> None:
        assert self.path(self.read("socks")) == "study/socks"
        assert self.path(self.read("../socks")) == "study/../socks"

    @pytest.mark.parametrize("written", ["far", "beir(path=far)", "{source: far, dev: 0}"])
    def test_a_folder_of_the_working_directory_alone_is_read_and_told(self, written: str) -> None:
        made = self.read(written)
        assert self.path(made) == "far"
        (note,) = made.notes
        assert "no study/far beside the grid" in note
        assert note.endswith("write ../far")

    def test_what_is_typed_starts_from_the_working_directory(self) -> None:
        made = self.read("near", "collection=socks")
        assert (self.path(made), made.notes) == ("socks", ())
        assert self.path(self.read("near", "evaluate_on=[far]")) == "study/near"

    def test_a_manifest_starts_where_its_grid_did(self, tmp_path: Path) -> None:
        import json

        made = self.read("near")
        (tmp_path / "runs").mkdir()
        written = {"grid": made.text, "assignments": [], "folder": made.folder}
        (tmp_path / "runs/manifest.json").write_text(json.dumps(written))
        assert self.path(read(Path("runs/manifest.json"))) == "study/near"
        older = {"grid": made.text.replace("near", "far"), "assignments": []}
        (tmp_path / "runs/manifest.json").write_text(json.dumps(older))
        again = read(Path("runs/manifest.json"))
        assert (self.path(again), again.notes) == ("far", ())

    def test_a_mapping_in_python_starts_from_the_working_directory(self) -> None:
        made = read({**BASE, "collection": "far"})
        assert (self.path(made), made.folder) == ("far", None)
