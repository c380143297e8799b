"""Results as a run leaves them, with markup in every text that comes from outside."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from made_trials import RESULTS, rows

from negbench.report import table
from negbench.report.inspect import Example, ShownNegative

HOSTILE = '<script>alert("x")</script> & <b>bold</b>'
EXAMPLES = [
    Example(
        "q1",
        f"where are my socks {HOSTILE}",
        (("d1", "In the drawer."),),
        {
            "simans seed 0": (
                ShownNegative("d2", HOSTILE, 0.5, 3, "false negative"),
                ShownNegative("d3", "No.", None, None, "unjudged"),
            )
        },
    )
]


def made(folder: Path) -> dict[str, Any]:
    """Results as a run writes them."""
    trials = [
        {
            **trial,
            "ranks": {"1": 3, "2-4": 1, "filled": 0} if trial["draw"] else {},
            "cost": {**trial["cost"], "seconds/training": 7.0, "seconds/embeddings": 3.0},
        }
        for trial in RESULTS
    ]
    found = rows(*trials)
    heading, body = table.cells(found, "nDCG@10", "in-batch")
    data = {
        "name": "made",
        "trials": trials,
        "rows": [asdict(row) for row in found],
        "tables": [{"title": "", "heading": heading, "body": body}],
        "notes": [f"A note {HOSTILE}"],
        "verdict": ["Train with simans(a=1.0)."],
        "details": [
            {"method": "simans(a=1.0)", "axes": {}, "group": "rank", "name": name, "rate": rate, "low": 0.05,
             "high": 0.6, key: 0.5} for name, rate, key in (("1-4", 0.3, "reference"), ("5-16", 0.1, "beside"))
        ],
        "further": [{"title": "Who", "note": f"Of {HOSTILE}", "heading": ["method", "simans(a=1.0)"],
                     "body": [["in-batch", "12"]]}],
        "settings": {
            "title": f"made: {HOSTILE}", "measure": "nDCG@10", "baseline": "in-batch", "equivalent_within": 0.01,
            "methods": 2, "seeds": 2, "legend": ["± 95 %: half the width", "* differs"],
        },
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(data))
    manifest = {
        "command": ["negbench", "run", "a b.yaml"],
        "grid": f"name: made # {HOSTILE}",
        "versions": {"numpy": "2"},
        "digests": {"encoders": {"some": "sha256:1"}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    lines = [
        f'"{trial["name"]}",loss,{step},{1 / step}' for trial in trials if trial["seed"] is not None for step in (1, 2)
    ]
    (folder / "curves.csv").write_text("\n".join(["trial,curve,step,value", *lines]) + "\n")
    return data
