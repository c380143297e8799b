"""The harness of the comparisons, and each comparison once, as small as it gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import compare  # noqa: E402
from benchmarks.__main__ import ORDER, table  # noqa: E402


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
    assert files - {"__init__", "__main__", "compare", "peer_script"} == set(ORDER)


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
