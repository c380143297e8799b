"""Tables and figures from the raw repetitions.

python experiments/estimators/scoreboard.py results/estimators
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

MARKS = {
    ("one method", "labelled pair"): ("o", "black"),
    ("five methods", "labelled pair"): ("^", "0.45"),
    ("one method", "query"): (".", "0.65"),
    ("five methods", "query"): ("x", "0.65"),
}
POINT = 0.01
"""Rates nearer than this are ties: no order is asked of them."""
RANDOM = ("random-80", "random-60", "random-50", "random-40", "random-20", "thirty-queries")


def audits(folder: Path) -> pd.DataFrame:
    """Return every repetition."""
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])


def summary(raw: pd.DataFrame) -> pd.DataFrame:
    """Return bias, RMSE, coverage and width by cell, what a row stands for, audit, sampler and number of labels."""
    raw = raw.assign(
        covered=(raw.low <= raw.truth + 1e-5) & (raw.truth <= raw.high + 1e-5),
        error=raw.estimate - raw.truth,
        width=raw.high - raw.low,
    )
    found = raw.groupby(["cell", "rows", "audit", "sampler", "labels"], sort=True).agg(
        repetitions=("error", "size"),
        expected=("expected", "first"),
        truth=("truth", "first"),
        heaviest=("heaviest", "first"),
        effective=("effective", "first"),
        bias=("error", "mean"),
        rmse=("error", lambda it: float(np.sqrt((it**2).mean()))),
        covered=("covered", "sum"),
        width=("width", "mean"),
    )
    found["coverage"] = found.covered / found.repetitions
    return found.reset_index()


BINS = [("none (no false negatives)", 0, 1e-9), ("below 3", 1e-9, 3), ("3 to 10", 3, 10), ("10 or more", 10, 1e9)]
"""Relevant pairs expected among the labels of a method's pairs, by the probabilities to be drawn."""


def pooled(some: pd.DataFrame) -> float:
    """Return the share of all intervals of some rows that hold the truth."""
    return float(some.covered.sum() / some.repetitions.sum())


def coverage_tables(found: pd.DataFrame) -> str:
    """Return pooled coverage by audit and expected positives, and the lowest and highest of a cell, samplers pooled."""
    heading = ["rows", "audit", "labels", *(name for name, *_ in BINS)]
    lines = ["| " + " | ".join(heading) + " |", "|" + "---|" * len(heading)]
    for (rows, audit), mine in found.groupby(["rows", "audit"], sort=True):
        for labels in (*sorted(found.labels.unique()), "all"):
            cells = []
            for _, low, high in BINS:
                some = mine[(mine.expected >= low) & (mine.expected < high)]
                some = some if labels == "all" else some[some.labels == labels]
                if some.empty:
                    cells.append("")
                    continue
                by_cell = [100 * pooled(one) for _, one in some.groupby("cell")]
                cells.append(f"{100 * pooled(some):.1f} % ({min(by_cell):.1f} to {max(by_cell):.1f})")
            lines.append(f"| a {rows} | {audit} | {labels} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def gain_table(found: pd.DataFrame) -> str:
    """Return width and RMSE with a judge's help over those without, by world and labels, 10 or more expected."""
    lines = [
        "| world | labels | width, with a judge / without | RMSE, with / without | bias with a judge, points |",
        "|---|---|---|---|---|",
    ]
    wide = found[(found.expected >= 10) & (found.rows == "labelled pair")].pivot_table(
        index=["cell", "sampler", "labels"], columns="audit", values=["width", "rmse", "bias"]
    )
    worlds = wide.index.get_level_values("cell").str.partition("/").get_level_values(0)
    for (world, labels), some in wide.groupby([worlds, wide.index.get_level_values("labels")]):
        width = some["width"]["one method, judge"] / some["width"]["one method"]
        error = some["rmse"]["one method, judge"] / some["rmse"]["one method"]
        lines.append(
            f"| {world} | {labels} | {width.mean():.3f} ({width.min():.2f} to {width.max():.2f}) | "
            f"{error.mean():.3f} | {100 * some['bias']['one method, judge'].mean():+.2f} |"
        )
    return "\n".join(lines)


def cells_table(found: pd.DataFrame) -> str:
    """Return by cell, a row a labelled pair, how unequal queries weigh, and coverage of one method's audits."""
    lines = [
        "| cell | weight of the heaviest 1 % of queries, % | worth equal queries | true rates, % | "
        "50 labels | 100 | 300 |",
        "|" + "---|" * 7,
    ]
    mine = found[(found.rows == "labelled pair") & (found.audit == "one method")]
    for cell, some in mine.groupby("cell", sort=False):
        rates = some.groupby("sampler").truth.first() * 100
        cover = [f"{100 * pooled(some[some.labels == n]):.1f}" for n in (50, 100, 300)]
        lines.append(
            f"| {cell} | {100 * some.heaviest.mean():.1f} | {some.effective.mean():.0f} | "
            f"{rates.min():.1f} to {rates.max():.1f} | " + " | ".join(cover) + " |"
        )
    return "\n".join(lines)


def ordered(truth: Any, estimate: Any) -> float:
    """Return Kendall's tau over the pairs whose true rates are a point or more apart."""
    score = total = 0
    for a, b in combinations(range(len(truth)), 2):
        if abs(truth[a] - truth[b]) >= POINT:
            total += 1
            score += int(
                np.sign(truth[a] - truth[b]) * np.sign(np.nan_to_num(estimate[a]) - np.nan_to_num(estimate[b]))
            )
    return score / total if total else np.nan


def label_free(raw: pd.DataFrame) -> pd.DataFrame:
    """Return mean absolute error over that of the best constant, and tau, by cell and estimator."""
    rows = []
    for (cell, estimator), some in raw.groupby(["cell", "estimator"], sort=False):
        errors, taus, fails = [], [], []
        for _, one in some.groupby("redraw"):
            truth, estimate = one.truth.to_numpy(), one.estimate.to_numpy()
            errors.append((np.abs(np.nan_to_num(estimate) - truth).mean(), np.abs(np.median(truth) - truth).mean()))
            taus.append(ordered(truth, estimate))
            fails.append(np.isnan(estimate).mean())
        mean, constant = np.mean(errors, axis=0)
        world = cell.partition("/")[0]
        rows.append(
            {
                "world": world,
                "cell": cell,
                "estimator": estimator,
                "error": mean,
                "constant": constant,
                "ratio": mean / constant if constant > 0 else np.nan,
                "tau": np.nanmean(taus) if np.isfinite(taus).any() else np.nan,
                "failed": np.mean(fails),
            }
        )
    return pd.DataFrame(rows)


def label_free_table(found: pd.DataFrame, worlds: list[str], only_random: bool) -> str:
    """Return each estimator's error over the best constant's, and tau, pooled over cells."""
    some = found[found.world.isin(worlds)]
    at_random = some.cell.str.rpartition("/")[2].isin(RANDOM)
    some = some[at_random if only_random else ~at_random]
    some = some[some.constant > 0]
    lines = ["| estimator | error, points | over the best constant's | tau | fails |", "|---|---|---|---|---|"]
    pooled = some.groupby("estimator").agg(
        error=("error", "mean"), constant=("constant", "mean"), tau=("tau", "mean"), failed=("failed", "mean")
    )
    pooled = pooled.assign(ratio=pooled.error / pooled.constant).sort_values("ratio")
    for name, row in pooled.iterrows():
        lines.append(f"| {name} | {100 * row.error:.2f} | {row.ratio:.2f} | {row.tau:.2f} | {100 * row.failed:.0f} % |")
    return "\n".join(lines)


def order_table(found: pd.DataFrame) -> str:
    """Return Kendall's tau of the two label-free estimators with the best order, cell by cell."""
    names = ["held-out", "propensity, half labelled"]
    lines = ["| cell | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for cell, some in found[found.constant > 0].groupby("cell", sort=False):
        tau = some.set_index("estimator").tau
        lines.append(f"| {cell} | " + " | ".join(f"{tau[name]:.2f}" for name in names) + " |")
    return "\n".join(lines)


def draw_coverage(found: pd.DataFrame, path: Path) -> None:
    """Draw coverage against expected positives; a dot is a cell, sampler and number of labels."""
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    axes.axhspan(93, 97, color="0.92", zorder=0)
    axes.axhline(95, color="0.6", linewidth=0.8, zorder=0)
    for (audit, rows), (marker, colour) in MARKS.items():
        some = found[(found.audit == audit) & (found.rows == rows) & (found.expected > 0)]
        label = f"{audit}, a row a {rows}"
        axes.plot(some.expected, 100 * some.coverage, marker, color=colour, markersize=3.5, alpha=0.7, label=label)
    axes.set_xscale("log")
    axes.set_ylim(85, 100.8)
    axes.axvline(10, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_xlabel("relevant pairs expected among the labels of a method's pairs")
    axes.set_ylabel("intervals that hold the truth, %")
    axes.legend(frameon=False, ncols=2, loc="lower left", fontsize=8)
    save(figure, path)


def draw_label_free(raw: pd.DataFrame, names: list[str], path: Path) -> None:
    """Draw estimates against true rates on NFCorpus, labels hidden at random and by pooling."""
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.1 * len(names), 3.3), sharex=True, sharey=True, layout="constrained"
    )
    looks = {
        "random-80": ("o", "none"),
        "random-50": ("o", "0.6"),
        "random-20": ("o", "black"),
        "pooling-50": ("^", "0.6"),
    }
    for one, name in zip(axes, names, strict=True):
        for cell, (marker, fill) in looks.items():
            some = raw[(raw.cell == f"nfcorpus/{cell}") & (raw.estimator == name) & (raw.redraw == 0)]
            one.plot(
                100 * some.truth,
                100 * some.estimate,
                marker,
                color="black",
                markerfacecolor=fill,
                markersize=5,
                label=cell,
            )
        one.plot([0, 32], [0, 32], color="0.6", linewidth=0.8)
        one.set_title(name, fontsize=9)
        one.set_xlabel("true rate, %")
    axes[0].set_ylabel("estimate, %")
    axes[0].set_ylim(-1, 60)
    axes[0].legend(frameon=False, fontsize=8)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write SVG and PNG, the same bytes every time."""
    path.parent.mkdir(exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "negbench"
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=150)
    plt.close(figure)


def main(out: Path) -> None:
    """Write tables.md and the figures."""
    found = summary(audits(out / "audits"))
    found.round(5).to_csv(out / "audits.csv", index=False)
    parts = [
        "## Coverage of nominal 95 % intervals\n\nPooled, and from the lowest to the highest cell (its samplers "
        "together), by relevant pairs expected among the labels.\n",
        coverage_tables(found),
        "\n## What the judge adds\n",
        gain_table(found),
        "\n## By cell, a row a labelled pair, one method an audit: coverage in %\n",
        cells_table(found),
    ]
    draw_coverage(found, out / "figures" / "coverage")
    if (out / "label_free.parquet").exists():
        raw = pd.read_parquet(out / "label_free.parquet")
        free = label_free(raw)
        free.round(5).to_csv(out / "label_free.csv", index=False)
        for title, worlds in (
            ("chosen on helpdesk and Cranfield", ["helpdesk", "cranfield"]),
            ("NFCorpus", ["nfcorpus"]),
        ):
            for how, only_random in (("labels missing at random", True), ("labels missing otherwise", False)):
                parts += [f"\n## Without labels: {title}, {how}\n", label_free_table(free, worlds, only_random)]
        parts += ["\n## Without labels: the order of samplers by cell, Kendall's tau\n", order_table(free)]
        names = ["propensity, half labelled", "propensity, frequency told", "held-out, frequency told", "transfer"]
        draw_label_free(raw, names, out / "figures" / "label_free")
    (out / "tables.md").write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
