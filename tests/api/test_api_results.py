"""What functions return: tables as on the command line, frames as in the files, figures by name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_workplace import HELPDESK

import negbench as nb
from negbench.errors import InputError

Command = Callable[..., Any]


def _data(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


class TestRun:
    def test_the_table_is_that_of_the_command(self, here: Path, negbench: Command) -> None:
        results = nb.run("garden.yaml")
        said = negbench("run", "garden.yaml", cwd=here)
        kept = "\n".join(results.model_notes)
        assert kept.startswith("runs/garden/best holds ")
        assert said.out == f"{results.table}results in runs/garden; MLflow: not asked\n{kept}\n"
        assert str(results) == repr(results) == results.table.rstrip("\n")
        shown = negbench("run", "garden.yaml", "--json", cwd=here)
        assert json.loads(shown.out) == results.data

    def test_rows_and_frame_are_those_of_the_file(self, here: Path) -> None:
        heard: list[str] = []
        grid = nb.load_grid("garden.yaml", {"seeds": [0, 1], "axes.negatives": [1, 2]})
        results = nb.run(grid, "runs/axes", progress=lambda now: heard.append(now.label))
        assert any("draw negatives with top" in label for label in heard)
        data = _data(here / "runs/axes/results.json")
        assert results.path == Path("runs/axes")
        assert results.failures == {}
        assert [(row.method, row.axes, row.quality) for row in results.rows] == [
            (row["method"], row["axes"], row["quality"]) for row in data["rows"]
        ]
        frame = results.to_pandas()
        assert len(frame) == len(data["rows"]) == 10
        heading = (here / "runs/axes/table.csv").read_text().splitlines()[0]
        assert frame.columns.tolist() == heading.split(",")
        assert frame["negatives"].tolist() == [row["axes"]["negatives"] for row in data["rows"]]
        assert frame["nDCG@10"].tolist() == pytest.approx([row["quality"] for row in data["rows"]])
        assert frame["seeds"].tolist() == [row["seeds"] for row in data["rows"]]
        assert _data(here / "runs/axes/manifest.json")["command"] == ["negbench.run"]

    def test_a_trial_that_fails_is_named(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from negbench.stages.mining.draw import DrawNegatives

        def fail(*_: Any) -> None:
            raise RuntimeError("out of luck")

        monkeypatch.setattr(DrawNegatives, "run", fail)
        results = nb.run("garden.yaml", "runs/failed", store="elsewhere")
        assert results.failures == {"bm25 seed 0": "draw negatives with top: RuntimeError: out of luck"}
        assert (here / "elsewhere/training").is_dir()

    def test_figures(self, here: Path) -> None:
        from matplotlib.figure import Figure

        results = nb.run("garden.yaml")
        assert set(results.figures()) == {path.stem for path in nb.write_report("garden.yaml") if path.suffix == ".svg"}
        assert isinstance(results.figure("costs"), Figure)
        with pytest.raises(InputError, match=r"figure 'qualty': there is none; expected one of quality, costs"):
            results.figure("qualty")

    def test_a_report_outlives_the_store(self, here: Path) -> None:
        nb.run("garden.yaml")
        emptied = nb.write_report("garden.yaml", store="emptied")[-1].read_text()
        assert "The store no longer holds the negatives of this grid" in emptied
        kept = nb.write_report("garden.yaml")[-1].read_text()
        assert "no longer holds" not in kept
        assert kept.count('class="example"') == 3 > emptied.count('class="example"') == 0

    def test_report_and_inspect(self, here: Path, negbench: Command) -> None:
        nb.run("garden.yaml")
        paths = nb.write_report("garden.yaml", texts=1)
        said = negbench("report", "garden.yaml", cwd=here)
        assert said.out.splitlines() == [str(path) for path in paths]
        shown = nb.inspect("garden.yaml", ["train-0", "train-7"])
        assert negbench("inspect", "garden.yaml", "train-0", "train-7", cwd=here).out == shown.table
        frame = shown.to_pandas()
        assert frame["query"].tolist() == ["train-0"] * 2 + ["train-7"] * 2
        assert frame["document"].tolist() == [
            one["document"] for it in shown.data for drawn in it["drawn"].values() for one in drawn
        ]


class TestPlan:
    def test_table_and_frame(self, here: Path, negbench: Command) -> None:
        plan = nb.plan_run(nb.load_grid("garden.yaml", ["seeds=[5]"]))
        changes = ("--set", "seeds=[5]")
        assert negbench("plan", "garden.yaml", *changes, cwd=here).out == plan.table
        data = json.loads(negbench("plan", "garden.yaml", *changes, "--json", cwd=here).out)
        assert plan.data == data
        rows = [[cell.strip() for cell in line.split("│")] for line in plan.table.splitlines() if "│" in line]
        counts = {cells[1]: int(cells[2]) for cells in rows}
        assert counts == Counter(it.stage.effort for it in plan.stages)
        frame = plan.to_pandas()
        assert frame["key"].tolist() == [stage["key"] for stage in data["stages"]]
        assert frame.columns.tolist() == ["key", "kind", "label", "trials", "stored", "damaged"]
        with pytest.raises(InputError, match="figure 'quality': there is none; Plan has no figures"):
            plan.figure("quality")

    def test_a_mapping_is_the_file(self, here: Path) -> None:
        from ruamel.yaml import YAML

        written = YAML(typ="safe", pure=True).load((here / "garden.yaml").read_text())
        of_file, of_mapping = nb.plan_run("garden.yaml"), nb.plan_run({**written, "encoder": Path("tiny")})
        assert of_mapping.data == of_file.data


class TestRepair:
    def test_table_frame_and_figure(self, here: Path, negbench: Command) -> None:
        grid = nb.load_grid(HELPDESK, {"axes.repair": [None, "replaced", "injected(rate=0.2)"], "name": "cost"})
        found = nb.run_repair(grid)
        data = _data(here / "runs/cost/repair.json")
        assert found.data == data
        frame = found.to_pandas()
        assert frame["rate"].tolist() == [point["rate"] for point in data["points"]]
        assert list(found.figures()) == ["repair"]
        again = negbench("repair", "runs/cost/manifest.json", cwd=here)
        assert again.out.startswith(found.table)


class TestMine:
    def test_negatives_are_those_of_the_grid(self, here: Path) -> None:
        """A grid with the same settings draws the same documents, whoever asks first."""
        nb.run("garden.yaml")
        mined = nb.mine("bm25", "garden", encoder="tiny", negatives=2, max_length=64, precision="float32")
        drawn = nb.inspect("garden.yaml", [f"train-{at}" for at in range(24)]).to_pandas()
        frame = mined.to_pandas()
        assert len(frame) == 48
        shown = ["query", "document", "rank", "text"]
        same = (frame[shown].sort_values(shown) == drawn[shown].sort_values(shown).to_numpy()).all().all()
        assert same
        assert set(frame["origin"]) == {"ranked"}
        assert mined.false_negatives is None
        assert "bm25 on garden: 48 negatives of 24 queries" in mined.table
        assert "and 38 more" in mined.table
        first = mined.rows[0]
        (line,) = [line for line in mined.table.splitlines() if first.document in line and f" {first.query} " in line]
        assert f" {first.rank} " in line
        assert f" {first.score:.3f} " in line
        short = {"bm25": {"filters": ["rank-band(low=0, high=1)"]}}
        filled = nb.mine(short, "garden", encoder="tiny", negatives=2, precision="float32")
        assert None in {row.score for row in filled.rows}
        assert "None" not in filled.table

    def test_the_rate_is_that_of_a_look_up(self, here: Path) -> None:
        from negbench.collections.helpdesk import Helpdesk

        sizes = {"articles": 100, "queries": 24, "dev": 6, "test": 12}
        spelled = f"helpdesk({', '.join(f'{name}={size}' for name, size in sizes.items())})"
        heard: list[str] = []
        mined = nb.mine({"naive": {"negatives": 3}}, spelled, encoder="tiny", progress=heard.append)
        assert heard[-1].startswith("draw negatives with")
        made = Helpdesk(**sizes).load()
        truth = {(made.query_ids[q], made.document_ids[d]) for q, d, grade in made.truth["train"].triples() if grade}
        hits = [(row.query, row.document) in truth for row in mined.rows]
        assert mined.false_negatives is not None
        assert mined.false_negatives.rate == pytest.approx(sum(hits) / len(hits))
        assert 0 < mined.false_negatives.rate < 1
        assert mined.data["false_negatives"]["rate"] == mined.false_negatives.rate
        texts = dict(zip(made.document_ids, made.passages(), strict=True))
        assert all(row.text == texts[row.document] for row in mined.rows)

    def test_seeds_draw_differently(self, here: Path) -> None:
        one, again, other = (
            [row.document for row in nb.mine("random", "garden", encoder="tiny", seed=seed).rows] for seed in (0, 0, 1)
        )
        assert one == again != other


class TestEvaluate:
    def test_table_and_frame(self, here: Path, negbench: Command) -> None:
        found = nb.evaluate("tiny", Path("garden"), "dev", ["RR@10", "AP"], precision="float32")
        options = ("--split", "dev", "--measures", "RR@10 AP", "--precision", "float32")
        command = ("evaluate", "--encoder", "tiny", "--collection", "garden", *options)
        assert negbench(*command, cwd=here).out == found.table
        told = json.loads(negbench(*command, "--json", cwd=here).out)
        assert found.data == told
        frame = found.to_pandas()
        assert frame.columns.tolist() == ["encoder", "collection", "split", "queries", "RR@10", "AP"]
        assert frame.loc[0, "AP"] == told["metrics"]["AP"]


class TestAudit:
    def test_described_drawn_estimated(self, here: Path, negbench: Command) -> None:
        described = nb.audit("mined.jsonl")
        assert negbench("audit", "mined.jsonl", cwd=here).out == described.table
        frame = described.to_pandas()
        assert frame.loc[0, "pairs"] == 200
        assert frame["rate"].isna().all()
        drawn = nb.audit(["mined.jsonl"], True)
        assert (drawn.folder, drawn.estimate) == (Path("audits/mined"), None)
        items = [json.loads(line) for line in (drawn.folder / "items.jsonl").read_text().splitlines()]
        lines = [
            json.dumps({"item": it["item"], "answer": "yes" if it["document"][-1] == "3" else "no"}) for it in items
        ]
        (drawn.folder / "answers.jsonl").write_text("\n".join(lines) + "\n")
        estimated = nb.audit(drawn.folder)
        assert negbench("audit", "audits/mined", cwd=here).out == estimated.table
        told = json.loads(negbench("audit", "audits/mined", "--json", cwd=here).out)
        assert estimated.data == told
        assert estimated.to_pandas().loc[0, "rate"] == told["estimate"]["methods"][0]["rate"] == pytest.approx(0.2)


class TestListings:
    def test_methods(self, here: Path, negbench: Command) -> None:
        found = nb.list_methods()
        assert negbench("methods", cwd=here).out == found.table
        assert negbench("methods", "--markdown", cwd=here).out == found.markdown
        assert found.to_pandas()["method"].tolist() == list(json.loads(negbench("methods", "--json", cwd=here).out))

    def test_grid(self, here: Path) -> None:
        grid = nb.load_grid("garden.yaml", {"axes.negatives": [1, 3]})
        assert grid.to_pandas()["negatives"].tolist() == [1, 1, 3, 3]
        assert "in-batch" in grid.table


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no such file": (lambda: nb.load_grid("missing.yaml"), "missing.yaml: no such file"),
    "a key of a mapping": (lambda: nb.load_grid({"name": "x", "trian": 1}), "grid: trian: .*did you mean train"),
    "a value of a mapping": (
        lambda: nb.load_grid({"name": "x", "train": {"epochs": 0}}),
        "grid: train.epochs: expected at least 1, found 0",
    ),
    "what YAML cannot hold": (lambda: nb.load_grid({"name": "x", "train": {"epochs": {1}}}), "grid: train.epochs: "),
    "an override": (lambda: nb.load_grid("garden.yaml", {"negatives": "some"}), "negatives"),
    "no collection": (lambda: nb.plan_run(nb.load_grid("garden.yaml", {"collection": "nowhere"})), "nowhere"),
    "nothing mined": (lambda: nb.mine("in-batch", "garden", encoder="tiny"), "method in-batch: mines no negatives"),
    "phases": (
        lambda: nb.mine({"curriculum": {"phases": ["random(work=0.5)", "naive(work=0.5)"]}}, "garden", encoder="tiny"),
        "it mines with an encoder that an earlier phase trains",
    ),
    "no such method": (lambda: nb.mine("simnas", "garden", encoder="tiny"), "did you mean simans"),
    "no such split": (
        lambda: nb.evaluate("bm25", "garden", "exam"),
        "--split exam: garden has no such split; give one of dev, test, train",
    ),
    "too short": (lambda: nb.evaluate("tiny", "garden", max_length=3), "max_length: expected at least 8, found 3"),
    "too wide": (lambda: nb.audit("mined.jsonl", width=2.0), "width: expected from 0.001 to 0.5"),
    "no files": (lambda: nb.audit([]), "negatives: expected files"),
    "too few labels": (lambda: nb.audit("mined.jsonl", 1), "too few"),
    "a seed below 0": (lambda: nb.audit("mined.jsonl", 20, seed=-1), "seed: expected at least 0, found -1"),
    "not run": (lambda: nb.write_report("garden.yaml", "nowhere", texts=0), "expected the results of a grid"),
    "nothing to repair": (
        lambda: nb.run_repair(nb.load_grid("garden.yaml", {"methods": ["in-batch"]})),
        "garden.yaml: methods: none of them mines",
    ),
}


@pytest.mark.parametrize(("call", "said"), WRONG.values(), ids=WRONG)
def test_errors_are_input_errors(here: Path, call: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()
