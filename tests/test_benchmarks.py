"""The harness of the comparisons, and each comparison once, as small as it gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import compare  # noqa: E402
from benchmarks.__main__ import ORDER, table  # noqa: E402
from benchmarks.grid import over_seeds  # noqa: E402


def test_sides_take_turns_and_the_order_flips() -> None:
    calls: list[str] = []
    timed = compare.in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert calls == ["b", "a", "a", "b", "b", "a"]  # the first pair is the warm-up
    assert {name: len(seconds) for name, seconds in timed.seconds.items()} == {"a": 2, "b": 2}


def test_a_ratio_belongs_to_a_round() -> None:
    assert compare.ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == {"median": 2.0, "low": 1.0, "high": 3.0}


def test_a_report_says_what_was_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compare, "RESULTS", tmp_path)
    timed = compare.Timed({"peer": [4.0, 6.0], "ours": [2.0, 2.0], "half": [3.0, 3.0]}, {})
    found: dict[str, Any] = compare.report(
        "demo", "what was done", "3x", timed, "peer", "ours", lambda ratio: ratio["median"] >= 3,
        {"equal": True}, {"rows": 7}, [("half of it", "half", "ours")], ["a note"],
    )  # fmt: skip
    assert (found["met"], found["ratio"]) == (False, {"median": 2.5, "low": 2.0, "high": 3.0})
    text = table({"demo": found})
    for wanted in ("2.50x [2.00, 3.00] | missed", "half of it: 1.50x [1.50, 1.50]", "equal: True", "- a note"):
        assert wanted in text
    assert (tmp_path / "demo.json").exists()


def test_the_table_knows_every_comparison() -> None:
    files = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert files - {"__init__", "__main__", "compare", "peer_script", "plan_at_scale"} == set(ORDER)


def test_the_page_of_speed_is_what_its_files_say() -> None:
    found = {
        name: json.loads(path.read_text()) for name in ORDER if (path := compare.RESULTS / f"{name}.json").exists()
    }
    assert (compare.RESULTS / "README.md").read_text() == table(found), "run: python -m benchmarks table"
    pairs = {tuple(key.rsplit(" seed ", 1)): value for key, value in found["grid"]["quality"]["by pair"].items()}
    mean, low, high = over_seeds({(name, int(seed)): value for (name, seed), value in pairs.items()})
    assert found["grid"]["quality"]["nDCG@10, negbench - scripts"].startswith(f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]")


def test_the_guide_says_of_other_backends_what_was_measured() -> None:
    measured = json.loads((compare.RESULTS / "backends.json").read_text())["quality"]
    peer = json.loads((compare.RESULTS / "encoding.json").read_text())["quality"]["nDCG@10, whole corpus"]
    gain = measured["processor seconds, the peer's over a side's"]
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    said = [
        float(it) for it in re.findall(r"\d\.\d+", page[page.index("Elsewhere encoding") : page.index("gain less\n")])
    ]
    small, whole = gain["ONNX Runtime int8"], measured["nDCG@10, whole corpus, ONNX Runtime int8"]
    assert said == [small, whole, peer["sentence-transformers: encode"], gain["negbench"]]
    assert max(gain["OpenVINO"], gain["OpenVINO int8"], gain["torch.compile"]) < small


def test_an_interval_over_seeds_does_not_count_samplers_as_seeds() -> None:
    # means of the seeds 1 and 3: mean 2, standard error 1, t(0.975, 1) = 12.7062
    pairs = {("a", 0): 0.5, ("b", 0): 1.5, ("c", 0): 1.0, ("a", 1): 3.0}
    assert over_seeds(pairs) == pytest.approx((2.0, 2.0 - 12.7062, 2.0 + 12.7062), abs=1e-4)
    assert over_seeds({("a", 0): 1.0, ("b", 0): 2.0})[1] != over_seeds({("a", 0): 1.0, ("b", 0): 2.0})[1]  # NaN


@pytest.mark.slow
@pytest.mark.parametrize("name", ORDER)
def test_each_comparison_runs(name: str, tmp_path: Path) -> None:
    if name == "search":
        pytest.importorskip("faiss")
    env = {**os.environ, "NEGBENCH_STORE": str(tmp_path), "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--small"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
