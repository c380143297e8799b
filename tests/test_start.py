"""The commands to begin with: init, quickstart, completion; and examples and suggestions of all commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_group

import negbench as nb
from negbench.cli import app

Command = Callable[..., Any]
GROUP = get_group(app)


def _commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in GROUP.commands.items():
        yield (name,), command
        for inner, one in getattr(command, "commands", {}).items():
            yield (name, inner), one


@pytest.mark.parametrize(("names", "command"), [pytest.param(*it, id=" ".join(it[0])) for it in _commands()])
def test_the_help_has_an_example_that_is_understood(names: tuple[str, ...], command: Any) -> None:
    (example,) = re.findall(r"^\s*Example: (negbench .+)$", command.help, re.MULTILINE)
    words = shlex.split(example.partition(" > ")[0])[1:]
    assert tuple(words[: len(names)]) == names
    context = GROUP.make_context("negbench", words)
    _, found, rest = GROUP.resolve_command(context, words)
    for _ in names[1:]:
        context = found.make_context(rest[0], rest, parent=context)
        _, found, rest = found.resolve_command(context, rest)
    if not hasattr(found, "commands"):
        found.make_context(names[-1], rest, parent=context)  # raises where an option or a value is none of its own


def test_every_summary_fits_into_the_list(negbench: Command, tmp_path: Path) -> None:
    listed = negbench("--help", cwd=tmp_path).out.partition("Commands:")[2]
    assert "..." not in listed.replace("losses, ...", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("advize", "helpdesk"), "Did you mean 'advise'?"),
        (("store", "siz"), "Did you mean 'size'?"),
        (("methods", "simnas"), "did you mean simans?"),
        (("parts", "samplr"), "did you mean sampler"),
        (("quickstart", "--plan", "--set", "sedes=[0]"), "did you mean seeds"),
        (("completion", "tcsh"), "'bash', 'zsh', 'fish'"),
    ],
)
def test_the_nearest_name_is_suggested(
    arguments: tuple[str, ...], said: str, negbench: Command, tmp_path: Path
) -> None:
    found = negbench(*arguments, cwd=tmp_path)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert not list(tmp_path.iterdir())


def test_help_is_printed_before_anything_is_loaded(tmp_path: Path) -> None:
    code = """
import sys
sys.argv = ["negbench", *sys.argv[1:]]
from negbench.cli import main
try:
    main()
finally:
    slow = ["rich", "pydantic", "numpy", "importlib.metadata", "negbench.api", "negbench.registry"]
    print("imported:", [name for name in slow if name in sys.modules], file=sys.stderr)
"""
    for arguments in (["--help"], ["run", "--help"], ["quickstart", "--help"]):
        command = [sys.executable, "-c", code, *arguments]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert found.stderr == "imported: []\n"


class TestQuickstart:
    def test_the_plan_runs_outside_of_a_checkout(self, negbench: Command, tmp_path: Path) -> None:
        said = negbench("quickstart", "--plan", "--set", "seeds=[0]", "--json", cwd=tmp_path)
        assert said.code == 0, said.err
        planned = json.loads(said.out)
        assert [it["name"] for it in planned["trials"]][:4] == ["bm25-search", "start", "untouched", "in-batch seed 0"]
        assert not list(tmp_path.iterdir())

    def test_it_runs(self, tiny_encoder: Path, tmp_path: Path, negbench: Command) -> None:
        small = [f"encoder={tiny_encoder}", "collection=helpdesk(articles=100, queries=24, dev=6, test=12)"]
        small += ["methods=[in-batch, bm25]", "seeds=[0]", "train.max_length=16", "train.epochs=1"]
        sets = [word for one in small for word in ("--set", one)]
        said = negbench("quickstart", *sets, "--out", "results", "--workers", "1", cwd=tmp_path)
        assert said.code == 0, said.err
        assert "results in results;" in said.out
        assert [row.method for row in _rows(tmp_path / "results")] == [
            "bm25-search",
            "start",
            "untouched",
            "in-batch",
            "bm25",
        ]
        manifest = json.loads((tmp_path / "results/manifest.json").read_text())
        assert manifest["command"][:2] == ["negbench", "quickstart"]


def _rows(folder: Path) -> list[Any]:
    from negbench.report.rows import Row

    return [Row(**row) for row in json.loads((folder / "results.json").read_text())["rows"]]


class TestInit:
    def test_it_writes_a_grid_that_can_be_planned(
        self, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path, negbench: Command
    ) -> None:
        command = ("init", tiny_collection, "--encoder", tiny_encoder)
        said = negbench(*command, cwd=tmp_path)
        assert said.code == 0, said.err
        text = (tmp_path / "garden.yaml").read_text()
        assert text in said.out
        assert "negbench run garden.yaml" in said.out
        assert "The grid takes very roughly" in said.out
        assert "Each training has about 40 steps." in said.out  # 48 pairs, 2 steps an epoch, 20 epochs
        assert "warning: 10 test queries" in said.out
        advised = nb.advise(tiny_collection, encoder=tiny_encoder, timing=False, store=tmp_path / ".negbench")
        assert advised.grid == text
        assert all(re.search(r" # \w", line) for line in text.splitlines())
        assert YAML(typ="safe", pure=True).load(text)["collection"] == str(tiny_collection)
        assert negbench("plan", "garden.yaml", cwd=tmp_path).code == 0
        again = negbench(*command, cwd=tmp_path)
        assert (again.code, again.out) == (2, "")
        assert "garden.yaml: exists already" in again.err
        assert (tmp_path / "garden.yaml").read_text() == text

    def test_of_a_file(self, tiny_encoder: Path, tmp_path: Path, negbench: Command) -> None:
        rows = [f"how do i care for plant {it},water plant number {it} once a day" for it in range(40)]
        (tmp_path / "faq.csv").write_text("question,answer\n" + "\n".join(rows) + "\n")
        said = negbench("init", "faq.csv", "--encoder", tiny_encoder, "--no-timing", "--out", "mine.yaml", cwd=tmp_path)
        assert said.code == 0, said.err
        assert "very roughly" not in said.out
        assert negbench("plan", "mine.yaml", cwd=tmp_path).code == 0

    def test_columns_of_other_names(self, tiny_encoder: Path, tmp_path: Path, negbench: Command) -> None:
        """The message holds a command that works as it stands; so does the form of a grid."""
        rows = [f"how do i care for plant {it},water plant number {it} once a day" for it in range(40)]
        (tmp_path / "my faq.csv").write_text("frage,antwort\n" + "\n".join(rows) + "\n")
        options = ("--encoder", tiny_encoder, "--no-timing")
        refused = negbench("init", "my faq.csv", *options, cwd=tmp_path)
        assert (refused.code, refused.out) == (2, "")
        line = refused.err.splitlines()[-1]
        assert "no column is known among frage, antwort" in line
        (command,) = re.findall(r"`(negbench init [^`]+)`", line)
        said = negbench(*shlex.split(command)[1:], *options, cwd=tmp_path)
        assert said.code == 0, said.err
        assert "negbench plan 'my faq.yaml' shows" in said.out
        form = "{pairs: my faq.csv, query: frage, positive: antwort}"
        said = negbench("init", form, *options, "--out", "second.yaml", cwd=tmp_path)
        assert said.code == 0, said.err
        first, second = (YAML(typ="safe", pure=True).load(tmp_path / name) for name in ("my faq.yaml", "second.yaml"))
        assert second["collection"] == {"pairs": "my faq.csv", "query": "frage", "positive": "antwort"}
        assert first["collection"] == 'pairs(path="my faq.csv", query=frage, positive=antwort)'
        for name in ("my faq.yaml", "second.yaml"):
            assert negbench("plan", name, cwd=tmp_path).code == 0
        measured = negbench(
            "evaluate", "--encoder", "bm25", "--collection", form, "--split", "train", "--json", cwd=tmp_path
        )
        assert measured.code == 0, measured.err

    def test_of_more_columns_none_is_guessed(self, negbench: Command, tmp_path: Path) -> None:
        (tmp_path / "faq.csv").write_text("frage,antwort,thema\na,b,c\n")
        refused = negbench("init", "faq.csv", "--encoder", "all-MiniLM-L6-v2", cwd=tmp_path)
        assert "among frage, antwort, thema" in refused.err
        assert "negbench init 'pairs(path=faq.csv, query=QUERY, positive=POSITIVE)'" in refused.err

    @pytest.mark.parametrize(
        ("given", "stem"),
        [
            ("faq.csv", "faq"),
            ("data/faq.jsonl.gz", "faq"),
            ("mine/", "mine"),
            ("hub:mteb/scifact", "scifact"),
            ("mteb/scifact", "scifact"),
            ("helpdesk(articles=100)", "helpdesk"),
            ("pairs(path=data/faq.csv, query=frage, positive=antwort)", "faq"),
            ("{pairs: faq.csv, query: frage, positive: antwort}", "faq"),
            ("{pairs: hub:somebody/faq}", "faq"),
            ("{helpdesk: {articles: 100}}", "helpdesk"),
            ('pairs(path="my faq.csv")', "my faq"),
            ("ir_datasets:beir/nfcorpus/test", "test"),
        ],
    )
    def test_the_name_of_the_file(self, given: str, stem: str) -> None:
        from negbench.api.advice import grid_name

        assert grid_name(given) == stem

    def test_what_is_no_path_is_an_id_on_the_hub(self, negbench: Command, tmp_path: Path) -> None:
        found = negbench("init", "somebody/nothing", "--encoder", "all-MiniLM-L6-v2", cwd=tmp_path)
        assert found.code == 2
        first, *_, last = found.err.splitlines()
        assert first == "there is no somebody/nothing here, so it is looked up on the hub"
        assert last.startswith("negbench: ")
        assert not list(tmp_path.glob("*.yaml"))

    def test_nobody_is_asked_without_a_terminal(self, tmp_path: Path) -> None:
        code = "import sys; from negbench.cli import main; sys.argv = ['negbench', 'init']; main()"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("negbench: init: expected a collection")

    def test_a_terminal_is_asked(self, tiny_encoder: Path, tmp_path: Path) -> None:
        """The answer is what is looked for; what is here is offered, and the first of it is the default."""
        pty = pytest.importorskip("pty")
        (tmp_path / "garden").mkdir()
        (tmp_path / "garden/corpus.jsonl").touch()
        (tmp_path / "faq.csv").touch()
        (tmp_path / "notes.txt").touch()
        code = "import sys; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"
        command = [sys.executable, "-c", code, "init", "--encoder", str(tiny_encoder)]
        ours, theirs = pty.openpty()
        process = subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
        os.write(ours, b"nowhere\n")
        out, _ = process.communicate(timeout=120)
        asked = os.read(ours, 10000).decode()
        os.close(theirs)
        os.close(ours)
        assert (process.returncode, out) == (2, b"")
        assert "Here are: garden, faq.csv" in asked
        assert "(garden)" in asked
        assert "'nowhere' is no known source" in " ".join(asked.split())


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_a_script_is_printed(self, shell: str, negbench: Command, tmp_path: Path) -> None:
        said = negbench("completion", shell, cwd=tmp_path)
        assert said.code == 0
        assert f"_NEGBENCH_COMPLETE=complete_{shell}" in said.out

    @pytest.mark.parametrize(
        ("line", "wanted"), [("negbench qui", {"quickstart"}), ("negbench run --mo", {"--models"})]
    )
    def test_bash_gets_the_names(self, line: str, wanted: set[str]) -> None:
        code = "import sys; from negbench.cli import main; sys.argv = ['negbench']; main()"
        asked = {"_NEGBENCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=True
        )
        assert set(done.stdout.split()) == wanted
