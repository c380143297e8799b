"""A graphics card in ten minutes: what it computes, how fast, with how much memory, and whether it repeats itself.

``python -m benchmarks.gpu`` on a machine with a card. It checks that the card agrees with the processor, then times
encoding and training beside plain sentence-transformers, and says which share of the card's measured matrix products
they reach. With ``--small`` it runs anywhere, and shows only that each line works.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
import torch

from benchmarks import compare, training_step
from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.retrieval.dense import exact
from negbench.training.recipe import Recipe
from negbench.types import Float32, Int32

PEER, OURS = "sentence-transformers", "negbench"
NEAR = 1e-4
"""Largest difference of vectors in float32 on the card and on the processor; scores that are closer may swap ranks."""


def main() -> None:
    """Check, measure, and write ``results/benchmarks/gpu.json``."""
    args = compare.arguments(__doc__ or "", rounds=3)
    small = args.small
    if not small and not torch.cuda.is_available():
        raise SystemExit("benchmarks.gpu: torch sees no graphics card; --small runs anywhere")
    collection = compare.collection("helpdesk(articles=100, queries=30)" if small else args.collection)
    spec = EncoderSpec(model="all-MiniLM-L6-v2", keep_layers=1 if small else None)
    recipe = Recipe(epochs=1, batch_size=4 if small else 128, max_length=16 if small else 256)
    passages, precision = collection.passages(), resolve("auto")
    data = training_step.first_rows(collection, 8 if small else 2560)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start"
        build(spec, 0).save_pretrained(str(start), create_model_card=False)
        work = start, data, collection, recipe
        checks = {
            **agreement(spec, passages[: 20 if small else 2000], [*collection.queries][: 5 if small else 500]),
            "training twice from one seed": repeats(*work),
        }
        model = build(spec, 0)
        encoded = measured(
            {
                PEER: lambda: model.encode(passages, normalize_embeddings=True, batch_size=128),
                OURS: lambda: encode(model, passages, "document", precision),
            },
            1 if small else args.rounds,
        )
        trained = measured(
            {
                PEER: lambda: training_step.with_the_peer(*work),
                OURS: lambda: training_step.with_negbench(*work),
            },
            1 if small else args.rounds,
        )
        texts = {"encoding": len(passages), "training": len(np.unique(data.queries)) + len(data.positives)}
        work_done = {
            "encoding": operations(model, passages, model.max_seq_length),
            "training": 3 * operations(model, [passages[row] for row in data.positives], recipe.max_length.document),
        }
    peak = products(torch.bfloat16 if precision == "bfloat16" else torch.float32)
    found = {
        "name": "gpu",
        "what": "encoding and training on a graphics card",
        "checks": checks,
        "precision": precision,
        "products a second": peak,
        "stages": {
            stage: {
                side: {
                    "seconds": seconds,
                    "texts a second": texts[stage] / float(np.median(seconds)),
                    "share of peak": work_done[stage] / float(np.median(seconds)) / peak,
                    "memory_gb": sides["memory"][side],
                }
                for side, seconds in sides["timed"].seconds.items()
            }
            for stage, sides in {"encoding": encoded, "training": trained}.items()
        },
        "setting": {
            "collection": collection.name,
            "encoder": spec.spelling,
            "batch": recipe.batch_size,
            "max_length": recipe.max_length.document,
        },
        "machine": compare.machine(),
    }
    found["markdown"] = markdown(found)
    print("\n".join(found["markdown"]))
    compare.write("gpu", found)


def agreement(spec: EncoderSpec, passages: list[str], queries: list[str]) -> dict[str, str]:
    """Compare float32 vectors and lists of the card with those of the processor."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sides = {}
    for name in (device, "cpu"):
        model = build(spec, 0).to(name)
        sides[name] = encode(model, passages, "document", "float32"), encode(model, queries, "query", "float32")
    (documents, asked), (there, _) = sides[device], sides["cpu"]
    difference = float(np.abs(documents - there).max())
    with patch("torch.cuda.is_available", lambda: False):
        expected = exact(asked, documents, min(100, len(documents)))
    swapped = misordered(exact(asked, documents, min(100, len(documents))), expected)
    return {
        "vectors in float32": told(difference <= NEAR, f"largest difference {difference:.1e}"),
        "lists of exact search": told(swapped == 0, f"{swapped} of {len(queries)} lists differ beyond equal scores"),
    }


def misordered(found: tuple[Int32, Float32], expected: tuple[Int32, Float32]) -> int:
    """Return the number of lists [Q, k] in which a rank holds another document with a score that is not as good."""
    other = (found[0] != expected[0]) & (np.abs(found[1] - expected[1]) > NEAR)
    return int(other.any(axis=1).sum())


def repeats(start: Path, data: Any, collection: Any, recipe: Recipe) -> str:
    """Train twice from one seed and compare the losses of all steps to the last bit."""
    first, second = (training_step.with_negbench(start, data, collection, recipe) for _ in range(2))
    return told(first == second, f"mean loss {first!r} and {second!r}")


def told(passed: bool, what: str) -> str:
    """Return e.g. ``equal (largest difference 3e-6)``."""
    return f"{'equal' if passed else 'NOT EQUAL'} ({what})"


def measured(sides: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Time the sides in turn, and return with it the most memory of the card, in GB, that each took; None without."""
    memory: dict[str, float | None] = {}

    def watched(name: str) -> Any:
        if not torch.cuda.is_available():
            memory[name] = None
            return sides[name]()
        torch.cuda.reset_peak_memory_stats()
        returned = sides[name]()
        torch.cuda.synchronize()
        memory[name] = torch.cuda.max_memory_allocated() / 1e9
        return returned

    timed = compare.in_turn({name: lambda name=name: watched(name) for name in sides}, rounds)  # type: ignore[misc]
    return {"timed": timed, "memory": memory}


def operations(model: Any, texts: list[str], max_length: int) -> float:
    """Return the floating-point operations of one forward pass, without padding.

    Two for each weight and token but for the embeddings' (a lookup), and four for each pair of tokens, dimension and
    layer (attention).
    """
    tokens = model.tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    lengths = np.array([len(row) for row in tokens], float)
    config = model[0].model.config
    weights = sum(part.numel() for name, part in model.named_parameters() if "embeddings" not in name)
    pairs = 4 * config.num_hidden_layers * config.hidden_size * (lengths**2).sum()
    return float(2 * weights * lengths.sum() + pairs)


def products(kind: torch.dtype) -> float:
    """Return the operations a second of large matrix products here, the best of ten."""
    import time

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = 8192 if device == "cuda" else 512
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def markdown(found: dict[str, Any]) -> list[str]:
    """Return the checks and the measurements as lines of Markdown."""
    lines = [f"- {name}: {text}" for name, text in found["checks"].items()]
    lines += [f"- matrix products in {found['precision']}: {found['products a second'] / 1e12:.2f} TFLOP/s"]
    lines += ["", "| stage | side | texts/s | share of peak | memory, GB | ratio |", "|---|---|---|---|---|---|"]
    for stage, sides in found["stages"].items():
        for side, row in sides.items():
            memory = "" if row["memory_gb"] is None else f"{row['memory_gb']:.2f}"
            ratio = compare.spelled(compare.ratio(sides[PEER]["seconds"], row["seconds"])) if side == OURS else ""
            share = f"{100 * row['share of peak']:.1f} %"
            lines += [f"| {stage} | {side} | {row['texts a second']:.0f} | {share} | {memory} | {ratio} |"]
    return lines


if __name__ == "__main__":
    main()
