"""Run every comparison, one process each, and write the table ``results/benchmarks/README.md``.

``python -m benchmarks [table | NAME ...] [--collection PATH]``; ``table`` only writes the table of what was measured.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks import compare

ORDER = (
    "grid",
    "workers",
    "training_step",
    "gradient_cache",
    "encoding",
    "backends",
    "cross_encoder",
    "bm25",
    "mining",
    "mine_command",
    "search",
    "metrics",
    "one_more_sampler",
    "voyager",
    "scaling",
    "large_search",
    "gpu",
)
NEEDS_A_CARD = "gpu"


def main() -> None:
    """Run what was asked for, then write the table."""
    asked = sys.argv[1:]
    names = [word for word in asked if word in ORDER]
    rest = [word for word in asked if word not in (*ORDER, "table")]
    if "table" not in asked:
        for name in names or [name for name in ORDER if name != NEEDS_A_CARD]:
            own = [] if name in ("search", "scaling", "large_search", "workers") else rest
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *own], cwd=compare.ROOT, check=True)
    found = {
        name: json.loads(path.read_text()) for name in ORDER if (path := compare.RESULTS / f"{name}.json").exists()
    }
    (compare.RESULTS / "README.md").write_text(table(found))
    print(f"wrote {compare.RESULTS / 'README.md'}")


def table(found: dict[str, Any]) -> str:
    """Return the results as Markdown: the ratios in one table, then what is behind each, then the machine."""
    compared = [it for it in found.values() if "ratio" in it]
    lines = [
        "# Speed, side by side",
        "",
        "Written by `python -m benchmarks table` from the JSON files here. A ratio is the peer's seconds over",
        "negbench's, round by round: median [lowest, highest]. Goals were set beforehand; a missed one is marked so.",
        "",
        "| what | peer | goal | measured | verdict |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| [{it['what']}](#{it['name']}) | {it['peer']} | {it['goal']} | {compare.spelled(it['ratio'])} "
        f"| {compare.verdict(it)} |"
        for it in compared
    ]
    for it in compared:
        lines += ["", f"## {it['name']}", "", f"{it['what'][0].upper()}{it['what'][1:]}. {_flat(it['setting'])}", ""]
        lines += ["| side | median s | lowest | highest |", "|---|---|---|---|"]
        lines += [
            f"| {side} | {statistics.median(seconds):.3f} | {min(seconds):.3f} | {max(seconds):.3f} |"
            for side, seconds in it["seconds"].items()
        ]
        lines += ["", *[f"- {cause['cause']}: {compare.spelled(cause['ratio'])}" for cause in it["causes"]]]
        lines += [f"- {key}: {_flat(value)}" for key, value in it["quality"].items()]
        lines += [f"- {note}" for note in it["notes"]]
    for name in ("scaling", "large_search", NEEDS_A_CARD):
        if name in found:
            lines += ["", f"## {name}", "", *found[name].get("markdown", [])]
    lines += ["", "## Machines", ""]
    machines: dict[str, list[str]] = {}
    for name, it in found.items():
        machines.setdefault(_flat(it["machine"]), []).append(name)
    lines += [f"- {', '.join(names)}: {text}" for text, names in machines.items()]
    return "\n".join(lines) + "\n"


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_flat(part)}" for key, part in value.items() if part is not None)
    if isinstance(value, list):
        return ", ".join(map(_flat, value))
    return str(value)


if __name__ == "__main__":
    main()
