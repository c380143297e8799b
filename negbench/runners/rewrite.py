"""Write the results of a grid that has run once more from the store, with an audit that came since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from negbench.config.grid import Grid
from negbench.errors import InputError
from negbench.plan.trials import Trial
from negbench.report.audited import Audited
from negbench.runners.outputs import Outputs
from negbench.store import Store


def rewrite(grid: Grid, trials: Sequence[Trial], store: Store, out: Path, audits: Sequence[Audited]) -> None:
    """Write tables and ``results.json`` in ``out`` again, with the audited rates; trains nothing.

    The manifest stays as it was. Raises InputError without results in ``out``, and where a stage is no longer stored.
    """
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        before = json.loads((out / "results.json").read_text(encoding="utf-8"))["trials"]
    except FileNotFoundError as error:
        raise InputError(f"{out}: no {Path(error.filename).name}; run the grid first with `negbench run`") from error
    failures = {trial["name"]: trial.get("error") for trial in before}
    shown = [trial for trial in trials if trial.name in failures]
    for trial in shown:
        if failures[trial.name] is None and (missing := [it for it in trial.stages if not store.has(it)]):
            raise InputError(
                f"{grid.name}: the results of {trial.name} are not stored any more (missing stage: "
                f"{missing[0].label}); run the grid again with `negbench run`"
            )
    outputs = Outputs(grid, trials, store, out, manifest, audits)
    for trial in shown:
        outputs.add(trial, failures[trial.name])
    outputs.write()
