"""A six-sampler grid, mining to scores: one ``negbench run``, and six scripts with sentence-transformers.

Same texts, training rows, starting weights, epochs, batch size, learning rate and length; everything starts from
nothing, each script and each run of negbench in a process of its own. Seed after seed; the first has all six samplers,
later ones those of ``--later`` if given. Each result is kept as it comes, so that an interrupted comparison goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks import compare
from negbench.encoders.load import build
from negbench.encoders.spec import EncoderSpec
from negbench.types import Collection

NAMES = {"rank-band-exact": "rank-band"}
"""What the scripts call a method, where negbench calls it otherwise."""

METHODS = {
    "in-batch": "in-batch",
    "random": "random",
    "bm25": "bm25",
    "rank-band": "rank-band-exact(divisor=null)",  # as the script's, which searches exactly
    "simans": {"simans": {"a": 0.5, "scale": "zscore"}},
    "denoised": {
        "denoised": {
            "unit": "quantile",
            "threshold": 0.5,
            "depth": 10,
            "teacher": "trained-cross-encoder(negatives=1, model=START)",
        }
    },
}


def write_data(folder: Path, collection: Collection, settings: dict[str, Any]) -> None:
    """Write what a script reads: texts, rows, test queries, settings."""
    passages = collection.passages()
    train, test = collection.qrels["train"].at_least(1), collection.qrels["test"].at_least(1)
    data = {
        "corpus": passages,
        "rows": [
            {"anchor": collection.queries[query], "positive": passages[document]}
            for query, document in zip(train.queries.tolist(), train.documents.tolist(), strict=True)
        ],
        "queries": {str(row): collection.queries[row] for row in collection.split_queries("test").tolist()},
        "relevant": {str(query): [str(row) for row in rows] for query, rows in test.by_query().items()},
        "settings": settings,
    }
    (folder / "data.json").write_text(json.dumps(data))


def script(folder: Path, sampler: str, seed: int) -> dict[str, float]:
    """Run one script; return its seconds in all and by part, and nDCG@10."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.peer_script", "--data", str(folder), "--sampler", sampler]
    done = subprocess.run(
        [*command, "--seed", str(seed)],
        cwd=compare.ROOT,
        env=compare.quiet(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{sampler}: {done.stderr[-2000:]}")
    return {"seconds": time.perf_counter() - started, **json.loads(done.stdout.strip().splitlines()[-1])}


def grid(folder: Path, collection: str, samplers: list[str], seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Run negbench on a grid of ``samplers``, in an empty store; return its seconds and nDCG@10 by sampler."""
    start = settings["start"]
    methods = json.loads(json.dumps([METHODS[name] for name in samplers]).replace("START", start))
    text = {
        "name": "grid",
        "collection": collection,
        "encoder": start,
        "methods": methods,
        "seeds": [seed],
        "negatives": 1,
        "baseline": "in-batch",
        "train": {key: settings[key] for key in ("epochs", "batch_size", "learning_rate", "max_length")},
    }
    path, store, out = folder / "grid.yaml", folder / "store", folder / "out"
    path.write_text(json.dumps(text))  # JSON is YAML
    for old in (store, out):
        shutil.rmtree(old, ignore_errors=True)
    seconds = compare.run_grid(path, out, store)
    found = json.loads((out / "results.json").read_text())["trials"]
    stages: dict[str, float] = {}
    for record in store.glob("*/*/stage.json"):
        stage = json.loads(record.read_text())
        stages[stage["stage"]] = stages.get(stage["stage"], 0.0) + stage["cost"]["seconds"]
    return {
        "seconds": seconds,
        "nDCG@10": {NAMES.get(row["method"], row["method"]): row["metrics"]["nDCG@10"] for row in found},
        "stages": {name: round(spent, 1) for name, spent in stages.items()},
    }


def over_seeds(differences: Mapping[tuple[str, int], float]) -> tuple[float, float, float]:
    """Return mean and 95 % interval of differences by sampler and seed: over the means of the seeds.

    Samplers of one seed share its batches and starting weights, so they are not draws of their own. One seed has no
    interval: its ends are NaN.
    """
    by_seed: dict[int, list[float]] = {}
    for (_, seed), value in differences.items():
        by_seed.setdefault(seed, []).append(value)
    means = np.array([np.mean(values) for values in by_seed.values()])
    if len(means) == 1:
        return float(means[0]), float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5
    return float(means.mean()), float(means.mean() - half), float(means.mean() + half)


def main() -> None:
    """Run what is missing, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", default="scifact")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--later", nargs="+", help="samplers of the second and later seeds (default: all)")
    parser.add_argument("--keep-layers", type=int, help="transformer layers of the encoder (default: all)")
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--work", type=Path, default=compare.ROOT / "runs" / "benchmarks" / "grid")
    parser.add_argument("--small", action="store_true", help="the smallest run that touches every line")
    args = parser.parse_args()
    if args.small:
        args.collection, args.seeds, args.keep_layers = "helpdesk(articles=100, queries=30)", [0], 1
        args.max_length, args.work = 16, args.work / "small"
    args.work.mkdir(parents=True, exist_ok=True)
    spec = EncoderSpec(model="all-MiniLM-L6-v2", keep_layers=args.keep_layers)
    build(spec, 0).save_pretrained(str(args.work / "start"), create_model_card=False)
    settings = {
        "start": str(args.work / "start"),
        "epochs": 1,
        "batch_size": 32,
        "learning_rate": 1e-4,
        "max_length": args.max_length,
    }
    collection = compare.collection(args.collection)
    write_data(args.work, collection, settings)
    kept = args.work / "done.json"
    done: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() and not args.small else {}

    def once(name: str, work: Any) -> None:
        if name not in done:
            done[name] = work()
            kept.write_text(json.dumps(done, indent=1))
        print(f"  {name}: {done[name]['seconds']:.0f} s, nDCG@10 {done[name]['nDCG@10']}", flush=True)

    timed = compare.Timed()
    pairs: list[tuple[str, int, float]] = []
    parts: dict[str, dict[str, float]] = {}
    each: dict[str, str] = {}
    for lap, seed in enumerate(args.seeds):
        samplers = list(METHODS) if lap == 0 or not args.later else args.later
        runs = [
            (f"{name} seed {seed}", lambda name=name, seed=seed: script(args.work, name, seed)) for name in samplers
        ]
        whole = f"negbench, {len(samplers)} samplers, seed {seed}"
        runs.insert(
            len(runs) * (lap % 2),
            (whole, lambda s=samplers, seed=seed: grid(args.work, args.collection, s, seed, settings)),
        )
        for name, work in runs:
            once(name, work)
        theirs = {name: done[f"{name} seed {seed}"] for name in samplers}
        both = sum(run["seconds"] for run in theirs.values()), done[whole]["seconds"]
        if len(samplers) == len(METHODS):  # the ratio is that of the whole grid
            for side, seconds in zip(("scripts", "negbench"), both, strict=True):
                timed.seconds.setdefault(side, []).append(seconds)
        each[f"seed {seed}, {len(samplers)} samplers"] = (
            f"{both[0]:.0f} s and {both[1]:.0f} s: {both[0] / both[1]:.2f}x"
        )
        pairs += [(name, seed, done[whole]["nDCG@10"][name] - run["nDCG@10"]) for name, run in theirs.items()]
        parts[f"negbench, seed {seed}"] = done[whole]["stages"]
        spent = {
            part: round(sum(run[part] for run in theirs.values())) for part in ("mining", "training", "evaluation")
        }
        parts[f"scripts, seed {seed}"] = spent
    mean, low, high = over_seeds({(name, seed): value for name, seed, value in pairs})
    compare.report(
        "grid",
        "a grid of samplers, mining to scores, everything from nothing",
        "at most 1/5 of the time; the interval of the paired nDCG@10 difference within ±0.01, or better for negbench",
        timed,
        "scripts",
        "negbench",
        lambda ratio: bool(ratio["median"] >= 5 and low >= -0.01),
        {
            "nDCG@10, negbench - scripts": f"{mean:+.4f} [{low:+.4f}, {high:+.4f}], mean of {len(args.seeds)} seeds, "
            "each the mean of its samplers, 95 % by Student's t",
            "scripts and negbench": each,
            "nDCG@10, scripts": {name: round(run["nDCG@10"], 4) for name, run in done.items() if "," not in name},
            "by pair": {f"{name} seed {seed}": round(value, 4) for name, seed, value in pairs},
            "seconds by part": parts,
        },
        {
            "collection": collection.name,
            "samplers": {
                f"seed {seed}": (list(METHODS) if lap == 0 or not args.later else args.later)
                for lap, seed in enumerate(args.seeds)
            },
            "rows": len(collection.qrels["train"].at_least(1)),
            "encoder": spec.spelling,
            **{key: value for key, value in settings.items() if key != "start"},
        },
        notes=[
            "a script trains one cross-encoder for denoising, on the rows that it filters; negbench trains two copies, "
            "each on half of the queries, so that none scores what it was trained on",
            "negbench also measures the starting encoder and BM25, and counts false negatives where there is a truth",
            "the ratio is that of the six samplers; seeds with fewer are there for the quality, and share less",
            "a cut model and short texts make the comparison bearable: training_step and encoding give the ratios of "
            "the two largest parts with all layers at 256 tokens",
        ],
    )


if __name__ == "__main__":
    main()
