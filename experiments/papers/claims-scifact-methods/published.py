"""nDCG@10 by query and seconds by trial, from the results of SciFact that are published.

``results/methods/scifact`` has every method, ``results/miners/scifact`` negatives that another encoder mined, both with
the same three starts and the same trainings.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

RESULTS = Path(__file__).parents[3] / "results"
FOLDERS = {
    "methods/scifact": {
        name: name
        for name in (
            "in-batch",
            "naive",
            "semi-hard",
            "denoised",
            "query-threshold",
            "teacher-band",
            "tas-balanced",
            "mixture",
            "curriculum",
            "ladder",
        )
    }
    | {"ance(refresh=every(steps=20))": "ance"},
    "miners/scifact": {"naive(encoder=all-MiniLM-L6-v2)": "naive-by-stronger"},
}
"""The methods that are read, with their names in ``expect.yaml``, by folder of ``results``."""


def by_query(folder: Path, rows: dict[str, str]) -> Iterator[tuple[str, str, int, str, str]]:
    """Yield row, measure, seed, query and nDCG@10."""
    with open(folder / "by_query.csv", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            for trial, value in line.items():
                method, _, seed = trial.rpartition(" seed ")
                if method in rows:
                    yield rows[method], "nDCG@10", int(seed), line["query"], value


def seconds(folder: Path, rows: dict[str, str]) -> Iterator[tuple[str, str, int, str, str]]:
    """Yield row, measure, seed, no query and the seconds of the trial with all that it needs."""
    for trial in json.loads((folder / "results.json").read_text(encoding="utf-8"))["trials"]:
        if trial["spelling"] in rows:
            yield rows[trial["spelling"]], "cost/seconds", trial["seed"], "", f"{trial['cost']['seconds']}"


def main(path: str) -> None:
    """Write them."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "measure", "seed", "query", "value"])
        for name, rows in FOLDERS.items():
            writer.writerows(by_query(RESULTS / name, rows))
            writer.writerows(seconds(RESULTS / name, rows))


if __name__ == "__main__":
    main(sys.argv[1])
