"""Files that are right, with a piece of them changed at random: they are read, or refused in one line a problem."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from case import grid
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import SOCKS
from remedies import REMEDY

from negbench.collections.resolve import source_of
from negbench.errors import InputError

GRID = grid(
    seeds="[0, 1]",
    train="\n  epochs: 2\n  learning_rate: 2e-5\n  lora: {rank: 8}",
    axes="\n  negatives: [1, 2]\n  start: {weak: {train.batch_size: 8}, strong: {train.batch_size: 16}}",
    estimators="[exact, {mixture: {}}]",
    baseline="in-batch",
)
NEGATIVES = "".join(
    json.dumps(
        {"query": f"query {at}", "pos": [f"right {at}"], "neg": [f"wrong {at}", f"bad {at}"], "neg_scores": [0.5, 0.25]}
    )
    + "\n"
    for at in range(4)
)
ANSWERS = "item,answer,annotator\n1,yes,ann\n2,no,ann\n3,unsure,bo\n4,yes,\n"
TABLE = "query\tpositive\tnegative\nwhere is red\tred sock\tblue sock\nwhere is blue\tblue sock\tred sock\n"

ODD = (
    *(
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\n",
        b"\t",
        b"\r",
        b"'",
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b"&a ",
        b"*a",
        b"<<: ",
    ),
    *(
        b"!!int ",
        b"!!binary ",
        b"2020-01-01",
        b"NaN",
        b"1e999",
        b"-1",
        b"null",
        b"[INST]",
        b"[/bold]",
        b"\x1b[31m",
        b"$",
        b"~",
        b"../",
    ),
    *(
        b"9" * 400,
        b"(" * 30,
        b"[" * 40,
        "\u2028".encode(),
        "\u202e".encode(),
        b"--- ",
        b"%YAML",
        b"# ",
        b": ",
        b",",
        b"- ",
    ),
)
"""Pieces that have a meaning to one of the readers, or to none."""


@st.composite
def changed(draw: st.DrawFn, text: str) -> bytes:
    """Return the text with up to three pieces cut, doubled, swapped, or replaced by something odd."""
    content = text.encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(len(content) - 1, 0)))
        end = min(start + draw(st.integers(0, 12)), len(content))
        how = draw(st.sampled_from(("cut", "doubled", "odd", "bytes", "end")))
        piece = content[start:end]
        inside = {
            "cut": b"",
            "doubled": piece * 2,
            "odd": draw(st.sampled_from(ODD)),
            "bytes": draw(st.binary(max_size=4)),
            "end": b"",
        }[how]
        content = content[:start] + inside + (b"" if how == "end" else content[end:])
    return content


fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, negbench: Callable[..., Any]) -> Path:
    """Return a folder beside ``shared``, which has a collection and an encoder's files, with a sheet in it."""
    root = tmp_path_factory.mktemp("fuzzed")
    for folder in ("shared", "here"):
        for name, content in SOCKS.items():
            assert isinstance(content, str)
            (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (root / folder / name).write_text(content)
    (root / "shared/weights").mkdir()
    (root / "shared/weights/model.safetensors").write_bytes(b"weights")
    (root / "shared/weights/config.json").write_text("{}")
    (root / "here/mined.jsonl").write_text(NEGATIVES)
    said = negbench("audit", "mined.jsonl", "--labels", "6", "--out", "sheet", cwd=root / "here")
    assert said.code == 0, said.err
    return root / "here"


def read_or_refused(said: Any) -> None:
    assert said.code in (0, 2), said
    assert "Traceback" not in said.err
    if said.code == 2:
        lines = [line for line in said.err.splitlines() if not line.startswith(("load ", "evaluate on "))]
        assert lines[0].startswith("negbench: ")
        assert all(re.search(REMEDY, line) for line in lines), lines


@fuzzed
@given(content=changed(GRID))
def test_grids(content: bytes, here: Path, negbench: Callable[..., Any]) -> None:
    (here / "grid.yaml").write_bytes(content)
    read_or_refused(negbench("plan", "grid.yaml", "--json", cwd=here))


@fuzzed
@given(content=changed(json.dumps({"grid": GRID, "assignments": ["seeds=[3]", "train.epochs=1"], "folder": "."})))
def test_manifests(content: bytes, here: Path, negbench: Callable[..., Any]) -> None:
    (here / "manifest.json").write_bytes(content)
    read_or_refused(negbench("plan", "manifest.json", "--json", cwd=here))


@fuzzed
@given(
    key=st.sampled_from(("seeds", "train.epochs", "methods", "encoder", "axes.negatives", "teacher")),
    content=changed("[simans(a=0.5, depth=100)]"),
)
def test_assignments(key: str, content: bytes, here: Path, negbench: Callable[..., Any]) -> None:
    (here / "right.yaml").write_text(grid())
    assignment = f"{key}={content.decode(errors='surrogateescape')}"
    read_or_refused(negbench("plan", "right.yaml", "--json", "--set", assignment, cwd=here))


@fuzzed
@given(content=changed(NEGATIVES))
def test_negatives_of_an_audit(content: bytes, here: Path, negbench: Callable[..., Any]) -> None:
    (here / "fuzzed.jsonl").write_bytes(content)
    read_or_refused(negbench("audit", "fuzzed.jsonl", "--json", cwd=here))


@fuzzed
@given(content=changed(ANSWERS))
def test_answers_of_an_audit(content: bytes, here: Path, negbench: Callable[..., Any]) -> None:
    (here / "answers.csv").write_bytes(content)
    read_or_refused(negbench("audit", "sheet", "--answers", "answers.csv", "--json", cwd=here))


@fuzzed
@given(data=st.data())
def test_designs_of_an_audit(data: st.DataObject, here: Path, negbench: Callable[..., Any]) -> None:
    copy = here / "edited"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(here / "sheet", copy)
    text = (copy / "design.json").read_text()
    (copy / "design.json").write_bytes(data.draw(changed(text)))
    answers = here / "some.csv"
    answers.write_text("item,answer\n1,yes\n2,no\n3,yes\n")
    read_or_refused(negbench("audit", "edited", "--answers", "some.csv", "--json", cwd=here))


def loaded_or_refused(path: Path) -> None:
    try:
        source = source_of(str(path))
        source.fingerprint()
        source.load()
        return
    except InputError as error:
        said = str(error)
    assert re.search(REMEDY, said), said
    assert "\n" not in said


@fuzzed
@given(name=st.sampled_from(sorted(SOCKS)), data=st.data())
def test_collections(name: str, data: st.DataObject, here: Path) -> None:
    copy = here / "changed"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(here / "socks", copy)
    path = copy / name.removeprefix("socks/")
    path.write_bytes(data.draw(changed(path.read_text())))
    loaded_or_refused(copy)


@fuzzed
@given(content=changed(TABLE))
def test_pairs(content: bytes, here: Path) -> None:
    path = here / "pairs.tsv"
    path.write_bytes(content)
    loaded_or_refused(path)
