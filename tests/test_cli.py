"""The commands: what they print, what they refuse, and that looking is instant."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_group

from negbench.cli import app
from negbench.methods import catalogue

GRID = """\
name: small
collection: {garden}
encoder: {encoder}
methods:
  - in-batch
  - random
  - simans: {{a: 0.5, scale: zscore}}
baseline: in-batch
seeds: [0, 1]
train: {{epochs: 1, precision: float32}}
"""


@pytest.fixture
def here(tmp_path: Path, tiny_encoder: Path, tiny_collection: Path) -> Path:
    """Return an empty folder but for ``grid.yaml``."""
    (tmp_path / "grid.yaml").write_text(GRID.format(garden=tiny_collection, encoder=tiny_encoder))
    return tmp_path


class TestLookingIsInstant:
    """No command that only looks may import what takes seconds."""

    def test_without_torch(self, here: Path) -> None:
        """One process for all of them: what one imports is there when the next one has ended."""
        commands = [
            ["--help"],
            ["run", "--help"],
            ["run", "missing.yaml"],
            ["schema"],
            ["parts"],
            ["methods"],
            ["methods", "simans"],
            ["plan", "grid.yaml"],
            ["plan", "grid.yaml", "--json", "--set", "train.epochs=3"],
        ]
        code = f"""
import sys
from negbench.cli import main
heavy = ["torch", "sentence_transformers", "transformers", "mlflow", "datasets", "ir_datasets", "pyarrow", "scipy"]
for arguments in {commands!r}:
    sys.argv = ["negbench", *arguments]
    code = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code or 0
    imported = [name for name in heavy if name in sys.modules]
    print("ended", *arguments, code, imported, file=sys.stderr)
"""
        fresh = {**os.environ, "NEGBENCH_STORE": ".negbench"}  # a stored collection would be read as Parquet
        found = subprocess.run(
            [sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False, env=fresh
        )
        ended = [line for line in found.stderr.splitlines() if line.startswith("ended ")]
        codes = [2 if "missing.yaml" in arguments else 0 for arguments in commands]
        expected = [" ".join(["ended", *it, str(code), "[]"]) for it, code in zip(commands, codes, strict=True)]
        assert ended == expected, found.stderr
        assert {path.name for path in here.iterdir()} == {"grid.yaml"}


class TestPlan:
    def test_trials_and_stages(self, here: Path, negbench: Callable[..., Any]) -> None:
        said = negbench("plan", "grid.yaml", "--json", cwd=here)
        assert said.code == 0
        plan = json.loads(said.out)
        simans = "simans"
        names = [
            "bm25-search",
            "start",
            *(f"{name} seed {at}" for at in (0, 1) for name in ("in-batch", "random", simans)),
        ]
        assert [trial["name"] for trial in plan["trials"]] == names
        keys = [stage["key"] for stage in plan["stages"]]
        assert len(set(keys)) == len(keys)
        for stage in plan["stages"]:
            assert stage["trials"] == sum(stage["key"] in trial["stages"] for trial in plan["trials"]) >= 1
            assert stage["stored"] is False
        kinds = [stage["kind"] for stage in plan["stages"]]
        assert kinds.count("training") == 6
        assert kinds.count("encoder") == kinds.count("collection") == 1
        assert [path.name for path in here.iterdir()] == ["grid.yaml"]

    def test_for_people(self, here: Path, negbench: Callable[..., Any]) -> None:
        said = negbench("plan", "grid.yaml", cwd=here)
        assert said.code == 0
        assert said.out.startswith("8 trials, ")
        assert "trainings left: 6 of 6" in said.out
        assert "are left to run" in said.out
        assert said.err == ""

    def test_set_changes_a_key(self, here: Path, negbench: Callable[..., Any]) -> None:
        plain = json.loads(negbench("plan", "grid.yaml", "--json", cwd=here).out)
        changes = ["--set", "seeds=[4]", "--set", "methods=[bm25]", "--set", "baseline=null"]
        changed = json.loads(negbench("plan", "grid.yaml", "--json", *changes, cwd=here).out)
        assert [trial["name"] for trial in changed["trials"]] == ["bm25-search", "start", "bm25 seed 4"]
        longer = json.loads(negbench("plan", "grid.yaml", "--json", "--set", "train.epochs=2", cwd=here).out)
        for kind, differs in (("training", True), ("negatives", True), ("pool", False), ("collection", False)):
            before, after = ({it["key"] for it in plan["stages"] if it["kind"] == kind} for plan in (plain, longer))
            assert (before != after) == differs, kind

    def test_the_place_of_the_files_has_no_say(
        self,
        here: Path,
        tiny_encoder: Path,
        tiny_collection: Path,
        tmp_path_factory: pytest.TempPathFactory,
        negbench: Callable[..., Any],
    ) -> None:
        import shutil

        other = tmp_path_factory.mktemp("moved")
        shutil.copytree(tiny_encoder, other / "weights")
        shutil.copytree(tiny_collection, other / "data")
        (other / "grid.yaml").write_text(GRID.format(garden="data", encoder="./weights"))
        first, second = (json.loads(negbench("plan", "grid.yaml", "--json", cwd=it).out) for it in (here, other))
        assert [stage["key"] for stage in first["stages"]] == [stage["key"] for stage in second["stages"]]


class TestListings:
    def test_methods(self, tmp_path: Path, negbench: Callable[..., Any]) -> None:
        listed = json.loads(negbench("methods", "--json", cwd=tmp_path).out)
        assert list(listed) == list(catalogue())
        assert {"in-batch", "random", "bm25", "rank-band", "simans", "denoised"} <= set(listed)
        for name, method in listed.items():
            assert method["name"] == name
            assert method["summary"]
        shown = negbench("methods", cwd=tmp_path).out
        assert all(name in shown for name in listed)

    def test_schema(self, tmp_path: Path, negbench: Callable[..., Any]) -> None:
        schema = json.loads(negbench("schema", cwd=tmp_path).out)
        assert schema["anyOf"][0]["required"] == ["name", "collection", "encoder", "methods"]
        assert {"seeds", "train", "axes", "baseline"} <= set(schema["properties"])

    @pytest.mark.parametrize("command", get_group(app).commands)
    def test_the_help_of_a_command_has_an_example(
        self, command: str, tmp_path: Path, negbench: Callable[..., Any]
    ) -> None:
        said = negbench(command, "--help", cwd=tmp_path)
        assert f"Example: negbench {command} " in " ".join(said.out.split())

    def test_without_a_command_there_is_help(self, tmp_path: Path, negbench: Callable[..., Any]) -> None:
        said = negbench(cwd=tmp_path)
        assert "evaluate" in said.out + said.err


class TestEvaluate:
    @pytest.fixture(scope="class")
    def place(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("evaluate")

    def test_bm25(self, place: Path, tiny_collection: Path, negbench: Callable[..., Any]) -> None:
        """A question about one kind of care of one plant shares at least the plant's name with its one answer."""
        said = negbench("evaluate", "--encoder", "bm25", "--collection", tiny_collection, "--json", cwd=place)
        assert said.code == 0
        found = json.loads(said.out)
        assert (found["encoder"], found["collection"], found["split"], found["queries"]) == (
            "bm25",
            "garden",
            "test",
            10,
        )
        assert list(found["metrics"]) == ["nDCG@10", "RR@10", "R@100", "AP", "Judged@10"]
        assert 0.3 < found["metrics"]["nDCG@10"] < 1
        assert found["metrics"]["R@100"] == 1
        assert said.err == ""

    def test_bm25_with_parameters(self, place: Path, tiny_collection: Path, negbench: Callable[..., Any]) -> None:
        digests = set()
        for encoder in ("bm25", "bm25(k1=0.1, b=0)"):
            said = negbench("evaluate", "--encoder", encoder, "--collection", tiny_collection, "--json", cwd=place)
            digests.add(json.loads(said.out)["digest"])
        assert len(digests) == 2

    def test_an_encoder(
        self, place: Path, tiny_encoder: Path, tiny_collection: Path, negbench: Callable[..., Any]
    ) -> None:
        """Against sentence-transformers and a sort, on dev and with a measure of the user's own."""
        import numpy as np
        from sentence_transformers import SentenceTransformer

        from negbench.collections.beir import Beir

        asked = ["evaluate", "--encoder", tiny_encoder, "--collection", tiny_collection, "--split", "dev"]
        asked += ["--precision", "float32", "--measures", "RR@60 nDCG@60"]
        said = negbench(*asked, "--json", cwd=place)
        found = json.loads(said.out)
        garden, model = Beir(path=str(tiny_collection)).load(), SentenceTransformer(str(tiny_encoder))
        documents = model.encode(garden.passages())
        reciprocal, ndcg = [], []
        for query, document in zip(garden.qrels["dev"].queries, garden.qrels["dev"].documents, strict=True):
            order = np.argsort(-(documents @ model.encode(garden.queries[query])), kind="stable")
            rank = order.tolist().index(int(document)) + 1
            reciprocal.append(1 / rank)
            ndcg.append(1 / np.log2(rank + 1))
        assert found["metrics"] == pytest.approx({"RR@60": np.mean(reciprocal), "nDCG@60": np.mean(ndcg)})
        assert found["queries"] == 6
        shown = negbench(*asked, "--measures", "RR@60 nDCG@60 AP", cwd=place)
        assert f"{np.mean(ndcg):.4f}" in shown.out
        assert "garden, dev, 6 queries" in shown.out
        assert shown.err == "evaluate on dev\n"  # its vectors were there


WRONG: dict[str, tuple[list[str], str]] = {
    "no such file": (["run", "missing.yaml"], "missing.yaml: no such file"),
    "a typing error in a key": (["plan", "grid.yaml", "--set", "trian.epochs=1"], "did you mean train?"),
    "an unknown method": (["plan", "grid.yaml", "--set", "methods=[simnas]"], "did you mean simans?"),
    "a value out of bounds": (["run", "grid.yaml", "--set", "train.epochs=0"], "train.epochs"),
    "a value that is no number": (["run", "grid.yaml", "--set", "negatives=some"], "negatives"),
    "an unknown collection": (["run", "grid.yaml", "--set", "collection=nowhere"], "'nowhere' is no known source"),
    "an unknown encoder": (["run", "grid.yaml", "--set", "encoder=./nowhere"], "'./nowhere': no such folder"),
    "an encoder nobody has": (["plan", "grid.yaml", "--set", "encoder=owner/nothing"], "'owner/nothing': not a folder"),
    "an assignment without a value": (["plan", "grid.yaml", "--set", "seeds"], "expected key=value"),
    "a baseline that is no method": (["plan", "grid.yaml", "--set", "baseline=bm25"], "not one of the methods"),
    "an unknown measure": (["plan", "grid.yaml", "--set", "measures=[nDGC@10]"], "nDGC@10"),
    "evaluate: an unknown collection": (["evaluate", "--encoder", "bm25", "--collection", "nowhere"], "'nowhere'"),
    "evaluate: an unknown encoder": (["evaluate", "--encoder", "./no", "--collection", "helpdesk"], "'./no'"),
    "evaluate: parameters of bm25": (["evaluate", "--encoder", "bm25(k1=x)", "--collection", "helpdesk"], "k1"),
    "evaluate: an open bracket": (["evaluate", "--encoder", "bm25(k1=", "--collection", "helpdesk"], "closing bracket"),
    "evaluate: parameters of an encoder": (
        ["evaluate", "--encoder", "m(reinit_layers=-1)", "--collection", "helpdesk"],
        "reinit_layers: expected at least 0, found -1",
    ),
    "evaluate: an unknown measure": (
        ["evaluate", "--encoder", "bm25", "--collection", "helpdesk", "--measures", "RR@10 nDGC@10"],
        "nDGC@10",
    ),
    "evaluate: no measure": (
        ["evaluate", "--encoder", "bm25", "--collection", "helpdesk", "--measures", ""],
        "--measures",
    ),
    "evaluate: an unknown precision": (
        ["evaluate", "--encoder", "ENCODER", "--collection", "helpdesk", "--precision", "float16"],
        "--precision: expected auto, float32 or bfloat16, found 'float16'",
    ),
    "evaluate: parameters of a collection": (
        ["evaluate", "--encoder", "bm25", "--collection", "helpdesk(articles=1)"],
        "articles",
    ),
}


class TestWhatIsRefused:
    @pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
    def test_one_line_code_2_nothing_written(
        self, here: Path, tiny_encoder: Path, negbench: Callable[..., Any], arguments: list[str], said: str
    ) -> None:
        arguments = [str(tiny_encoder) if argument == "ENCODER" else argument for argument in arguments]
        found = negbench(*arguments, cwd=here)
        assert found.code == 2
        assert found.out == ""
        (line,) = found.err.splitlines()
        assert line.startswith("negbench: ")
        assert said in line
        assert [path.name for path in here.iterdir()] == ["grid.yaml"]

    @pytest.mark.parametrize("command", ["run", "plan"])
    def test_a_grid_s_errors_have_file_and_line(self, here: Path, command: str, negbench: Callable[..., Any]) -> None:
        text = (here / "grid.yaml").read_text().replace("epochs: 1", "epochs: one")
        (here / "grid.yaml").write_text(text)
        found = negbench(command, "grid.yaml", cwd=here)
        line = 1 + text.splitlines().index("train: {epochs: one, precision: float32}")
        assert found.code == 2
        assert found.err.startswith(f"negbench: grid.yaml:{line}: train.epochs: ")
        assert len(found.err.splitlines()) == 1

    def test_a_collection_s_errors_have_file_and_line(
        self, here: Path, tiny_collection: Path, negbench: Callable[..., Any]
    ) -> None:
        import shutil

        shutil.copytree(tiny_collection, here / "data")
        lines = (here / "data/corpus.jsonl").read_text().splitlines()
        lines[6] = lines[6][:-9]
        (here / "data/corpus.jsonl").write_text("\n".join(lines))
        for place, *arguments in (
            ["--set collection: ", "run", "grid.yaml", "--set", "collection=data"],
            ["", "evaluate", "--encoder", "bm25", "--collection", "data"],
        ):
            found = negbench(*arguments, cwd=here)
            assert found.code == 2
            assert found.err.splitlines()[-1].startswith(f"negbench: {place}data/corpus.jsonl:7: ")
            assert "Traceback" not in found.err
            assert not (here / "runs").exists()
            assert not list((here / ".negbench/collection").glob("*"))

    def test_a_split_that_is_not_there(self, here: Path, tiny_collection: Path, negbench: Callable[..., Any]) -> None:
        found = negbench("evaluate", "--encoder", "bm25", "--collection", tiny_collection, "--split", "exam", cwd=here)
        assert found.code == 2
        (*_, line) = found.err.splitlines()
        assert line == "negbench: --split exam: garden has no such split; give one of dev, test, train"

    def test_a_split_by_the_name_of_its_file(
        self, here: Path, tiny_collection: Path, negbench: Callable[..., Any]
    ) -> None:
        shutil.copytree(tiny_collection, here / "data")
        (here / "data/qrels/dev.tsv").rename(here / "data/qrels/validation.tsv")
        command = ("evaluate", "--encoder", "bm25", "--collection", "data", "--json", "--split")
        by_file, by_name = (json.loads(negbench(*command, split, cwd=here).out) for split in ("validation", "dev"))
        assert by_file["metrics"] == by_name["metrics"]

    def test_options_that_do_not_exist(self, here: Path, negbench: Callable[..., Any]) -> None:
        for arguments in (["run", "grid.yaml", "--seeds", "3"], ["evaluate", "--encoder", "bm25"], ["frobnicate"]):
            found = negbench(*arguments, cwd=here)
            assert found.code == 2
            assert "Traceback" not in found.err


def test_it_is_installed_as_a_command(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("negbench")
    if not command.exists():
        pytest.skip("negbench is not installed beside this Python")
    found = subprocess.run(
        [command, "run", "missing.yaml"], cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "negbench: missing.yaml: no such file; give the path of a grid file\n"


def test_the_version_is_that_of_the_package(negbench: Callable[..., Any], tmp_path: Path) -> None:
    said = negbench("--version", cwd=tmp_path)
    assert (said.code, said.out) == (0, f"negbench {version('negbench')}\n")


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "negbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"negbench {version('negbench')}\n"
