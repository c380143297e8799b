"""Time two or more ways of doing the same work, in turn and in one process, and keep the ratios with their spread.

Sides take turns round after round, in an order that flips each round, so that a machine that slows down slows both.
A ratio belongs to one round; the table shows the median over rounds and the smallest and largest.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from negbench.encoders.precision import ask_gpu, cpu_flags

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "benchmarks"
SMALL_RESULTS = ROOT / "runs" / "benchmarks"
LIBRARIES = (
    "torch", "sentence-transformers", "transformers", "numpy", "bm25s", "rank-bm25", "faiss-cpu", "voyager",
    "openvino", "nncf", "onnxruntime",
)  # fmt: skip


@dataclass
class Timed:
    """Seconds of each side by round, what each side returned in the last one, and this process's processor seconds."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    returned: dict[str, Any] = field(default_factory=dict)
    processor: dict[str, list[float]] = field(default_factory=dict)


def in_turn(sides: Mapping[str, Callable[[], Any]], rounds: int, warm_up: bool = True) -> Timed:
    """Run every side once a round and time it; a first round that is not counted warms caches up."""
    timed = Timed()
    for lap in range(-1 if warm_up else 0, rounds):
        for name in list(sides) if lap % 2 == 0 else reversed(list(sides)):
            gc.collect()
            started, spent = time.perf_counter(), time.process_time()
            timed.returned[name] = sides[name]()
            seconds, spent = time.perf_counter() - started, time.process_time() - spent
            print(f"  {'warm-up' if lap < 0 else f'round {lap + 1}'}  {name}: {seconds:.3f} s", flush=True)
            if lap >= 0:
                timed.seconds.setdefault(name, []).append(seconds)
                timed.processor.setdefault(name, []).append(spent)
    return timed


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """Return how many times longer ``slow`` took, round by round: median, low and high."""
    found = [a / b for a, b in zip(slow, fast, strict=True)]
    return {"median": statistics.median(found), "low": min(found), "high": max(found)}


def report(
    name: str,
    what: str,
    goal: str,
    timed: Timed,
    peer: str,
    ours: str,
    met: Callable[[dict[str, float]], bool],
    quality: Mapping[str, Any],
    setting: Mapping[str, Any],
    causes: Sequence[tuple[str, str, str]] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Write ``results/benchmarks/NAME.json`` and print a table.

    ``peer`` and ``ours`` name sides of ``timed``; ``met`` judges their ratio (which holds ``median``, ``low`` and
    ``high``). ``causes`` are (what changed, side before, side after): what each change contributes by itself.
    ``quality`` says what both sides achieved, ``setting`` what was run on.
    """
    headline = ratio(timed.seconds[peer], timed.seconds[ours])
    found = {
        "name": name,
        "what": what,
        "peer": peer,
        "ours": ours,
        "goal": goal,
        "met": bool(met(headline)),
        "ratio": headline,
        "seconds": timed.seconds,
        "causes": [
            {"cause": cause, "ratio": ratio(timed.seconds[before], timed.seconds[after])}
            for cause, before, after in causes
        ],
        "quality": dict(quality),
        "setting": dict(setting),
        "notes": list(notes),
        "machine": machine(),
    }
    write(name, found)
    show(found)
    return found


def write(name: str, found: Mapping[str, Any]) -> None:
    """Write a result; a small run, which only shows that a comparison works, is kept apart in ``runs/benchmarks``."""
    folder = SMALL_RESULTS if "--small" in sys.argv else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


def show(found: Mapping[str, Any]) -> None:
    """Print a comparison as a table."""
    print(f"\n{found['name']}: {found['what']}")
    width = max(len(side) for side in found["seconds"])
    for side, seconds in found["seconds"].items():
        spread = f"[{min(seconds):.3f}, {max(seconds):.3f}]"
        print(f"  {side:<{width}}  {statistics.median(seconds):9.3f} s  {spread}")
    print(f"  {found['peer']} / {found['ours']}: {spelled(found['ratio'])}; goal {found['goal']}: {verdict(found)}")
    for cause in found["causes"]:
        print(f"  {cause['cause']}: {spelled(cause['ratio'])}")
    for key, value in found["quality"].items():
        print(f"  {key}: {value}")
    for note in found["notes"]:
        print(f"  note: {note}")


def spelled(ratio: Mapping[str, float]) -> str:
    """Return e.g. ``3.1x [2.9, 3.3]``."""
    return f"{ratio['median']:.2f}x [{ratio['low']:.2f}, {ratio['high']:.2f}]"


def verdict(found: Mapping[str, Any]) -> str:
    """Return ``met`` or ``missed``."""
    return "met" if found["met"] else "missed"


def machine() -> dict[str, Any]:
    """Describe what this ran on: processor, the flags that matter to arithmetic, threads, libraries."""
    import torch

    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "flags": [flag for flag in wanted if flag in cpu_flags()],
        "memory_gib": round(pages / 2**30, 1),
        "gpu": ask_gpu("name"),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def quiet() -> dict[str, str]:
    """Return the environment without progress bars."""
    return {**os.environ, "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def run_grid(path: Path, out: Path, store: Path, *options: str, threads: int | None = None) -> float:
    """Run ``negbench run`` on a grid in its own process; return its seconds. Raises RuntimeError where it fails."""
    environment = {**quiet(), "NEGBENCH_STORE": str(store)}
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    started = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("negbench")), "run", str(path), "--out", str(out), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return time.perf_counter() - started


def arguments(description: str, rounds: int = 5) -> argparse.Namespace:
    """Parse what every comparison takes: rounds, the collection, and a small run that only shows that it works."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds that are counted (default {rounds})")
    parser.add_argument(
        "--collection",
        default="scifact",
        help="folder, name under NEGBENCH_DATA, or any other source (default scifact)",
    )
    parser.add_argument("--small", action="store_true", help="the smallest run that touches every line")
    return parser.parse_args()


def collection(name: str) -> Any:
    """Load a collection as a grid file would."""
    from negbench.collections import resolve

    return resolve.source_of(name).load()
