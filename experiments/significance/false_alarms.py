"""How often tables of methods that do not differ bear a mark: families simulated through ``negbench.report.rows``."""

from __future__ import annotations

import csv
import re
import sys
import zlib
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from negbench.evaluation import significance
from negbench.report.rows import Evidence, rows
from negbench.report.table import DIFFERS, SAME, mark

NO_NOISE = "collection.mismatched.rate=0.0"
BORROWED = {"methods/scifact": ("scifact", "start=weak"), "methods/helpdesk": ("mismatched", NO_NOISE)}
"""Tables of one seed: how the variance is shared, and the seeds' part, are those of a table of the same collection."""
WORLDS = (
    ("scifact", "start=weak"), ("scifact", "start=strong"), ("nfcorpus", "start=weak"), ("nfcorpus", "start=strong"),
    ("mismatched", NO_NOISE), ("methods/scifact", ""), ("methods/helpdesk", ""),
)  # fmt: skip
WORST = (("nfcorpus", "start=weak"), ("mismatched", NO_NOISE))
"""Points of which the method whose difference moves most with the seed is a world of its own, too."""
METHODS, WITHIN, FAMILIES, SEEDS = 5, 0.01, 500, (1, 2, 3, 5)
TRUTHS = {
    "equal": (0.0,) * METHODS,
    "at the bound": (WITHIN, -WITHIN, WITHIN, -WITHIN, WITHIN),
    "0.03 apart": (0.03,) * METHODS,
}
"""Five methods' true differences to the baseline."""


@dataclass
class Components:
    """Standard deviations of a difference between two methods, pooled over the methods of a table.

    ``of_query`` and ``rest`` are between queries and within a query and seed; ``both`` is the two together, all that
    one seed shows.
    """

    table: str
    point: str
    methods: int
    seeds: int
    queries: int
    of_seed: float
    of_query: float
    rest: float
    both: float


def components(results: Path) -> dict[tuple[str, str], Components]:
    """Estimate the components of every table and point by the analysis of variance, the baseline being in-batch."""
    found: dict[tuple[str, str], Components] = {}
    for table in dict.fromkeys(table for table, _ in WORLDS):
        for point, methods in _values(results / table / "by_query.csv").items():
            if (table, point) not in WORLDS:
                continue
            control = methods.pop("in-batch")
            squares = np.array([_squares(values - control) for values in methods.values()])
            like = found.get(BORROWED.get(table, ("", "")))
            found[table, point] = _components(table, point, squares, control.shape, like)
            if (table, point) in WORST:
                most = (squares[:, 0] - squares[:, 2]).argmax()
                name = f"{point}, most moved"
                found[table, name] = _components(table, name, squares[[most]], control.shape, None)
    return found


def _components(
    table: str, point: str, squares: np.ndarray, shape: tuple[int, ...], like: Components | None
) -> Components:
    (of_seed, of_query, rest, both), (seeds, queries) = squares.mean(axis=0), shape
    if like is None:
        of_seed, of_query = max(of_seed - rest, 0) / queries, max(of_query - rest, 0) / seeds
    else:
        share = like.of_query**2 / (like.of_query**2 + like.rest**2)
        of_seed, of_query, rest = like.of_seed**2, share * both, (1 - share) * both
    sds = np.sqrt([of_seed, of_query, rest, both]).tolist()
    return Components(table, point, len(squares), seeds, queries, *sds)


def _values(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return [S, Q] by method and point of the axes."""
    with path.open(encoding="utf-8", newline="") as file:
        heading, *lines = csv.reader(file)
    table = np.array([[float(cell or "nan") for cell in line[2:]] for line in lines]).T
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for name, values in zip(heading[2:], table, strict=True):
        parts = re.fullmatch(r"(.*) seed \d+(?: (.*))?", name)
        if parts is not None and parts[1] != "start":
            found.setdefault(parts[2] or "", {}).setdefault(parts[1], []).append(values)
    return {point: {name: np.stack(it) for name, it in methods.items()} for point, methods in found.items()}


def _squares(values: np.ndarray) -> tuple[float, float, float, float]:
    """Return the mean squares of seeds, of queries and of the rest, and the variance between queries in a seed."""
    seeds, queries = values.shape
    by_seed, by_query = values.mean(axis=1), values.mean(axis=0)
    within = float(values.var(axis=1, ddof=1).mean())
    if seeds == 1:
        return 0.0, 0.0, 0.0, within
    left = values - by_seed[:, None] - by_query + values.mean()
    rest = float((left**2).sum()) / ((seeds - 1) * (queries - 1))
    return queries * float(by_seed.var(ddof=1)), seeds * float(by_query.var(ddof=1)), rest, within


def simulate(world: Components, seeds: int, truth: tuple[float, ...], rng: np.random.Generator) -> list[str]:
    """Return the marks of one table: a baseline and five methods, each with effects of half a difference's variance."""
    names = ["in-batch", *(f"method-{at}" for at in range(METHODS))]
    of_seed, of_query, rest = (sd / 2**0.5 for sd in (world.of_seed, world.of_query, world.rest))
    shape = (len(names), seeds, world.queries)
    scores = 0.5 + np.array([0.0, *truth])[:, None, None] + rest * rng.standard_normal(shape)
    scores += of_seed * rng.standard_normal((*shape[:2], 1)) + of_query * rng.standard_normal((shape[0], 1, shape[2]))
    values = {f"{name} {seed}": scores[at, seed] for at, name in enumerate(names) for seed in range(seeds)}
    empty = {"axes": {}, "form": "fixed", "status": "done", "false_negatives": {}, "draw": {}, "stability": {}}
    cost = {"seconds": 0.0, "marginal_seconds": 0.0}
    trials = [
        {"name": f"{name} {seed}", "spelling": name, "seed": seed, "cost": cost, "metrics": {"m": 0.5}, **empty}
        for name in names
        for seed in range(seeds)
    ]
    found = rows({"trials": trials}, "m", "in-batch", WITHIN, Evidence(values, {}))
    return [mark(row).strip() for row in found[1:]]


def interval(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of families."""
    z, share = 1.96, hits / n
    middle, half = share + z**2 / (2 * n), z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def main(results: Path, out: Path, code: str) -> None:
    """Write ``components.csv``, and ``false_alarms.csv`` with the rows of ``code`` in place of older ones."""
    # No mark depends on it, and it takes most of the time.
    significance.detectable = lambda *_: 0.0  # type: ignore[assignment]
    worlds = components(results)
    out.mkdir(parents=True, exist_ok=True)
    names = [field.name for field in fields(Components)]
    lines = [[f"{it:.6f}" if isinstance(it, float) else it for it in astuple(world)] for world in worlds.values()]
    _write(out / "components.csv", [names, *lines])
    heading = ["code", "table", "point", "seeds", "truth", "families"]
    for what in ("false_star", "false_same"):
        heading += [what, f"{what}_low", f"{what}_high"]
    made = [[*heading, "star", "same"]]
    path = out / "false_alarms.csv"
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            made += [line for line in list(csv.reader(file))[1:] if line[0] != code]
    for (table, point), world in worlds.items():
        for seeds in SEEDS:
            for name, truth in TRUTHS.items():
                rng = np.random.default_rng([zlib.crc32(f"{table} {point} {name}".encode()), seeds])
                marks = np.array([simulate(world, seeds, truth, rng) for _ in range(FAMILIES)])
                equal, beyond = np.abs(truth) == 0, np.abs(truth) >= WITHIN
                line = [code, table, point, str(seeds), name, str(FAMILIES)]
                for sign, wrong in ((DIFFERS, equal), (SAME, beyond)):
                    hits = int((marks[:, wrong] == sign).any(axis=1).sum())
                    figures = (hits / FAMILIES, *interval(hits, FAMILIES))
                    line += [f"{it:.4f}" for it in figures] if wrong.any() else [""] * 3
                made.append([*line, *(f"{(marks == sign).mean():.4f}" for sign in (DIFFERS, SAME))])
                print(*made[-1], flush=True)
    _write(path, made)


def _write(path: Path, lines: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
