"""Figures that the pages of ``results/`` derive from their tables, written beside them as ``figures.json``.

    python experiments/figures.py

A page may print what a table of its folder has, and what stands in ``figures.json``; ``tests/test_pages.py`` holds it
to that and derives these again. Each function is named after its folder (``methods_helpdesk`` for
``methods/helpdesk``) and returns the figures by a name that says what they are; one that ends in % is in percent. After
a grid was run again, run this, then mend the pages as the test says.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from negbench.evaluation import significance
from negbench.types import Float64

RESULTS = Path(__file__).parents[1] / "results"
WITHIN = 0.01
"""The difference that is too small to matter, as in the grids."""
LOSSES_OF = ("margin-mse", "margin-hinge", "adaptive-margin")
"""Methods whose training losses the page on methods quotes."""


def scifact() -> dict[str, float]:
    """Marks by today's test over the table's family; methods beside two controls; three seeds beside five."""
    weak, strong = "start=weak", "start=strong"
    names = _methods("scifact", weak)
    compared = [(name, point) for point in (weak, strong) for name in names if name != "in-batch"]
    found = _tests("scifact", [(name, "in-batch", point) for name, point in compared], "nDCG@10 against in-batch")
    dense = [name for name in names if name.startswith(("rank-band", "simans", "denoised"))]
    found |= _tests("scifact", [(name, "in-batch-wide", weak) for name in dense], "against in-batch-wide, weak")
    found |= _tests("scifact", [(name, "random", weak) for name in ("bm25", *dense)], "against random, weak")
    gains = [_change("scifact", name, "in-batch", weak) for name in dense]
    found["between the dense ones, weak, largest"] = float(max(g.mean() for g in gains) - min(g.mean() for g in gains))
    changes = [_change("scifact", name, "in-batch", weak) for name in names if name != "in-batch"]
    found["three seeds to five, weak, largest move"] = max(abs(float(it[:3].mean() - it.mean())) for it in changes)
    highest = max((_values("scifact", name, point) for point in (weak, strong) for name in names), key=np.mean)
    found["highest mean of a trained encoder: half of its interval"] = significance.estimate(highest).half
    rows = {(row["method"], row["start"]): row for row in _rows("scifact/table.csv")}
    for row in (rows["in-batch", "weak"], rows["bm25", "weak"]):
        found[f"Cranfield, weak, {row['method']}"] = float(row["cranfield/nDCG@10"])
    trained = [row for (name, _), row in rows.items() if name in names]
    above = [
        float(row["cranfield/nDCG@10"]) - float(rows["in-batch", row["start"]]["cranfield/nDCG@10"]) for row in trained
    ]
    found["Cranfield, most above in-batch"] = max(above)
    found |= _easier(rows, trained)
    shares = re.findall(r"(\d+) % \(denoised", " ".join(_json("scifact/results.json")["notes"]))
    return found | {"pairs that the teacher orders right, %": float(min(shares, key=int))}


def nfcorpus() -> dict[str, float]:
    """Marks by today's test over the table's family; easier evaluations."""
    points = ("start=weak", "start=strong")
    compared = [(name, "in-batch", point) for point in points for name in _methods("nfcorpus", point)]
    found = _tests("nfcorpus", [it for it in compared if it[0] != "in-batch"], "nDCG@10 against in-batch")
    rows = {(row["method"], row["start"]): row for row in _rows("nfcorpus/table.csv")}
    names = _methods("nfcorpus", points[0])
    return found | _easier(rows, [row for (name, _), row in rows.items() if name in names])


def _easier(rows: dict[tuple[str, str], dict[str, str]], trained: Sequence[dict[str, str]]) -> dict[str, float]:
    """Return nDCG@10 of in-batch among few documents, and the range of all ``trained`` among judged ones alone."""
    found = {
        f"in-batch, strong, among {pool}": float(rows["in-batch", "strong"][f"among-{pool}/nDCG@10"])
        for pool in ("random", "bm25")
    }
    judged = [float(row["nDCG(judged_only=True)@10"]) for row in trained]
    return found | {"of judged documents alone, lowest": min(judged), "of judged documents alone, highest": max(judged)}


def refresh() -> dict[str, float]:
    """Marks by today's test, against no refresh and against each interval's control; steps between intervals."""
    never, names = "ance(refresh=never)", _methods("refresh", "")
    found = _tests("refresh", [(name, never, "") for name in names if name != never], "nDCG@10 against never")
    intervals = [name for name in names if re.fullmatch(r"ance\(refresh=every\(steps=\d+\)\)", name)]
    controls = {name: name.replace("every", "redraw") for name in intervals}
    controlled = [(name, control, "") for name, control in controls.items() if control in names]
    found |= _tests("refresh", controlled, "nDCG@10 against its control")
    for before, after in pairwise([never, *intervals]):
        found[f"{after} over {before}"] = float(_change("refresh", after, before, "").mean())
    return found


def mismatched() -> dict[str, float]:
    """Marks by today's test at each rate; what wrong labels cost; precision and recall of NPC's detector."""
    none, half = "collection.mismatched.rate=0.0", "collection.mismatched.rate=0.5"
    names = _methods("mismatched", none)
    compared = [(name, "in-batch", point) for point in (none, half) for name in names if name != "in-batch"]
    found = _tests("mismatched", compared, "nDCG@10 against in-batch")
    for name, point in ((name, point) for point in (none, half) for name in names):
        found[f"{name}, {point}: half of the interval"] = significance.estimate(_values("mismatched", name, point)).half
    mined = "npc(detector=null, loss=infonce)"
    found["npc against the same without it, no pair wrong"] = float(_change("mismatched", "npc", mined, none).mean())
    for name in names:
        lost = _values("mismatched", name, none).mean() - _values("mismatched", name, half).mean()
        found[f"lost by {name} when half of the pairs are wrong"] = float(lost)
    for row in _rows("mismatched/details.csv"):
        if row["group"].startswith("detector"):
            at = f"{row['method']} {row['group']}, epoch {row['name']}, wrong {row['collection.mismatched.rate']}, %"
            found[at] = 100 * float(row["rate"] or row["reference"])  # none is wrong: the share that is flagged
    return found


def repair() -> dict[str, float]:
    """Marks of repairs by today's test; the first seed alone; what the slope says of a rate; seeds of in-batch."""
    found: dict[str, float] = {}
    for name in ("helpdesk", "nfcorpus"):
        folder = f"repair/{name}"
        gains = _json(f"{folder}/repair.json")["gains"]
        changes = [
            _values(folder, it["method"], f"repair={it['variant']}") - _values(folder, it["method"], "repair=None")
            for it in gains
        ]
        decisions = significance.decide([significance.estimate(change) for change in changes], WITHIN)
        for it, change, decision in zip(gains, changes, decisions, strict=True):
            at = f"{name}, {it['method']}, {it['variant']}"
            found[f"{at}: p"], found[f"{at}: p of a point"] = decision.differs, decision.same
            found[f"{at}: points gained, first seed"] = 100 * float(change[0].mean())
            found[f"{at}: points gained beyond what is expected"] = 100 * (it["gain"] - it["expected"])
            low, high = it["low"], it["high"]
            found[f"{at}: largest of the interval's ends, points"] = 100 * max(abs(low), abs(high))
        (loss,) = [it for it in _json(f"{folder}/repair.json")["losses"] if it["method"] == "all samplers"]
        found[f"{name}: points lost at 40 %, at most"] = 40 * loss["high"]
        seeds = _values(folder, "in-batch", "repair=None").mean(axis=1)
        found |= {f"{name}: in-batch, seed {seed}": float(value) for seed, value in enumerate(seeds)}
        found[f"{name}: in-batch, standard deviation between seeds"] = float(seeds.std(ddof=1))
        found[f"{name}: in-batch, highest seed less lowest"] = float(np.ptp(seeds))
    return found


def methods() -> dict[str, float]:
    """How good teachers are, what losses do, what predicts quality, how many methods lie apart from in-batch."""
    found: dict[str, float] = {}
    for name in ("helpdesk", "scifact"):
        notes = " ".join(_json(f"methods/{name}/results.json")["notes"])
        shares = re.findall(r"(\d+) % \(([^,;]+)", notes[notes.index("50 % is chance") :])
        found |= {
            f"{name}: the teacher of {method.rstrip(')')} orders right, %": int(share) for share, method in shares
        }
        rows = _rows(f"methods/{name}/losses.csv")
        for method in LOSSES_OF:
            losses = [float(row["loss"]) for row in rows if row["method"] == method]
            fifth = len(losses) // 5
            found[f"{name}: last loss of {method}"] = losses[-1]
            left = sum(losses[-fifth:]) / sum(losses[:fifth])
            found[f"{name}: loss of {method}, last fifth of the steps to the first, %"] = 100 * left
    found |= _predictions("methods")
    for name in ("helpdesk", "scifact"):
        gains = [row for row in _rows(f"methods/{name}/table.csv") if row["p"]]
        for ends, side in (("above", 1.0), ("below", -1.0)):
            apart = [row for row in gains if min(side * float(row["gain_low"]), side * float(row["gain_high"])) > 0]
            found[f"{name}: methods {ends} in-batch, not corrected"] = len(apart)
            found[f"{name}: methods {ends} in-batch, marked"] = sum(float(row["p"]) < 0.05 for row in apart)
    found |= _agreement(_by_method("methods/helpdesk"), _by_method("methods/scifact"))
    (repbert,) = [row for row in _rows("methods/helpdesk/table.csv") if row["method"] == "repbert"]
    found["helpdesk: R@100 of repbert"] = float(repbert["R@100"])
    return found


def estimators() -> dict[str, float]:
    """How far estimates without labels are off, told the label frequency, where labels are missing at random.

    Estimate over truth by cell and sampler, means of the redraws, where more than 1 % are false.
    """
    import pyarrow.parquet as pq

    groups = {
        "near the positive": ("simans(scale=zscore)", "hard-band", "semi-hard"),
        "margins": ("margin", "percent"),
        "shifted": ("shifted",),
        "top ranks": ("naive", "bm25"),
        "rank bands": ("rank-band", "bge-band", "bge-band-readme", "rank-band(low=0, high=20)"),
    }
    told: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for row in pq.read_table(RESULTS / "estimators" / "label_free.parquet").to_pylist():
        estimator, asked = row["estimator"].split(", ")[0], row["estimator"].endswith(", frequency told")
        if asked and "random" in row["cell"] and row["estimate"] == row["estimate"]:
            told.setdefault((estimator, row["sampler"], row["cell"]), []).append((row["truth"], row["estimate"]))
    found: dict[str, float] = {}
    for estimator in ("propensity", "held-out"):
        for group, samplers in groups.items():
            kept = [pairs for key, pairs in told.items() if key[0] == estimator and key[1] in samplers]
            means = [np.array(pairs).mean(axis=0) for pairs in kept]
            ratios = [float(estimate / truth) for truth, estimate in means if truth > 0.01]
            found[f"{estimator}, {group}: lowest"], found[f"{estimator}, {group}: highest"] = min(ratios), max(ratios)
    return found


def teacher() -> dict[str, float]:
    """What the scripts of ``experiments/teacher`` wrote, by the name of the file."""
    found: dict[str, float] = {}
    for name in ("scifact-scores", "helpdesk-scores", "helpdesk", "scifact", "scifact-rerank", "scifact-rerank-fusion"):
        written = _json(f"teacher/{name}.json")
        found |= {f"{name}: {key}": value for key, value in written.items() if isinstance(value, float)}
    return found


def screening() -> dict[str, float]:
    """Kendall's tau of each measure of negatives with nDCG@10."""
    return _predictions("screening")


def _predictions(folder: str) -> dict[str, float]:
    """Kendall's tau of each measure of negatives with nDCG@10, as ``experiments/eci/predict.py`` wrote it."""
    found: dict[str, float] = {}
    for path in sorted((RESULTS / folder).glob("*/prediction.json")):
        for one in json.loads(path.read_text(encoding="utf-8")):
            at = f"{path.parent.name}, {one['set']}, {one['predictor']}"
            ends = {"tau": one["tau"], "low": one["low"], "high": one["high"]}
            found |= {f"{at}: {name}": value for name, value in ends.items() if value is not None}
    return found


PAGES = {"scifact": scifact, "nfcorpus": nfcorpus, "refresh": refresh, "mismatched": mismatched, "repair": repair}
PAGES |= {"methods": methods, "estimators": estimators, "teacher": teacher, "screening": screening}


def write_losses(folder: Path) -> None:
    """Write ``losses.csv``, the training losses that the page on methods quotes, where a run has left ``curves.csv``.

    Curves are large and not tracked; the losses of ``LOSSES_OF`` with seed 0 are.
    """
    if not (folder / "curves.csv").exists():
        return
    method_of = {f"{method} seed 0": method for method in LOSSES_OF}
    rows = [row for row in _rows(f"{folder}/curves.csv") if row["curve"] == "loss" and row["trial"] in method_of]
    with (folder / "losses.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "step", "loss"])
        writer.writerows([method_of[row["trial"]], row["step"], row["value"]] for row in rows)


def derive(name: str) -> str:
    """Return the text of a folder's ``figures.json``."""
    figures = {key: float(f"{value:.6g}") for key, value in PAGES[name]().items()}
    return json.dumps(figures, indent=1) + "\n"


def _agreement(one: dict[str, Float64], other: dict[str, Float64]) -> dict[str, float]:
    """Return Kendall's tau-b of two orders of the same methods, with a bootstrap over methods and each one's seeds."""
    from scipy.stats import kendalltau

    names = [name for name in one if name in other]
    both = [np.stack([values[name] for name in names]) for values in (one, other)]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(1000):
        methods = rng.integers(len(names), size=len(names))
        some = [it[np.ix_(methods, rng.integers(it.shape[1], size=it.shape[1]))].mean(axis=1) for it in both]
        drawn.append(kendalltau(*some).statistic)
    low, high = np.quantile(drawn, [0.025, 0.975])
    tau = kendalltau(*(it.mean(axis=1) for it in both)).statistic
    return {
        "methods on both collections": len(names),
        "tau of both": tau,
        "tau of both: low": low,
        "tau of both: high": high,
    }


def _by_method(folder: str) -> dict[str, Float64]:
    """Return the first measure of each trained method by seed."""
    data = _json(f"{folder}/results.json")
    found: dict[str, list[float]] = {}
    for it in data["trials"]:
        if it["status"] == "done" and it["form"] != "reference":
            found.setdefault(it["spelling"], []).append(it["metrics"][data["settings"]["measure"]])
    return {name: np.array(values) for name, values in found.items()}


def _tests(folder: str, compared: Sequence[tuple[str, str, str]], what: str) -> dict[str, float]:
    """Test the paired differences of a family: Holm over all of it, of no difference and of one that matters."""
    estimates = [significance.estimate(_change(folder, *it)) for it in compared]
    found: dict[str, float] = {}
    for (name, _, point), estimate, decision in zip(
        compared, estimates, significance.decide(estimates, WITHIN), strict=True
    ):
        at = f"{what}: {name}" + f", {point}" * bool(point)
        found |= {at: estimate.mean, f"{at}: half": estimate.half}
        found |= {f"{at}: p": decision.differs, f"{at}: p of {WITHIN} or more": decision.same}
    return found


def _change(folder: str, method: str, other: str, point: str) -> Float64:
    """Return the difference of two methods, [seeds, queries]."""
    return _values(folder, method, point) - _values(folder, other, point)


def _values(folder: str, method: str, point: str) -> Float64:
    """Return the measure of a method by seed and query, [seeds, queries]."""
    columns = _columns(folder)
    pattern = re.compile(re.escape(method) + r" seed \d+" + (re.escape(f" {point}") if point else "") + "$")
    return np.stack([values for name, values in columns.items() if pattern.match(name)])


@cache
def _columns(folder: str) -> dict[str, Float64]:
    with (RESULTS / folder / "by_query.csv").open(encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    return {name: np.array([float(row[at]) for row in rows]) for at, name in enumerate(heading) if at > 1}


def _methods(folder: str, point: str) -> list[str]:
    """Return the trained methods of a folder, in the order of its table."""
    names = (re.sub(r" seed \d+.*", "", name) for name in _columns(folder) if name.endswith(point) and " seed " in name)
    return [name for name in dict.fromkeys(names) if name != "start"]


def _rows(path: str) -> list[dict[str, str]]:
    with (RESULTS / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _json(path: str) -> dict[str, Any]:
    return dict(json.loads((RESULTS / path).read_text(encoding="utf-8")))


if __name__ == "__main__":
    for folder in ("helpdesk", "scifact"):
        write_losses(RESULTS / "methods" / folder)
    for page in PAGES:
        (RESULTS / page / "figures.json").write_text(derive(page), encoding="utf-8")
