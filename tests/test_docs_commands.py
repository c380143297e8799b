"""Every command that a block of the documentation shows is run, on small stand-ins for what it names."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from negbench import tracking

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "results").rglob("README.md")),
    *sorted((ROOT / "experiments").rglob("README.md")),
    ROOT / "benchmarks/README.md",
]
WALKS = ROOT / "docs/walks.md"
COMMAND = re.compile(r"^(?:negbench|make|python|pip|ray|torchrun|mlflow|export) .*$", re.MULTILINE)

NOT_RUN = {
    "make ": "installs, builds, or takes minutes: CI calls the same targets",
    "pip install": "installs from an index",
    "python -m build": "tests/test_packaging.py builds",
    "python -m benchmarks": "tests/test_benchmarks.py runs them in their small form",
    "export NEGBENCH_DATA": "collections of the reader's",
    "export AWS_": "an account of the reader's: tests/store/test_s3.py runs a grid on a server of its own",
    "export NEGBENCH_STORE": "a bucket of the reader's",
    "export NEGBENCH_CACHE": "a folder of the reader's",
    "mlflow ui": "a server of MLflow's",
    "ray start": "tests/executors/test_on_ray.py starts Ray",
    "negbench run grid.yaml --runner ray": "tests/executors/test_on_ray.py runs a grid on Ray",
    "negbench run grid.yaml --workers": "tests/executors/test_workers.py runs a grid in several processes",
    "torchrun": "tests/faults/test_torchrun.py starts it",
    "negbench run grid.yaml --push": "uploads: tests/runners/test_models.py has a hub of its own",
    "negbench audit grid.yaml --label --collection": "of several collections: tests/api/test_audited_report.py",
    "negbench report grid.yaml --audit audits/grid --audit": "of several collections: as above",
    "negbench audit audits/mined --serve": "waits for a person: tests/audit/test_serve.py labels in it",
    "negbench reproduce all": "trains for hours: tests/papers/test_reproduce.py runs a small paper",
    "negbench reproduce ance": "trains for minutes: tests/papers/test_reproduce.py runs a small paper",
}
"""Beginnings of the commands that are not run here, and why."""

HELPDESK = "helpdesk(articles=100, queries=24, dev=6, test=12)"
SMALL = ["seeds=[0]", "train.epochs=1", "train.max_length=16", "train.batch_size=8", "methods=[in-batch, bm25]"]
GRID = f"""\
name: grid
collection: {HELPDESK}
encoder: tiny
methods: [in-batch, simans]
seeds: [0]
negatives: 2
baseline: in-batch
train: {{epochs: 1, batch_size: 8, max_length: 16, precision: float32}}
"""
PAPER = """\
title: How gardens grow
authors: Mint and Basil
year: 2020
arxiv: "2001.00001"
reported:
  table-1: {place: Table 1, data: Garden, metric: R@100, values: {bm25: 1.0}}
"""
EXPECT = """\
evaluations: {lexical: {encoder: bm25, collection: mine}}
statements:
  found: {says: R@100(lexical) between 0.5 and 1, answers: table-1, differs: the data, fair: true}
"""

Command = Callable[..., Any]


def commands(page: Path) -> list[str]:
    """Return the commands of a page's blocks in order, without their comments."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for language, block in blocks if language in ("", "bash") for line in COMMAND.findall(block)]
    return [shlex.join(shlex.split(line, comments=True)) for line in lines]


def is_run(command: str) -> bool:
    return not command.startswith(tuple(NOT_RUN))


def small(command: str) -> list[str]:
    """Return the words of a command with stand-ins for what is large, and with settings that make it quick."""
    named = {"helpdesk": HELPDESK, "results/scifact": "runs/before"}
    named |= {f"{folder}/manifest.json": f"{place}/manifest.json" for folder, place in named.items()}
    words = [named.get(word, word) for word in shlex.split(command)[1:]]
    if words[0] in ("init", "mine") and "--encoder" not in words:
        words += ["--encoder", "tiny"]
    sets = []
    if words[:2] == ["run", "faq.yaml"]:
        sets = SMALL
    elif words == ["quickstart"]:
        words += ["--workers", "1"]  # a process of its own takes seconds to start
        sets = [*SMALL, "encoder=tiny", f"collection={HELPDESK}"]
    elif words[0] == "repair":
        sets = ['axes.repair=[null, replaced, "injected(rate=0.3)"]']
    return [*words, *(word for one in sets for word in ("--set", one))]


def before(command: str, place: Path) -> None:
    """Do what a person does between commands: answer a sheet, and export what a tool was labelled in."""
    folder = place / ("audits/grid" if "audits/grid" in command else "audits/mined")
    if command.startswith("negbench audit audits/mined --answers"):
        asked = json.loads((folder / "label_studio.json").read_text())
        least = [{**it["data"], "id": at, "answer": "no", "annotator": 7} for at, it in enumerate(asked, 1)]
        (place / command.split()[-1]).write_text(json.dumps(least))
    elif command in ("negbench audit audits/mined", "negbench report grid.yaml --audit audits/grid"):
        sheet = pd.read_csv(folder / "sheet.csv", encoding="utf-8-sig", dtype=str, keep_default_na=False)
        sheet["answer"] = ["yes" if at % 5 == 0 else "no" for at in range(len(sheet))]
        sheet.to_csv(folder / "sheet.csv", index=False, encoding="utf-8-sig")
    elif "audits/mined" not in command and "--label" in command and folder.exists():
        shutil.rmtree(folder)  # a page that begins anew


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow has tests of its own."""
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all pages, since they run the same grid."""
    return tmp_path_factory.mktemp("pages") / "store"


@pytest.fixture
def place(tmp_path: Path, tiny_encoder: Path, tiny_collection: Path) -> Path:
    """Return a folder with all that pages name."""
    for name, made in (("tiny", tiny_encoder), ("my-model", tiny_encoder), ("mine", tiny_collection)):
        shutil.copytree(made, tmp_path / name)
    with (tmp_path / "faq.csv").open("w", newline="") as file:
        rows = [(f"how do i care for plant {at}", f"water plant number {at} once a day") for at in range(40)]
        csv.writer(file).writerows([("question", "answer"), *rows])
    (tmp_path / "grid.yaml").write_text(GRID)
    mined = [
        {"query": f"query {at}", "pos": [f"positive {at}"], "neg": [f"document {at} {rank}" for rank in range(5)]}
        for at in range(40)
    ]
    (tmp_path / "mined.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mined))
    paper = tmp_path / "my-papers/mine"
    paper.mkdir(parents=True)
    (paper / "paper.yaml").write_text(PAPER)
    (paper / "expect.yaml").write_text(EXPECT.replace("collection: mine", f"collection: {tmp_path / 'mine'}"))
    return tmp_path


RUN = {page: [it for it in commands(page) if is_run(it)] for page in PAGES if page != WALKS}


@pytest.mark.parametrize("page", [it for it, found in RUN.items() if found], ids=lambda it: str(it.relative_to(ROOT)))
def test_the_commands_of_a_page_run(page: Path, place: Path, negbench: Command, stored: Path) -> None:
    if any("runs/before" in " ".join(small(command)) for command in RUN[page]):
        for name in ("before", "after"):
            done = negbench("run", "grid.yaml", "--out", f"runs/{name}", cwd=place, store=stored)
            assert done.code == 0, done.err
    for command in RUN[page]:
        before(command, place)
        words = small(command)
        out = words[words.index("--out") + 1] if "--out" in words else None
        if out is not None and words[0] == "mine" and (place / out).exists():
            (place / out).unlink()
        said = negbench(*words, cwd=place, store=stored)
        assert said.code == 0, f"{command}: {said.err}"
        assert out is None or (place / out).exists(), command


def test_what_is_not_run_is_run_elsewhere() -> None:
    shown = [command for page in PAGES for command in commands(page)]
    for beginning, why in NOT_RUN.items():
        assert any(command.startswith(beginning) for command in shown), f"{beginning}: no page shows it any more"
        for file in re.findall(r"tests/[\w/]+\.py", why):
            assert (ROOT / file).exists(), file
