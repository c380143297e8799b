"""Hours, machines, disk and euros of a grid on large collections, from the measured rates and assumed prices.

``python -m benchmarks.plan_at_scale --gpu-texts 1420 --gpu-euros 1`` prints the tables with other assumptions than
those of ``docs/scale.md``; ``--write`` puts the tables with the assumptions given here into that page.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks import compare

PAGE = Path(__file__).parents[1] / "docs/scale.md"
BEGIN, END = "<!-- begin: python -m benchmarks.plan_at_scale --write -->", "<!-- end -->"

METHODS, SEEDS = 5, 3
DEPTH = 200
"""Candidates that are kept of each training query."""
TEXTS_A_ROW = 3
"""A query, its positive and one mined negative."""
BYTES_A_DOCUMENT = 384 * 4
BYTES_A_CANDIDATE = 17
"""In a stored pool: its row (int32), score (float32), the key of its id (uint64), and whether it is known (bool)."""
GB_A_MILLION_TEXTS = 1.74
"""Memory of a process that holds 1,000,000 documents of 60 to 100 words, as measured for docs/scale.md."""

BEIR = {
    "MS MARCO": (8_841_823, 6_980),
    "TREC-COVID": (171_332, 50),
    "NFCorpus": (3_633, 323),
    "NQ": (2_681_468, 3_452),
    "HotpotQA": (5_233_329, 7_405),
    "FiQA": (57_638, 648),
    "ArguAna": (8_674, 1_406),
    "Touché-2020": (382_545, 49),
    "CQADupStack": (457_199, 13_145),
    "Quora": (522_931, 10_000),
    "DBPedia": (4_635_922, 400),
    "SCIDOCS": (25_657, 1_000),
    "FEVER": (5_416_568, 6_666),
    "Climate-FEVER": (5_416_593, 1_535),
    "SciFact": (5_183, 300),
}
"""Documents and test queries of BEIR's public sets, as its authors publish them."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What the measured machine does: texts encoded and trained with a second, seconds of 10,000 searches in 10^6."""

    encoded: float
    trained: float
    search: float

    @classmethod
    def measured(cls) -> Rates:
        """Read the rates of results/benchmarks."""
        encoding, training, search = (_results(name) for name in ("encoding", "training_step", "search"))
        return cls(
            encoded=encoding["quality"]["texts a second"]["negbench"],
            trained=training["quality"]["texts a second"]["negbench"],
            search=search["seconds"]["negbench"][0],
        )


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What was not measured here: a GPU's texts a second, the prices of an hour, and the days that a grid may take."""

    gpu_texts: float = 1_420
    gpu_euros: float = 1.0
    machine_euros: float = 0.1
    days: float = 7


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A collection to train on, and those to evaluate on as (documents, queries)."""

    name: str
    documents: int
    queries: int
    pairs: int
    evaluated: tuple[tuple[int, int], ...]


MARCO: dict[str, Any] = {"documents": 8_841_823, "queries": 502_939, "pairs": 532_761}
WORKLOADS = (
    Workload(name="MS MARCO", **MARCO, evaluated=(BEIR["MS MARCO"],)),
    Workload(name="BEIR, 15 sets", **MARCO, evaluated=tuple(BEIR.values())),
    Workload(name="10⁹ documents", documents=10**9, queries=10**6, pairs=10**6, evaluated=((10**9, 10_000),)),
)


def hours(load: Workload, rates: Rates) -> dict[str, float]:
    """Return the hours of each kind of stage on the measured machine, by its name in the table."""

    def search(documents: int, queries: int) -> float:
        return queries / rates.encoded + queries / 1e4 * documents / 1e6 * rates.search

    seconds = {
        "encode the corpus, once": load.documents / rates.encoded,
        "find candidates, once": search(load.documents, load.queries),
        "train, each time": load.pairs * TEXTS_A_ROW / rates.trained,
        "encode the corpora again, each time": sum(it[0] for it in load.evaluated) / rates.encoded,
        "search for test queries, each time": sum(search(*it) for it in load.evaluated),
    }
    return {stage: value / 3600 for stage, value in seconds.items()}


def table(rates: Rates, assumed: Assumptions) -> list[str]:
    """Return the lines between the marks of the page."""
    times, faster = METHODS * SEEDS, assumed.gpu_texts / rates.encoded
    columns: list[dict[str, str]] = []
    for load in WORKLOADS:
        stages = hours(load, rates)
        total = sum(value * (times if stage.endswith("each time") else 1) for stage, value in stages.items())
        on_gpu, within = total / faster, assumed.days * 24
        vectors = load.documents * 2 + times * sum(it[0] for it in load.evaluated)  # those of shards stand twice
        disk = (vectors * BYTES_A_DOCUMENT + load.queries * DEPTH * BYTES_A_CANDIDATE) / 1e9
        columns.append(
            {
                **{stage: f"{value:,.0f} h" if value >= 1 else "under 1 h" for stage, value in stages.items()},
                f"**all, {times} trainings**": f"{total:,.0f} h",
                "disk": f"{disk:,.0f} GB",
                "memory of a process": f"{max(it[0] for it in load.evaluated) / 1e6 * GB_A_MILLION_TEXTS:,.0f} GB",
                f"machines for {assumed.days:g} days": f"{ceil(total / within):,}",
                "euros, machines": f"{total * assumed.machine_euros:,.0f}",
                "hours of GPUs (assumed)": f"{on_gpu:,.0f} h",
                f"GPUs for {assumed.days:g} days (assumed)": f"{ceil(on_gpu / within):,}",
                "euros, GPUs (assumed)": f"{on_gpu * assumed.gpu_euros:,.0f}",
            }
        )
    head = "| |" + "".join(f" {load.name} |" for load in WORKLOADS)
    rows = [f"| {name} |" + "".join(f" {column[name]} |" for column in columns) for name in columns[0]]
    return [head, "|---" * (len(WORKLOADS) + 1) + "|", *rows]


def text(assumed: Assumptions) -> str:
    """Return what stands between the marks of the page, the marks included."""
    rates = Rates.measured()
    measured = (
        f"- Measured: {rates.encoded:.0f} texts encoded a second, {rates.trained:.0f} trained with, and "
        f"{rates.search:.0f} s for 10,000 searches in 1,000,000 documents, on two processors."
    )
    prices = (
        f"- Assumed: {assumed.machine_euros:g} € an hour of such a machine, {assumed.gpu_euros:g} € of a GPU, and "
        f"{assumed.gpu_texts:,.0f} texts a second on a GPU, {assumed.gpu_texts / rates.encoded:.0f} times the machine, "
        "which is taken for its training and its search, too."
    )
    said = [fill(line, 118, subsequent_indent="  ") for line in (measured, prices)]
    return "\n".join([BEGIN, *table(rates, assumed), "", *said, END])


def write(page: Path = PAGE) -> None:
    """Put the tables with the assumptions of this file into the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + text(Assumptions()) + after, encoding="utf-8")


def _results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((compare.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = Assumptions()
    parser.add_argument("--gpu-texts", type=float, default=usual.gpu_texts, help="texts that a GPU encodes a second")
    parser.add_argument("--gpu-euros", type=float, default=usual.gpu_euros, help="price of an hour of a GPU")
    parser.add_argument("--machine-euros", type=float, default=usual.machine_euros, help="price of an hour of a CPU")
    parser.add_argument("--days", type=float, default=usual.days, help="days that a grid may take")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md, with the usual assumptions")
    given = vars(parser.parse_args())
    if given.pop("write"):
        write()
    else:
        print(text(Assumptions(**given)))


if __name__ == "__main__":
    main()
