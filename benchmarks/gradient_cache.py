"""One training step with gradient caching and without: what it costs in time, and what it saves in memory.

Both take the gradients of InfoNCE over the same batch, in the same pieces: with the cache each piece goes through the
encoder twice, and what lies between its texts and its vectors is in memory for one piece at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

import torch

from benchmarks import compare
from benchmarks.training_step import first_rows
from negbench import resources
from negbench.encoders.attention import fast_attention
from negbench.encoders.load import build
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.losses.infonce import InfoNCE
from negbench.training.data import Collator
from negbench.training.loop import chunk_tokens, set_dropout
from negbench.training.objective import Objective
from negbench.training.recipe import Recipe

PLAIN = "uncached"
CACHED = "gradient cache"


def peak_mib(device: torch.device) -> float:
    """Return the most memory that was held since ``forget``: the GPU's, or this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resources.peak().get("peak_mib", float("nan"))


def forget(device: torch.device) -> None:
    """Let the peak count from now on; what the process has freed and kept goes back to Linux first."""
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
    resources.forget_peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def main() -> None:
    """Run the comparison."""
    args = compare.arguments(__doc__ or "", rounds=3)
    collection = compare.collection("helpdesk(articles=100, queries=30)" if args.small else args.collection)
    recipe = Recipe(batch_size=8 if args.small else 256, max_length=16 if args.small else 256, gradient_cache=True)
    data = first_rows(collection, recipe.batch_size)
    spec = EncoderSpec(model="all-MiniLM-L6-v2", keep_layers=1 if args.small else None)
    model = build(spec, 0).train()
    model.max_seq_length = recipe.max_length.document
    set_dropout(model, 0.0)
    device, tokens = model.device, 64 if args.small else chunk_tokens(recipe)
    batch = Collator(data, collection, model, tokens)([{"row": row} for row in range(len(data.queries))])
    names = [name.removesuffix("input_ids") for name in batch if name.endswith("_input_ids")]
    chunks = [
        {
            key.removeprefix(name): value.to(device) if isinstance(value, torch.Tensor) else value
            for key, value in batch.items()
            if key.startswith(name)
        }
        for name in names
    ]
    label: dict[str, Any] = {name: value.to(device) for name, value in batch["label"].items() if name != "targets"}
    label["targets"] = {}
    narrow = resolve(recipe.precision) == "bfloat16"
    peak: dict[str, float] = {}
    gradients: dict[str, list[torch.Tensor]] = {}

    def step(side: str) -> float:
        model.zero_grad()
        forget(device)
        before = peak_mib(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=narrow):
            loss = Objective(model, InfoNCE(), side == CACHED)(chunks, label)
        loss.backward()
        value = loss.item()  # a GPU has finished when this is known
        peak[side] = round(peak_mib(device) - before, 1)  # the last round's: the first one loads libraries
        gradients[side] = [it.grad.clone() for it in model.parameters() if it.grad is not None]
        return value

    with fast_attention(model, narrow):
        sides: dict[str, Any] = {side: lambda side=side: step(side) for side in (PLAIN, CACHED)}
        timed = compare.in_turn(sides, 1 if args.small else args.rounds)
    apart = max(float((a - b).abs().max()) for a, b in zip(*gradients.values(), strict=True))
    compare.report(
        "gradient_cache",
        f"one step over {recipe.batch_size} rows, two texts a row",
        "at most 1.5x the time, with at most half of the memory",
        timed,
        PLAIN,
        CACHED,
        lambda found: found["median"] >= 1 / 1.5 and peak[CACHED] <= peak[PLAIN] / 2,
        {
            "memory that the step added at its peak, MiB": peak,
            "largest difference of a gradient": apart,
            "loss": {side: round(value, 6) for side, value in timed.returned.items()},
        },
        {
            "collection": collection.name,
            "encoder": spec.spelling,
            "batch": recipe.batch_size,
            "max_length": recipe.max_length.document,
            "pieces": len(chunks),
            "tokens a piece": tokens,
            "precision": resolve(recipe.precision),
        },
    )


if __name__ == "__main__":
    main()
