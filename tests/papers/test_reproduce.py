"""``negbench reproduce`` from end to end: values, trainings, a script, exit codes, and what it writes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_papers import write_paper

from negbench import tracking
from negbench.papers import page, paired, run
from negbench.papers import record as records

SCRIPT = """\
import csv, sys

with open(sys.argv[1], "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["row", "measure", "seed", "query", "value"])
    writer.writerows(["lists", "same", "", f"q{at}", int(at != 3)] for at in range(4))
"""
GRID = """\
name: tiny
collection: "helpdesk(articles=100, queries=24, dev=6, test=12)"
encoder: {encoder}
methods: [in-batch, random, naive]
seeds: [0, 1, 2]
negatives: 2
train: {{epochs: 1, batch_size: 8, max_length: 32, precision: float32}}
"""
SAYS = {
    "finds": "R@100(lexical) = 1 ± 0",
    "lists": "same(lists) = 0.75 ± 0",
    "harder": "rate(naive) > rate(random)",
    "near": "overlap@20(naive) > overlap@20(random)",
    "batch": "rate/in-batch(in-batch) < 90 %",
    "time": "cost/steps(naive) = cost/steps(random) within 1",
    "hub": "R@100(far) = 1 ± 0",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_encoder: Path, tiny_collection: Path) -> Path:
    """Return an empty folder with a paper, ``tiny``."""
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
    evaluations = (
        f"evaluations: {{lexical: {{encoder: bm25, collection: {tiny_collection}}}, "
        "far: {encoder: bm25, collection: 'hub:a/b'}}\n"
    )
    folder = write_paper(
        tmp_path / "experiments/papers/tiny",
        SAYS,
        f"{evaluations}scripts: {{lists: {{file: lists.py, rows: [lists]}}}}\n",
    )
    _change(folder, "R@100(far) = 1 ± 0'", "R@100(far) = 1 ± 0', needs: a/b of the hub")
    (folder / "grid.yaml").write_text(GRID.format(encoder=tiny_encoder))
    (folder / "lists.py").write_text(SCRIPT)
    return tmp_path


def _change(folder: Path, said: str, instead: str) -> None:
    path = folder / "expect.yaml"
    text = path.read_text()
    assert text.count(said) == 1
    path.write_text(text.replace(said, instead))


def _record(here: Path) -> dict[str, Any]:
    return dict(json.loads((here / "results/papers/tiny/verdicts.json").read_text()))


def test_from_end_to_end(here: Path, negbench: Callable[..., Any]) -> None:
    said = negbench("reproduce", "all", cwd=here)
    assert said.code == 0, said.err
    out = here / "results/papers/tiny"
    verdicts = {it["name"]: it["verdict"] for it in _record(here)["statements"]}
    assert verdicts["finds"] == verdicts["lists"] == "reproduced"
    assert verdicts["harder"] in ("held", "undecided")
    assert verdicts["hub"] == "not run here"
    assert {path.name for path in out.iterdir()} >= {"verdicts.json", "verdicts.md", "by_query.csv", "manifest.json"}
    assert (out / "grid/table.md").exists()
    written = (here / "results/papers/README.md").read_text()
    assert "not run here: needs a/b of the hub" in written
    assert written == page.write(here / "results/papers")
    assert json.loads((out / "manifest.json").read_text())["command"] == ["negbench", "reproduce", "all"]

    # the same from Python, from the store, changes nothing
    before = {path: path.read_bytes() for path in out.rglob("*") if path.suffix in (".json", ".csv", ".md")}
    assert negbench("reproduce", "tiny", cwd=here).code == 0
    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert changed <= {"manifest.json"}

    # a mean of the rate and of the overlap, by hand
    with (out / "by_query.csv").open() as file:
        lines = list(csv.DictReader(file))
    for measure in ("rate", "overlap@20"):
        sums = {
            end: sum(float(line[f"naive seed {seed}"]) for line in lines for seed in range(3) if line["measure"] == end)
            for end in (f"{measure}: hits", f"{measure}: of")
        }
        name = {"rate": "harder", "overlap@20": "near"}[measure]
        (statement,) = [it for it in _record(here)["statements"] if it["name"] == name]
        (figure,) = [it for it in statement["values"] if it["label"] == f"{measure}(naive)"]
        assert figure["mean"] == pytest.approx(sums[f"{measure}: hits"] / sums[f"{measure}: of"])
        assert 0 < figure["mean"] <= 1
    results = json.loads((out / "grid/results.json").read_text())
    rates = [it["false_negatives"]["exact"]["rate"] for it in results["trials"] if it["spelling"] == "naive"]
    (harder,) = [it for it in _record(here)["statements"] if it["name"] == "harder"]
    assert harder["values"][0]["mean"] == pytest.approx(np.mean(rates))

    rates = [it["false_negatives"]["exact/in-batch"]["rate"] for it in results["trials"] if it["method"] == "in-batch"]
    (batch,) = [it for it in _record(here)["statements"] if it["name"] == "batch"]
    assert batch["values"][0]["mean"] == pytest.approx(np.mean(rates))

    # a value that is not reproduced any more is told, with exit code 1, and so is the change of its wording
    _change(here / "experiments/papers/tiny", "= 0.75 ± 0", "= 0.8 ± 0")
    said = negbench("reproduce", "tiny", "--only", "lists", "--json", cwd=here)
    assert said.code == 1
    assert "tiny/lists: reproduced before, now not reproduced: 0.05 off; the tolerance is 0" in said.err
    data = json.loads(said.out)
    (lists,) = [it for it in data["papers"][0]["statements"] if it["name"] == "lists"]
    assert lists["changed"] == "changed since the run, from: same(lists) = 0.75 ± 0"
    assert {it["name"]: it["verdict"] for it in data["papers"][0]["statements"]} == {
        **verdicts,
        "lists": "not reproduced",
    }
    assert negbench("reproduce", "tiny", "--only", "lists", cwd=here).code == 0  # it was not before this run, either


def test_only_runs_what_its_statements_need(here: Path, negbench: Callable[..., Any]) -> None:
    said = negbench("reproduce", "tiny", "--only", "l*", cwd=here)
    assert said.code == 0
    verdicts = {it["name"]: (it["verdict"], it["why"]) for it in _record(here)["statements"]}
    assert verdicts["lists"][0] == "reproduced"
    assert verdicts["finds"] == ("not run here", "not asked for so far (--only)")
    assert not (here / "results/papers/tiny/grid").exists()


def test_what_needs_the_hub_runs_where_it_is_named(here: Path, negbench: Callable[..., Any]) -> None:
    said = negbench("reproduce", "tiny", "--only", "hub", cwd=here)
    assert said.code == 2
    assert (
        said.err.strip()
        .splitlines()[-1]
        .startswith("negbench: tiny: experiments/papers/tiny/expect.yaml:1: evaluations.far:")
    )
    assert not (here / "results").exists()


def test_a_paper_that_cannot_be_read_does_not_stop_the_others(here: Path, negbench: Callable[..., Any]) -> None:
    absent = write_paper(here / "experiments/papers/absent", {"says": "nDCG@10(bm25) > nDCG@10(random)"})
    (absent / "grid.yaml").write_text("name: absent\ncollection: nowhere\nmethods: [bm25, random]\n")
    said = negbench("reproduce", "all", "--only", "lists", "--only", "says", cwd=here)
    assert said.code == 2
    assert "absent: experiments/papers/absent/grid.yaml:2: collection: " in said.err
    (lists,) = [it for it in _record(here)["statements"] if it["name"] == "lists"]
    assert lists["verdict"] == "reproduced"


def test_a_failed_script_is_one_line(here: Path, negbench: Callable[..., Any]) -> None:
    (here / "experiments/papers/tiny/lists.py").write_text("raise SystemExit('no lists today')")
    said = negbench("reproduce", "tiny", "--only", "lists", cwd=here)
    assert said.code == 2
    assert "lists.py: ended with exit code 1: no lists today" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tniy"], "negbench: no paper is called 'tniy'; did you mean tiny?"),
        (["tiny", "--only", "lost"], "negbench: --only lost: no statement is called 'lost'; did you mean lists"),
    ],
)
def test_mistakes_are_one_line(here: Path, negbench: Callable[..., Any], arguments: list[str], told: str) -> None:
    said = negbench("reproduce", *arguments, cwd=here)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(told)
    assert len(said.err.strip().splitlines()) == 1


def test_outside_of_a_checkout_it_says_what_to_do(tmp_path: Path, negbench: Callable[..., Any]) -> None:
    said = negbench("reproduce", "ance", cwd=tmp_path)
    assert said.code == 2
    assert said.err.startswith("negbench: paper ance: there is no experiments/papers here; run it in a checkout")


@pytest.mark.parametrize("name", ["README.md", "tiny/verdicts.md", "tiny/manifest.json"])
def test_a_file_of_others_is_not_written_over(name: str, here: Path, negbench: Callable[..., Any]) -> None:
    foreign = here / "notes" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text("{}")
    said = negbench("reproduce", "tiny", "--out", "notes", cwd=here)
    assert (said.code, said.out, foreign.read_text()) == (2, "", "{}")
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith(f"negbench: notes/{name}: exists, and ")
    assert said.err.rstrip().endswith("choose another --out, or move it away")
    assert [path for path in (here / "notes").rglob("*") if path.is_file()] == [foreign]


def test_a_folder_of_ones_own(here: Path, negbench: Callable[..., Any]) -> None:
    mine = here / "experiments/papers/tiny"
    mine.rename(here / "mine")
    assert negbench("reproduce", "mine", "--only", "lists", "--out", "out", cwd=here).code == 0
    assert (here / "out/mine/verdicts.json").exists()


ROOT = Path(__file__).parents[2]
PAPERS = sorted(path.parent for path in (ROOT / "experiments/papers").glob("*/expect.yaml"))
RESULTS = ROOT / "results/papers"


@pytest.mark.parametrize("folder", PAPERS, ids=lambda path: path.name)
def test_a_shipped_paper_can_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch, tiny_collection: Path) -> None:
    """Collections that it names need not be there, nor the weights."""
    for name in ("scifact", "nfcorpus", "cranfield"):
        (tiny_collection.parent / name).mkdir(exist_ok=True)
    monkeypatch.setenv("NEGBENCH_DATA", str(tiny_collection.parent))
    read = run.files.read(folder)
    paired.check(read, run.sources(read))


@pytest.mark.parametrize("folder", PAPERS, ids=lambda path: path.name)
def test_tracked_verdicts_follow_from_the_tracked_values(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tiny_collection: Path
) -> None:
    """Nobody typed a verdict, and nobody changed an expectation without running it again."""
    for name in ("scifact", "nfcorpus", "cranfield"):
        (tiny_collection.parent / name).mkdir(exist_ok=True)
    monkeypatch.setenv("NEGBENCH_DATA", str(tiny_collection.parent))
    made = records.before(RESULTS / folder.name)
    if not made.record:
        pytest.skip("not run so far")
    read = run.files.read(folder)
    assert made.record["expect"] == read.digest, f"run: negbench reproduce {folder.name}"
    again = run.findings(read, made.samples, lambda _: "")
    for it in made.record["statements"]:
        assert it["verdict"] == again[it["name"]].verdict, it["name"]
        assert it["p"] == pytest.approx(again[it["name"]].p)


def test_the_tracked_page_is_made_from_the_tracked_verdicts() -> None:
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == page.write(RESULTS), "run: negbench reproduce all"


def test_an_encoder_that_does_not_exist_is_refused_before_anything_runs(
    here: Path, negbench: Callable[..., Any]
) -> None:
    folder = here / "experiments/papers/tiny"
    _change(folder, "encoder: bm25, collection: 'hub:a/b'", "encoder: bm25(stemmer=none), collection: helpdesk")
    _change(folder, ", needs: a/b of the hub", "")
    said = negbench("reproduce", "tiny", "--only", "finds", "--only", "hub", cwd=here)
    assert said.code == 2
    (line,) = said.err.strip().splitlines()  # and no stage that was made before it
    assert line.startswith("negbench: tiny: experiments/papers/tiny/expect.yaml:1: evaluations.far: --encoder bm25(")
    assert "no parameter of bm25 is called 'stemmer'" in line
    assert not (here / "results").exists()
