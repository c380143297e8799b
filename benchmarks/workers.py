"""One grid by one process and by ``--workers 2``: the time that a second worker saves, and whether the tables agree.

Each stage computes with one thread on either side. The grid has in-batch and random negatives, four seeds, so that the
trainings wait for nothing but the start. A run is the command itself, in an empty store: importing the libraries,
encoding the collection and writing the tables count, and so does starting the workers.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import compare

GOAL = 0.6
"""The share of one process's time that two workers may take."""


def grid(small: bool) -> dict[str, object]:
    """Return the grid as a mapping; a small one trains for one step on one seed a method."""
    return {
        "name": "workers",
        "collection": "helpdesk",
        "encoder": {"model": "all-MiniLM-L6-v2", "keep_layers": 3},
        "methods": ["in-batch", "random"],
        "seeds": [0, 1] if small else [0, 1, 2, 3],
        "negatives": 1,
        "baseline": "in-batch",
        "train": {
            "epochs": 1 if small else 2,
            "batch_size": 64,
            "learning_rate": 5e-5,
            "max_length": 16 if small else 64,
        },
    }


def run(path: Path, workers: int) -> dict[str, object]:
    """Run the grid in an empty store; return seconds and the values of its table by trial."""
    with tempfile.TemporaryDirectory(prefix="workers-") as folder:
        out, store = Path(folder) / "out", Path(folder) / "store"
        seconds = compare.run_grid(path, out, store, "--workers", str(workers), threads=1)
        trials = json.loads((out / "results.json").read_text())["trials"]
    return {"seconds": seconds, "values": {f"{it['method']} {it['seed']}": it["metrics"] for it in trials}}


def main() -> None:
    """Time both sides in turn, and report."""
    args = compare.arguments(__doc__, rounds=3)
    timed = compare.Timed()
    with tempfile.TemporaryDirectory(prefix="grid-") as folder:
        path = Path(folder) / "grid.yaml"
        made = grid(args.small)
        path.write_text(json.dumps(made))  # JSON is YAML
        sides = {"one process": lambda: run(path, 1), "two workers": lambda: run(path, 2)}
        timed = compare.in_turn(sides, args.rounds, warm_up=False)
    one, two = timed.returned["one process"], timed.returned["two workers"]
    compare.report(
        name="workers",
        what="a grid of eight independent trainings: one process, and two workers of one thread each",
        goal=f"at most {GOAL} of the time, so at least {1 / GOAL:.2f}x",
        timed=timed,
        peer="one process",
        ours="two workers",
        met=lambda found: found["median"] >= 1 / GOAL,
        quality={"all metrics of all trials are equal": one["values"] == two["values"]},
        setting={"grid": made, "threads a stage": 1},
    )


if __name__ == "__main__":
    main()
