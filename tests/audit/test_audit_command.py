"""The command from a file, or a grid, to an estimate; and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from negbench.config.grid import read
from negbench.plan.trials import trials
from negbench.stages.evaluation.false_negatives import read_rates
from negbench.store import Store
from negbench.teachers.llm import LanguageModel
from negbench.types import Float32

GRID = """
name: small
collection: helpdesk(articles=100, queries=24, dev=6, test=12)
encoder: {encoder}
methods: [in-batch, random, bm25]
seeds: [0, 1]
negatives: 3
train: {{epochs: 2, batch_size: 8, precision: float32}}
"""
RELEVANT = 3
"""The negative of every query that is relevant in truth, by rank."""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return a folder with the negatives of 40 queries, five each."""
    rows = [
        {"query": f"query {at}", "pos": [f"positive {at}"], "neg": [f"document {at} {rank}" for rank in range(5)]}
        for at in range(40)
    ]
    (tmp_path / "mined.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def answer(folder: Path) -> None:
    """Fill the sheet in as the truth has it."""
    with (folder / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "sheet.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            said = "yes" if row["document"].endswith(f" {RELEVANT}") else "no"
            writer.writerow({**row, "answer": said})


class TestFile:
    def test_what_may_not_be_meant_is_told(self, here: Path, negbench: Callable[..., Any]) -> None:
        rows = (here / "mined.jsonl").read_text().replace('"document 7 2"', '""')
        (here / "mined.jsonl").write_text(rows)
        said = "1 of 200 negatives have no text and are left out"
        assert f"mined: {said}" in negbench("audit", "mined.jsonl", cwd=here).out.splitlines()
        (found,) = json.loads(negbench("audit", "mined.jsonl", "--json", cwd=here).out)["methods"]
        assert (found["warnings"], found["negatives"]) == ([said], 199)

    def test_a_number_of_labels_wins_over_the_usual_one(self, here: Path, negbench: Callable[..., Any]) -> None:
        drawn = negbench("audit", "mined.jsonl", "--label", "--labels", "60", cwd=here)
        assert drawn.code == 0, drawn.err
        assert "asks about 60 pairs" in drawn.out

    def test_from_a_look_to_an_estimate(self, here: Path, negbench: Callable[..., Any]) -> None:
        look = negbench("audit", "mined.jsonl", cwd=here)
        assert look.code == 0
        assert "mined" in look.out
        assert {path.name for path in here.iterdir()} == {"mined.jsonl"}  # looking writes nothing
        drawn = negbench("audit", "mined.jsonl", "--labels", "60", cwd=here)
        assert drawn.code == 0
        assert "asks about 60 pairs, 12 of them twice" in drawn.out
        waiting = negbench("audit", "audits/mined", cwd=here)
        assert "an estimate needs at least two pairs" in waiting.out
        answer(here / "audits/mined")
        for path in ("audits/mined", "mined.jsonl"):
            found = json.loads(negbench("audit", path, "--json", cwd=here).out)
            (method,) = found["estimate"]["methods"]
            assert method["method"] == "mined"
            assert method["low"] <= 0.2 <= method["high"]
            assert found["estimate"]["labels"] == 60
            assert found["estimate"]["agreement"] == {"pairs": 12, "equal": 1.0, "kappa": 1.0}
        said = negbench("audit", "audits/mined", cwd=here)
        assert said.code == 0
        assert "60 of the 60 drawn pairs are answered with yes or no." in said.out

    def test_how_concentrated_the_weight_is(self, here: Path, negbench: Callable[..., Any]) -> None:
        """One of 40 queries with 61 rows, as it has 61 positives: 61 of 100 rows; 100^2 / (61^2 + 39) equal queries."""
        rows = (here / "mined.jsonl").read_text().splitlines()
        (here / "mined.jsonl").write_text("\n".join([*rows, *rows[:1] * 60]) + "\n")
        (method,) = json.loads(negbench("audit", "mined.jsonl", "--json", cwd=here).out)["methods"]
        assert method["queries"] == 40
        assert method["heaviest_queries"] == pytest.approx(0.61)
        assert method["effective_queries"] == pytest.approx(100**2 / (61**2 + 39))
        said = " ".join(negbench("audit", "mined.jsonl", cwd=here).out.split())
        assert "mined: the 1 % of queries with most negatives (1 of 40) have 61.0 % of all negatives; " in said
        assert "the effective number of queries is 3 (Kish)." in said

    def test_a_look_at_other_negatives_of_the_same_name(self, here: Path, negbench: Callable[..., Any]) -> None:
        negbench("audit", "mined.jsonl", "--labels", "60", cwd=here)
        text = (here / "mined.jsonl").read_text()
        (here / "mined.jsonl").write_text(text.replace("document 7", "document seven"))
        found = negbench("audit", "mined.jsonl", cwd=here)
        assert found.code == 0
        assert "audits/mined has a sheet for other negatives" in found.out
        assert negbench("audit", "mined.jsonl", "--serve", cwd=here).code == 2

    def test_answers_of_ones_own(self, here: Path, negbench: Callable[..., Any]) -> None:
        negbench("audit", "mined.jsonl", "--labels", "60", cwd=here)
        items = [json.loads(line) for line in (here / "audits/mined/items.jsonl").read_text().splitlines()]
        grades = [{"item": item["item"], "grade": 3 if item["document"].endswith(" 3") else 1} for item in items]
        (here / "llm.jsonl").write_text("".join(json.dumps(line) + "\n" for line in grades))
        found = json.loads(negbench("audit", "audits/mined", "--answers", "llm.jsonl", "--json", cwd=here).out)
        assert found["estimate"]["methods"][0]["rate"] == pytest.approx(0.2, abs=0.1)
        assert json.loads(negbench("audit", "audits/mined", "--json", cwd=here).out)["estimate"] is None

    def test_two_annotators(self, here: Path, negbench: Callable[..., Any]) -> None:
        negbench("audit", "mined.jsonl", "--labels", "60", cwd=here)
        items = [json.loads(line) for line in (here / "audits/mined/items.jsonl").read_text().splitlines()]
        rows = ["item,answer,annotator"]
        for item in items:
            right = "yes" if item["document"].endswith(f" {RELEVANT}") else "no"
            rows += [f"{item['item']},{right},ann", f"{item['item']},{'unsure' if right == 'yes' else 'no'},bo"]
        (here / "both.csv").write_text("\n".join(rows) + "\n")
        arguments = ["audit", "audits/mined", "--answers", "both.csv"]
        found = json.loads(negbench(*arguments, "--json", cwd=here).out)["estimate"]
        assert found["agreement"] == {"pairs": 24, "equal": 1.0, "kappa": 1.0}
        (both,) = found["annotators"]
        assert (both["first"], both["second"], both["pairs"]) == ("ann", "bo", 60)
        assert (found["unsure"], found["differing"], found["labels"]) == (0, 0, 60)
        said = " ".join(negbench(*arguments, cwd=here).out.split())
        assert "Annotators disagree on 0 pairs: the majority counts, and in a tie the first answer." in said
        assert "Agreement of repeated answers of one annotator: 100 % of 24 pairs, Cohen's kappa 1.00." in said
        agreed = f"{100 * both['equal']:.0f} % of 60 pairs, Cohen's kappa {both['kappa']:.2f}."
        assert f"Agreement of ann and bo: {agreed}" in said

    def test_a_judge_that_cannot_be_asked_is_told_before_the_files_are_read(
        self, here: Path, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("NO_SUCH_KEY", raising=False)
        said = negbench("audit", "no-such-file.jsonl", "--judge", "llm(key=NO_SUCH_KEY)", cwd=here)
        assert said.code == 2
        assert said.err.startswith("negbench: --judge: teacher llm")
        assert "the environment variable NO_SUCH_KEY holds no key; set it" in said.err

    def test_a_judge_that_leaves_pairs_without_a_score(
        self, here: Path, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def score(self: LanguageModel, pairs: Sequence[tuple[str, str]], *_: object) -> Float32:
            return np.array([np.nan if text.endswith(refused) else 0.5 for _, text in pairs], np.float32)

        monkeypatch.setattr(LanguageModel, "score", score)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        refused = ""
        silent = negbench("audit", "mined.jsonl", "--judge", "llm", cwd=here)
        assert silent.code == 2
        assert silent.err == "negbench: --judge: llm gave none of the 200 pairs a score; choose another judge\n"
        assert not (here / "audits").exists()
        refused = " 2"
        drawn = negbench("audit", "mined.jsonl", "--judge", "llm", cwd=here)
        assert "The judge gave 40 pairs no score" in drawn.out

    def test_width_asks_more_for_less(self, here: Path, negbench: Callable[..., Any]) -> None:
        asked = {}
        for width in ("0.1", "0.05"):
            negbench("audit", "mined.jsonl", "--width", width, "--out", width, cwd=here)
            asked[width] = json.loads((here / width / "design.json").read_text())["labels"]
        assert 20 < asked["0.1"] < asked["0.05"] < 200

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["missing.jsonl"], "missing.jsonl: no such file"),
            (["mined.jsonl", "--labels", "60", "--width", "0.1"], "--labels and --width: give one"),
            (["mined.jsonl", "--labels", "2"], "--labels: 2 labels are too few"),
            (["mined.jsonl", "--answers", "x.csv"], "--answers: audits/mined has no sheet"),
            (["mined.jsonl", "--labels", "60", "--out", "mined.jsonl"], "mined.jsonl: already exists"),
            (["mined.jsonl", "--collection", "nowhere"], "collection: 'nowhere' is no known source"),
            (["mined.jsonl", "mined.jsonl"], "mined.jsonl: given twice"),
            (["done", "--annotator", "ann"], "--annotator: needs --serve"),
            (["grid.yaml", "mined.jsonl"], "grid.yaml: a grid cannot be combined"),
            (["done", "--labels", "70"], "done: already has a sheet"),
            (
                ["done", "--collection", "helpdesk"],
                "done: already has a sheet; leave out --collection",
            ),
            (["other.jsonl", "--out", "done"], "done: its sheet was drawn from other negatives"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_what_is_refused(self, here: Path, negbench: Callable[..., Any], arguments: list[str], said: str) -> None:
        negbench("audit", "mined.jsonl", "--labels", "60", "--out", "done", cwd=here)
        (here / "other.jsonl").write_text((here / "mined.jsonl").read_text().replace("document 7", "document seven"))
        before = sorted(path for path in here.rglob("*"))
        found = negbench("audit", *arguments, cwd=here)
        assert found.code == 2
        assert found.out == ""
        assert found.err.startswith(f"negbench: {said}")
        assert len(found.err.splitlines()) == 1
        assert sorted(path for path in here.rglob("*")) == before

    def test_serving_ends_in_an_estimate(self, here: Path) -> None:
        from subprocess import PIPE, Popen

        # a suite that runs in the background of a shell hands on that interrupts are ignored
        heed = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
        code = f"{heed}; from negbench.cli import main; sys.argv[0] = 'negbench'; main()"
        command = [
            sys.executable,
            "-c",
            code,
            "audit",
            "mined.jsonl",
            "--serve",
            "--labels",
            "20",
            "--annotator",
            "ann",
        ]
        with Popen(command, cwd=here, env={**os.environ}, stdout=PIPE, stderr=PIPE, text=True) as process:
            assert process.stderr is not None
            address = process.stderr.readline().removeprefix("open ").strip()
            for item in range(1, 11):
                body = json.dumps({"item": item, "answer": "no"}).encode()
                headers = {"Content-Type": "application/json"}
                request = urllib.request.Request(f"{address}answers", body, headers)
                with urllib.request.urlopen(request, timeout=10) as kept:
                    assert kept.status == 200
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=180)
        assert process.returncode == 0
        assert "10 of the 20 drawn pairs are answered with yes or no." in out
        kept = (here / "audits/mined/answers.jsonl").read_text().splitlines()
        assert {json.loads(line)["annotator"] for line in kept} == {"ann"}

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_ends_it_without_an_estimate(
        self, here: Path, number: int, negbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C goes on to the estimate; what asks the process to end does not."""
        if signal.getsignal(number) is signal.SIG_IGN:
            pytest.skip("the tests were started with nohup, and negbench ignores what its starter ignores")

        class Stopped:
            def wait(self) -> None:
                signal.raise_signal(number)

        monkeypatch.setattr("negbench.auditing.run.threading", SimpleNamespace(Event=Stopped))
        said = negbench("audit", "mined.jsonl", "--serve", "--labels", "20", cwd=here)
        assert said.code == 128 + number
        assert said.err.splitlines()[-1] == f"negbench: stopped by {signal.Signals(number).name}"
        assert said.out == ""


class TestGrid:
    def test_weights_and_truth_are_those_of_training(
        self, tmp_path: Path, tiny_encoder: Path, negbench: Callable[..., Any]
    ) -> None:
        """The exact rate of a grid's audit is what the grid itself counts, seeds together."""
        (tmp_path / "grid.yaml").write_text(GRID.format(encoder=tiny_encoder))
        early = negbench("audit", "grid.yaml", cwd=tmp_path)
        assert early.code == 2
        assert "not stored" in early.err
        assert "`negbench run grid.yaml`" in early.err

        store = Store(tmp_path / ".negbench")
        hits: dict[str, list[Any]] = {}
        for trial in trials(read(tmp_path / "grid.yaml")):
            if trial.negatives is not None:
                (exact,) = (it for it in trial.estimates if it.estimator.name == "exact")
                store.ensure(exact)
                hits.setdefault(trial.spelling, []).append(read_rates([exact], store.path)["exact"])
        found = json.loads(negbench("audit", "grid.yaml", "--json", cwd=tmp_path).out)
        assert [row["method"] for row in found["methods"]] == list(hits) == ["random", "bm25"]
        for row in found["methods"]:
            assert row["exact"]["rate"] == pytest.approx(np.mean([rate["rate"] for rate in hits[row["method"]]]))
            assert row["judged"] == row["pairs"]
        random, bm25 = found["methods"]
        assert random["ranks"] is None  # a place in a random order is no rank
        assert bm25["ranks"] is not None
        assert bm25["exact"]["rate"] > 0

        (tmp_path / "runs/small").mkdir(parents=True)
        manifest = {"grid": (tmp_path / "grid.yaml").read_text(), "assignments": []}
        (tmp_path / "runs/small/manifest.json").write_text(json.dumps(manifest))
        again = json.loads(negbench("audit", "runs/small", "--json", cwd=tmp_path).out)
        assert again["methods"] == found["methods"]
        drawn = negbench("audit", "runs/small", "--labels", "40", cwd=tmp_path)
        assert "audits/small/sheet.csv asks about 40 pairs" in drawn.out
